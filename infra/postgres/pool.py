"""The pool of connections to PostgreSQL, one host or several."""

from typing import TypeAlias
from urllib.parse import parse_qs, urlsplit

import asyncpg
from asyncpg.connect_utils import SessionAttribute

from infra.postgres.connection import DriverConnection, translate_driver_errors

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"

_JSONB_VERSION = b"\x01"
"""What the binary form of jsonb begins with (PostgreSQL, `jsonb_recv`)."""


async def create_pool(
    dsn: str,
    *,
    init_size: int = 2,
    max_size: int = 20,
    connect_timeout_seconds: float = 5.0,
    command_timeout_seconds: float = 10.0,
    application_name: str = "r3edge",
) -> Pool:
    """Return an open pool; raises `Unavailable` where no server of the DSN answers.

    Several hosts (`postgres://u@h1:p1,h2:p2/db`) are tried in turn for the one that takes writes, unless the DSN has a
    `target_session_attrs` of its own. `numeric` comes as Decimal, `timestamptz` as aware UTC datetime, `uuid` as UUID,
    and `jsonb` goes in and comes out as bytes of JSON.
    """
    with translate_driver_errors():
        return await asyncpg.create_pool(
            dsn,
            init_size=init_size,
            # Not more than none: the pool's own keeping of a minimum logs a traceback while the server is away.
            min_size=0,
            max_size=max_size,
            timeout=connect_timeout_seconds,
            command_timeout=command_timeout_seconds,
            target_session_attrs=session_attributes(dsn),
            server_settings=_server_settings(application_name),
            init=_set_codecs,
            reset=_leave_clean,
        )


async def connect(dsn: str) -> "asyncpg.Connection[asyncpg.Record]":
    """Return one connection, outside of any pool; raises `Unavailable` where no server of the DSN answers."""
    with translate_driver_errors():
        return await asyncpg.connect(dsn, timeout=10, target_session_attrs=session_attributes(dsn))


def session_attributes(dsn: str) -> SessionAttribute | None:
    """Return which of several hosts is wanted: the one that takes writes, unless the DSN says."""
    return None if "target_session_attrs" in parse_qs(urlsplit(dsn).query) else SessionAttribute.read_write


def _server_settings(application_name: str) -> dict[str, str]:
    return {
        "application_name": application_name,
        "timezone": "UTC",
        # A process that was frozen in a transaction must not hold its locks for ever.
        "idle_in_transaction_session_timeout": "30s",
    }


async def _set_codecs(connection: DriverConnection) -> None:
    await connection.set_type_codec(
        "jsonb", schema="pg_catalog", format="binary", encoder=_encode_jsonb, decoder=_decode_jsonb
    )


def _encode_jsonb(value: bytes) -> bytes:
    return _JSONB_VERSION + value


def _decode_jsonb(value: bytes) -> bytes:
    return bytes(value[1:])


async def _leave_clean(connection: DriverConnection) -> None:
    """Replace asyncpg's reset, a round trip after each use: nothing here leaves state in a session.

    Settings are SET LOCAL, advisory locks end with the transaction, and nobody listens on a pooled connection.
    """
    if connection.is_in_transaction():
        connection.terminate()
