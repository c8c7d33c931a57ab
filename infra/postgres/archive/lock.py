"""The lock of the one who writes to the archive: nodes and commands archive, clean up and restore one at a time."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from infra.postgres.connection import Connection, DriverConnection
from infra.postgres.pool import Pool
from infra.postgres.transaction_connection import acquire, release

_ACQUIRE_SECONDS: Final = 10.0
_LOCK: Final = 7_235_843_403
"""The key of the advisory lock. It ends with the connection, over which all steps run."""


class ArchiveBusy(Exception):
    """Somebody else archives or restores at this moment."""

    def __init__(self) -> None:
        super().__init__("another node or command is archiving or restoring; try again later")


@asynccontextmanager
async def locked_archive(pool: Pool) -> AsyncIterator[DriverConnection]:
    """Give the connection on which the archive may be changed until the block ends; raises `ArchiveBusy`."""
    driver = await acquire(pool, _ACQUIRE_SECONDS)
    try:
        if not await Connection(driver).fetchval("SELECT pg_try_advisory_lock($1)", _LOCK):
            raise ArchiveBusy
        try:
            yield driver
        finally:
            if not driver.is_closed():
                await driver.execute("ROLLBACK; SELECT pg_advisory_unlock_all()")
    finally:
        await release(pool, driver)
