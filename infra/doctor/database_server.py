"""Finds the database that is to be checked: the settings' own, that of a running engine, or the embedded one."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from infra.doctor.database import NoDatabase
from infra.doctor.findings import error, skipped
from infra.postgres.server.embedded import EmbeddedPostgres
from infra.postgres.server.installation import EmbeddedPostgresError
from infra.postgres.server.server_user import ServerFilesUnreachable
from infra.runtime.data_dir import DataDir, DataDirInUse, DataDirUnusable, holder
from infra.settings import Settings

PURPOSE = "r3edge doctor"


@asynccontextmanager
async def found_database(settings: Settings, limit_seconds: float) -> AsyncGenerator[str]:
    """Give the DSN of the database; an embedded one that nobody runs is started, and stopped again at the end.

    It is neither made nor migrated. Raises `NoDatabase`.
    """
    folder = settings.data_dir.expanduser().absolute()
    if settings.database_url is not None:
        yield settings.database_url.get_secret_value()
    elif not (folder / "postgres" / "data").exists():
        raise NoDatabase(skipped("database.server", "the embedded database isn't there yet; the first start makes it"))
    elif holder(folder) is not None:
        yield await _running(folder, limit_seconds)
    else:
        async with _own(folder, limit_seconds) as dsn:
            yield dsn


async def _running(folder: Path, limit_seconds: float) -> str:
    server = EmbeddedPostgres(folder / "postgres")
    if await server.attach(limit_seconds):
        return server.dsn
    advice = "wait if the engine has just been started; else stop it, and look into postgres/data/log"
    raise NoDatabase(error("database.server", "the running engine's embedded PostgreSQL doesn't answer", advice))


@asynccontextmanager
async def _own(folder: Path, limit_seconds: float) -> AsyncGenerator[str]:
    try:
        held = DataDir.hold(folder, PURPOSE)
    except (DataDirInUse, DataDirUnusable) as failure:
        raise NoDatabase(skipped("database.server", str(failure))) from None
    server = EmbeddedPostgres(folder / "postgres")
    try:
        await server.start(limit_seconds)
        yield server.dsn
    except (EmbeddedPostgresError, ServerFilesUnreachable) as failure:
        raise NoDatabase(
            error("database.server", f"the embedded PostgreSQL doesn't start: {failure}", "see postgres/data/log")
        ) from None
    finally:
        try:
            await server.stop()
        finally:
            held.release()
