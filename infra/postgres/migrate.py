"""Bringing a database to the newest schema."""

import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg

from infra.postgres.connection import Connection, unavailable_where_broken
from infra.postgres.partitions import ensure_partitions
from infra.postgres.pool import Pool, session_attributes

if TYPE_CHECKING:
    from sqlalchemy import Connection as SqlAlchemyConnection

_MIGRATIONS = Path(__file__).with_name("migrations")
_REVISION = re.compile(r'^revision(?:: str)? = "([^"]+)"$', re.MULTILINE)
_LOCK = 7_235_843_401
"""The advisory lock of migrations; the number means nothing but that nobody else takes it."""


async def migrate(dsn: str, months_ahead: int = 2) -> list[str]:
    """Apply what is missing, and return the revisions applied, oldest first; make the monthly partitions too.

    All or nothing, in one transaction. Where two nodes migrate at once the second one waits and finds nothing to do.
    Raises `Unavailable` where the database can't be reached.
    """
    with unavailable_where_broken():
        connection = await asyncpg.connect(dsn, timeout=10, target_session_attrs=session_attributes(dsn))
    try:
        present = await _present(Connection(connection))
        applied = [] if present == head() else await _upgrade(dsn)
        await ensure_partitions(Connection(connection), months_ahead)
    finally:
        await connection.close()
    return applied


async def current_is_head(pool: Pool) -> bool:
    """Tell whether the database has the schema that this code was written for.

    It asks one table and reads one file's name, since loading Alembic and SQLAlchemy takes most of a second.
    """
    with unavailable_where_broken():
        async with pool.acquire(timeout=5) as connection:
            return await _present(Connection(connection)) == head()


@cache
def head() -> str:
    """Return the newest revision: the one in the last file by name."""
    newest = max((_MIGRATIONS / "versions").glob("[0-9]*.py"), key=lambda file: file.name)
    found = _REVISION.search(newest.read_text())
    assert found is not None, f'{newest.name} has no line revision = "…"'
    return found.group(1)


async def _present(connection: Connection) -> str | None:
    if await connection.fetchval("SELECT to_regclass('alembic_version') IS NULL"):
        return None
    revision: str | None = await connection.fetchval("SELECT version_num FROM alembic_version")
    return revision


async def _upgrade(dsn: str, revision: str = "head") -> list[str]:
    from sqlalchemy import text  # noqa: PLC0415  # 0.9 s of imports that a database at its head doesn't need
    from sqlalchemy.ext.asyncio import create_async_engine  # noqa: PLC0415  # as above
    from sqlalchemy.pool import NullPool  # noqa: PLC0415  # as above

    # SQLAlchemy doesn't read DSNs of several hosts; asyncpg does.
    engine = create_async_engine(
        "postgresql+asyncpg://",
        poolclass=NullPool,
        async_creator=lambda: asyncpg.connect(dsn, timeout=10, target_session_attrs=session_attributes(dsn)),
    )
    try:
        async with engine.begin() as connection:
            await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
            return await connection.run_sync(_run_alembic, revision)
    finally:
        await engine.dispose()


def _run_alembic(connection: "SqlAlchemyConnection", revision: str) -> list[str]:
    from alembic import command  # noqa: PLC0415  # as in `_upgrade`
    from alembic.config import Config  # noqa: PLC0415  # as in `_upgrade`

    applied: list[str] = []
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    config.attributes["applied"] = applied
    command.upgrade(config, revision)
    return applied
