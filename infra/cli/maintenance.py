"""What an operator does while the engine may be standing still: migrate, promote."""

from domain.core.validation import normalise_email
from domain.model.users import UserRole
from infra.postgres.migrate import migrate
from infra.runtime.backends import database, open_backends, wait_for_database
from infra.runtime.data_dir import DataDir
from infra.settings import Settings


async def migrate_database(settings: Settings, timeout_seconds: float = 0) -> list[str]:
    """Bring the database to this version's schema and return the revisions that were applied.

    A database of the operator's own may take `timeout_seconds` until it answers.
    """
    if settings.database_url is not None:
        await wait_for_database(settings.database_url.get_secret_value(), timeout_seconds)
    data_dir = DataDir.hold(settings.data_dir) if settings.database_url is None else None
    try:
        async with database(settings, data_dir) as dsn:
            return await migrate(dsn)
    finally:
        if data_dir is not None:
            data_dir.release()


async def promote_user(settings: Settings, email: str) -> bool:
    """Make a user an operator; False where nobody has that email."""
    data_dir = DataDir.hold(settings.data_dir) if settings.database_url is None else None
    try:
        async with (
            database(settings, data_dir) as dsn,
            open_backends(settings, dsn) as base,
            base.database.transaction() as transaction,
        ):
            return await transaction.users.set_role(normalise_email(email), UserRole.OPERATOR) is not None
    finally:
        if data_dir is not None:
            data_dir.release()
