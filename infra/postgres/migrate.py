"""Migrates a database to the newest schema."""

import importlib.metadata
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from domain.core.errors import Unavailable
from infra.postgres.connection import Connection, translate_driver_errors
from infra.postgres.hosts import PrimaryConnector
from infra.postgres.partitions import ensure_partitions
from infra.postgres.pool import Pool, connect

if TYPE_CHECKING:
    from sqlalchemy import Connection as SqlAlchemyConnection

_MIGRATIONS = Path(__file__).with_name("migrations")
_REVISION = re.compile(r'^revision(?:: str)? = "([^"]+)"$', re.MULTILINE)
_LOCK = 7_235_843_401
"""The key of the advisory lock for migrations, an arbitrary number."""


class DatabaseIsNewer(Exception):
    """The database has a schema that only a later version of this program knows."""

    def __init__(self, revision: str) -> None:
        version = importlib.metadata.version("r3edge-engine")
        super().__init__(
            f"the database has the schema {revision} of a newer version, and r3edge-engine {version} knows those up to "
            f"{head()}; migrations go forward only: run the newer version again, or restore a backup from before it"
        )


class MigrationFailed(Exception):
    """The database refused a migration, and is unchanged."""

    def __init__(self, reason: str, *, is_unsuitable: bool) -> None:
        advice = (
            "it must be a database of the engine's own, in which the user may create tables"
            if is_unsuitable
            else "remove the cause and migrate again, or go on with the version before and report this message"
        )
        super().__init__(f"the database could not be migrated, and is as it was: {reason}; {advice}")


async def migrate(dsn: str, months_ahead: int = 2) -> list[str]:
    """Apply the missing revisions and return them, oldest first; create the monthly partitions too.

    All or nothing, in one transaction. If two nodes migrate at once, the second one waits and finds nothing to do.
    Raises `Unavailable` if the database can't be reached, `DatabaseIsNewer` and `MigrationFailed`.
    """
    connection = await connect(dsn)
    try:
        present = await present_revision(Connection(connection))
        applied = [] if present == head() else await upgrade(dsn)
        await ensure_partitions(Connection(connection), months_ahead)
    finally:
        await connection.close()
    return applied


async def is_up_to_date(pool: Pool) -> bool:
    """Return whether the database has the schema that this code was written for; raises `DatabaseIsNewer`.

    Without Alembic and SQLAlchemy, which take most of a second to load: it reads one table, and one file's name.
    """
    with translate_driver_errors():
        async with pool.acquire(timeout=5) as connection:
            return await present_revision(Connection(connection)) == head()


@cache
def head() -> str:
    """Return the newest revision: the one in the last file by name."""
    return revisions()[-1]


@cache
def revisions() -> tuple[str, ...]:
    """Return all revisions that this code knows, oldest first."""
    return tuple(_revision(file) for file in sorted((_MIGRATIONS / "versions").glob("[0-9]*.py")))


def _revision(file: Path) -> str:
    found = _REVISION.search(file.read_text())
    assert found is not None, f'{file.name} has no line revision = "…"'
    return found.group(1)


async def present_revision(connection: Connection) -> str | None:
    """Return the revision of the database's schema; None if it has none. Raises `DatabaseIsNewer`."""
    if await connection.fetchval("SELECT to_regclass('alembic_version') IS NULL"):
        return None
    revision: str | None = await connection.fetchval("SELECT version_num FROM alembic_version")
    if revision is not None and revision not in revisions():
        raise DatabaseIsNewer(revision)
    return revision


async def upgrade(dsn: str, revision: str = "head") -> list[str]:
    """Apply the missing revisions up to `revision` in one transaction, and return them.

    Raises `MigrationFailed`, and `Unavailable` if the connection breaks.
    """
    from sqlalchemy import exc, text  # noqa: PLC0415  # 0.9 s of imports that a database at its head doesn't need
    from sqlalchemy.ext.asyncio import create_async_engine  # noqa: PLC0415  # as above
    from sqlalchemy.pool import NullPool  # noqa: PLC0415  # as above

    # SQLAlchemy doesn't read DSNs of several hosts; our connector does.
    engine = create_async_engine(
        "postgresql+asyncpg://",
        poolclass=NullPool,
        async_creator=PrimaryConnector(dsn).connect,
    )
    try:
        async with engine.begin() as connection:
            await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
            return await connection.run_sync(_run_alembic, revision)
    except exc.DBAPIError as error:
        if error.connection_invalidated:
            message = "The connection to the database broke while it was migrated: migrate again."
            raise Unavailable(message) from None
        reason = str(getattr(error.orig, "__cause__", None) or error.orig).partition("\n")[0]
        # A privilege that is lacking, or tables that are somebody else's; anything else is about what is stored.
        raise MigrationFailed(reason, is_unsuitable=isinstance(error, exc.ProgrammingError)) from None
    finally:
        await engine.dispose()


def _run_alembic(connection: "SqlAlchemyConnection", revision: str) -> list[str]:
    from alembic import command  # noqa: PLC0415  # as in `upgrade`
    from alembic.config import Config  # noqa: PLC0415  # as in `upgrade`

    applied: list[str] = []
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    config.attributes["applied"] = applied
    command.upgrade(config, revision)
    return applied
