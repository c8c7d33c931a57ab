"""The pool of connections to PostgreSQL, one host or several."""

import asyncio
import logging
import socket
from collections.abc import Iterable
from contextlib import suppress
from types import SimpleNamespace
from typing import Any, TypeAlias

import asyncpg

from infra.postgres.connection import DriverConnection, translate_driver_errors
from infra.postgres.hosts import PrimaryConnector, Session, StandbyConnector

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"

log = logging.getLogger(__name__)

CLOSE_SECONDS = 15.0
"""How long a connection may be in use when its pool is closed: longer than any statement of a node takes."""

_JSONB_VERSION = b"\x01"
"""The first byte of the binary form of jsonb (PostgreSQL, `jsonb_recv`)."""
_FIRST_OWN_OID = 16_384
"""The types below are PostgreSQL's own, the same in every database (PostgreSQL, `FirstNormalObjectId`)."""
_ASKED = SimpleNamespace(name="asked before")
"""In the place of the statement that asked: none has run on this connection."""

_own_types: dict[frozenset[int], list[asyncpg.Record]] = {}


class _PooledConnection(asyncpg.Connection):
    """A connection that ends quietly if its server is gone: the pool closes expired ones in tasks nobody waits for."""

    async def close(self, *, timeout: float | None = None) -> None:  # noqa: ASYNC109  # asyncpg's
        """Close the connection; it is closed at once if the server can't be told."""
        with suppress(OSError, TimeoutError, asyncpg.PostgresConnectionError):
            await super().close(timeout=timeout)

    async def _introspect_types(self, typeoids: Iterable[int], timeout: float | None) -> Any:  # noqa: ANN401, ASYNC109  # asyncpg's
        """Ask once a process what PostgreSQL's own arrays hold.

        asyncpg asks on each connection for each type of array, which takes the server longer than to open it.
        """
        oids = frozenset(typeoids)
        if oids in _own_types:
            return _own_types[oids], _ASKED
        types, statement = await super()._introspect_types(typeoids, timeout)  # type: ignore[misc]  # not in its stubs
        if max(oids) < _FIRST_OWN_OID:
            _own_types[oids] = types
        return types, statement


async def create_pool(
    dsn: str,
    *,
    init_size: int = 2,
    max_size: int = 20,
    connect_timeout_seconds: float = 5.0,
    command_timeout_seconds: float = 10.0,
    application_name: str = "r3edge",
) -> Pool:
    """Return an open pool; raises `Unavailable` if no server of the DSN answers.

    Of several hosts (`postgres://u@h1:p1,h2:p2/db`) the one that takes writes is used, see `PrimaryConnector`; when
    that is another one than before, connections to the former are replaced before their next use. `numeric` comes as
    Decimal, `timestamptz` as aware UTC datetime, `uuid` as UUID, and `jsonb` goes in and comes out as bytes of JSON.
    """
    connector = PrimaryConnector(dsn)
    with translate_driver_errors():
        pool = await asyncpg.create_pool(
            dsn,
            connect=connector.connect,
            init_size=init_size,
            # None: the pool logs a traceback for each failed attempt to keep a minimum while the server is away.
            min_size=0,
            max_size=max_size,
            timeout=connect_timeout_seconds,
            command_timeout=command_timeout_seconds,
            server_settings=_server_settings(application_name),
            connection_class=_PooledConnection,
            init=_set_codecs,
            reset=_reset_connection,
        )
    connector.moved = pool.expire_connections
    return pool


async def create_standby_pool(dsn: str, max_size: int) -> Pool:
    """Return a pool of connections to replicas among the DSN's hosts; none is open yet, and there need be none."""
    return await asyncpg.create_pool(
        dsn,
        connect=StandbyConnector(dsn).connect,
        init_size=0,
        min_size=0,
        max_size=max_size,
        timeout=1.0,
        command_timeout=10.0,
        server_settings=_server_settings("r3edge reads"),
        connection_class=_PooledConnection,
        init=_set_codecs,
        reset=_reset_connection,
    )


async def close_pool(pool: Pool, within_seconds: float = CLOSE_SECONDS) -> None:
    """Close the pool once all of its connections were given back, or with those that aren't after so many seconds."""
    try:
        async with asyncio.timeout(within_seconds):
            await pool.close()
    except TimeoutError:
        log.warning("connections to the database were closed while they were in use: %g s are over", within_seconds)


async def connect(dsn: str) -> Session:
    """Return one connection, outside of any pool; raises `Unavailable` if no server of the DSN answers."""
    with translate_driver_errors():
        return await PrimaryConnector(dsn).connect()


def connection_error_reason(error: BaseException | None) -> str:
    """Return why a server wasn't reached, for messages."""
    match error:
        case socket.gaierror():
            return "nobody knows that host"
        case ConnectionRefusedError():
            return "nothing listens there"
        case TimeoutError():
            return "it doesn't answer"
        case None:
            return "the connection broke"
        case _:
            return str(error).partition("\n")[0] or type(error).__name__


def _server_settings(application_name: str) -> dict[str, str]:
    return {
        "application_name": application_name,
        "timezone": "UTC",
        # A process that is frozen in a transaction must not hold its locks for ever.
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


async def _reset_connection(connection: DriverConnection) -> None:
    """Replace asyncpg's reset, which costs a round trip after each use; nothing here leaves state in a session.

    Settings are SET LOCAL, advisory locks end with the transaction, and nobody listens on a pooled connection.
    """
    if connection.is_in_transaction():
        connection.terminate()
