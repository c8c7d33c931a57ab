"""Files of the archive that nothing names: what is left of a database that was restored, or of a write that came late.

They cost space, and no query reads them. A file is kept as long as anything may need it: the manifest names it, its
batch is being written or is deleted by the next run, or it is young.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from typing import Final

from domain.model.archive import BatchState
from domain.ports.archive import ArchiveStorage, StoredFile
from infra.postgres.archive.lock import locked_archive
from infra.postgres.archive.tables import TABLE_NAMES
from infra.postgres.connection import Connection
from infra.postgres.pool import Pool
from infra.postgres.transaction_connection import acquire, release

log = logging.getLogger(__name__)

LEAST_AGE: Final = timedelta(days=1)
"""No younger file is removed: longer than any write takes, and than clocks of node and archive differ."""
_ACQUIRE_SECONDS: Final = 10.0
_NAMES: Final = "SELECT name FROM archive_files"
# Of these a run deletes all: the batches that are being written, or whose time of grace isn't over.
_FOLDERS: Final = f"""
SELECT folder FROM archive_batches WHERE state IN ('{BatchState.WRITING}', '{BatchState.SUPERSEDED}')
UNION ALL SELECT folder FROM archive_deletions"""


class AnotherArchive(Exception):
    """The archive has no file that the manifest names, so that what it has may all be somebody else's."""

    def __init__(self) -> None:
        super().__init__("none of this database's archived files are there: R3EDGE_ARCHIVE names another archive")


async def find_orphans(pool: Pool, storage: ArchiveStorage) -> list[StoredFile]:
    """Return the files that nothing names, by their names; raises `Unavailable`."""
    driver = await acquire(pool, _ACQUIRE_SECONDS)
    try:
        return (await _orphans(Connection(driver), storage))[0]
    finally:
        await release(pool, driver)


async def sweep_orphans(
    pool: Pool, storage: ArchiveStorage, before: datetime, confirm: Callable[[Sequence[StoredFile]], None]
) -> list[StoredFile]:
    """Delete the files that nothing names and that were written before a time, and return them.

    `before` must be `LEAST_AGE` ago or more. `confirm` may raise to leave all as it is. What is interrupted is done by
    the next one. Raises `AnotherArchive`, `ArchiveBusy` and `Unavailable`.
    """
    async with locked_archive(pool) as driver:
        orphans, has_own = await _orphans(Connection(driver), storage)
        old = [file for file in orphans if file.written_at < before]
        if old and not has_own:
            raise AnotherArchive
        if old:
            confirm(old)
        for file in old:
            await storage.delete(file.name)
            log.info("a file of the archive that nothing names was deleted: %s", file.name)
        return old


async def _orphans(connection: Connection, storage: ArchiveStorage) -> tuple[list[StoredFile], bool]:
    """Return the files that nothing names, and whether any is there that the manifest does name.

    What is there is listed first: anybody who writes a file meanwhile has named its folder before.
    """
    files = [file for table in TABLE_NAMES for file in await storage.list_files(table)]
    names = {row["name"] for row in await connection.fetch(_NAMES)}
    folders = {row["folder"] for row in await connection.fetch(_FOLDERS)}
    orphans = await asyncio.to_thread(_without_named, files, names, folders)
    return orphans, any(file.name in names for file in files)


def _without_named(files: Sequence[StoredFile], names: Collection[str], folders: Collection[str]) -> list[StoredFile]:
    def is_named(name: str) -> bool:
        parts = name.split("/")
        return name in names or any("/".join(parts[:count]) in folders for count in range(1, len(parts)))

    return sorted((file for file in files if not is_named(file.name)), key=lambda file: file.name)
