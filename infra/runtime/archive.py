"""The archive of the settings: where its files are, for queries and for those who archive."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from domain.core.clock import Clock
from domain.core.errors import Unavailable
from domain.model.archive import boundary
from domain.ports.archive import ArchiveStorage
from infra.archive_storage.activity import ArchiveActivity, CountedStorage, TableTotal
from infra.archive_storage.folder import FolderStorage
from infra.archive_storage.local_copies import LocalCopies
from infra.archive_storage.s3 import S3Access, S3Storage
from infra.postgres.archive.archives import Archives
from infra.postgres.archive.lock import ArchiveBusy
from infra.postgres.archive.manifest import NEEDED, READABLE, Manifest
from infra.postgres.archive.tables import TABLE_NAMES
from infra.postgres.connection import Connection
from infra.postgres.pool import Pool, close_pool, create_pool
from infra.postgres.transaction_connection import acquire, release
from infra.s3_address import S3Address
from infra.settings import Settings

if TYPE_CHECKING:
    from infra.postgres.archive.archivers import Archivers

log = logging.getLogger(__name__)

HOUR_SECONDS: Final = 3_600.0
RETRY_SECONDS: Final = 60.0
STATEMENT_SECONDS: Final = 3_600.0
"""Time allowed to a statement that reads a month."""
_ACQUIRE_SECONDS: Final = 10.0


class ArchiveNotSet(Exception):
    """Rows are in an archive that the settings don't name, so that queries would lack them."""

    def __init__(self, files: int) -> None:
        super().__init__(f"a part of this database is in an archive of {files} files: set R3EDGE_ARCHIVE to its place")


def archive_storage(settings: Settings, activity: ArchiveActivity | None = None) -> ArchiveStorage | None:
    """Return where the settings keep archived files; None if they name no archive."""
    storage = _storage(settings)
    return None if storage is None else CountedStorage(storage, activity or ArchiveActivity())


def is_far(settings: Settings) -> bool:
    """Return whether the archive is in S3."""
    return settings.archive is not None and settings.archive.startswith("s3://")


def boundaries(settings: Settings, now: datetime) -> dict[str, datetime]:
    """Return for each table the start of the oldest month that stays in the database."""
    return {table: boundary(now, settings.months_kept(table)) for table in TABLE_NAMES}


def _storage(settings: Settings) -> ArchiveStorage | None:
    if settings.archive is None:
        return None
    if not is_far(settings):
        return FolderStorage(Path(settings.archive).expanduser().absolute())
    return S3Storage(
        S3Access(
            S3Address.parse(settings.archive),
            settings.archive_s3_endpoint,
            settings.archive_s3_region,
            settings.archive_s3_access_key,
            settings.archive_s3_secret_key,
            settings.archive_s3_path_style,
        )
    )


async def open_archives(settings: Settings, pool: Pool, activity: ArchiveActivity | None = None) -> Archives:
    """Return what is archived, for queries; raises `ArchiveNotSet`.

    If the settings name no archive, what other nodes archive later can't be read.
    """
    activity = activity or ArchiveActivity()
    storage = archive_storage(settings, activity)
    if storage is not None:
        if is_far(settings) and settings.archive_cache_mb:
            folder = settings.data_dir.expanduser().absolute() / "archive-copies"
            storage = LocalCopies(storage, folder, settings.archive_cache_mb * 1_000_000, activity)
        return Archives.of(storage)
    driver = await acquire(pool, _ACQUIRE_SECONDS)
    try:
        files = len(await Manifest(Connection(driver)).readable_files(NEEDED))
    finally:
        await release(pool, driver)
    if files:
        raise ArchiveNotSet(files)
    return Archives()


@asynccontextmanager
async def archiver_of(settings: Settings, dsn: str, activity: ArchiveActivity) -> AsyncGenerator["Archivers | None"]:
    """Give what archives, on a connection of its own; None if the settings name no archive."""
    storage = archive_storage(settings, activity)
    if storage is None:
        yield None
        return
    from infra.postgres.archive.archivers import Archivers  # noqa: PLC0415  # pyarrow takes a second and 50 MB

    pool = await create_pool(dsn, init_size=1, max_size=1, command_timeout_seconds=STATEMENT_SECONDS)
    try:
        yield Archivers(pool, storage)
    finally:
        await close_pool(pool)


async def archive_hourly(archiver: "Archivers", clock: Clock, settings: Settings, activity: ArchiveActivity) -> None:
    """Archive once an hour. Every worker may: one at a time does, and months that another has archived are no error."""
    activity.last_success = clock.now()
    while True:
        pause_seconds = HOUR_SECONDS
        try:
            await archive_once(archiver, clock, settings, activity)
        except ArchiveBusy:
            log.debug("another node archives")
        except Unavailable as error:
            log.warning("old months could not be archived: %s", error.message)
            activity.last_failure = clock.now()
            pause_seconds = RETRY_SECONDS
        except Exception:
            log.exception("old months could not be archived; it is tried again in an hour")
            activity.last_failure = clock.now()
        await asyncio.sleep(pause_seconds)


async def archive_once(archiver: "Archivers", clock: Clock, settings: Settings, activity: ArchiveActivity) -> None:
    """Archive what is due, and note how it ended and what is archived now."""
    result = await archiver.run(boundaries(settings, clock.now()))
    if result.failed:
        activity.last_failure = clock.now()
    else:
        activity.last_success = clock.now()
    totals = {table: TableTotal() for table in TABLE_NAMES}
    for batch in await archiver.batches():
        if batch.state in READABLE:
            total = totals.setdefault(batch.table, TableTotal())
            total.files += batch.files
            total.rows += batch.rows
            total.size_bytes += batch.size_bytes
    activity.totals = totals
