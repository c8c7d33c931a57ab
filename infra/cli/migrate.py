"""`r3edge migrate`: brings the database to this version's schema."""

from typing import Annotated

import typer

from infra.cli.options import DataDirectory, run_command
from infra.settings import Settings
from infra.settings_loading import load_settings

Wait = Annotated[float, typer.Option(min=0, help="Seconds that a database of your own may take until it answers (0).")]


def migrate(data_dir: DataDirectory = None, wait: Wait = 0) -> None:
    """Bring the database to this version's schema: that of R3EDGE_DATABASE_URL, or the embedded one."""
    applied = run_command(migrate_database(load_settings(data_dir=data_dir), wait))
    print("\n".join(f"applied {revision}" for revision in applied) or "the database is up to date")


async def migrate_database(settings: Settings, timeout_seconds: float = 0) -> list[str]:
    """Migrate the database and return the revisions that were applied.

    A database of the operator's own may take `timeout_seconds` until it answers. The engine may not be running on an
    embedded one; raises `DataDirInUse` then.
    """
    from infra.postgres.migrate import migrate as apply_migrations  # noqa: PLC0415  # other commands start without
    from infra.runtime.backends import database, wait_for_database  # noqa: PLC0415  # as above
    from infra.runtime.data_dir import held_data_dir  # noqa: PLC0415  # as above

    if settings.database_url is not None:
        await wait_for_database(settings.database_url.get_secret_value(), timeout_seconds)
    with held_data_dir(settings) as data_dir:
        async with database(settings, data_dir) as dsn:
            return await apply_migrations(dsn)
