"""The archive of the settings: where its files are, for queries and for those who archive."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from domain.core.clock import Clock
from domain.core.errors import Unavailable
from domain.model.archive import boundary
from domain.ports.archive import ArchiveStorage
from infra.archive_storage.folder import FolderStorage
from infra.archive_storage.s3 import S3Access, S3Storage
from infra.postgres.archive.archives import Archives
from infra.postgres.archive.lock import ArchiveBusy
from infra.postgres.archive.manifest import NEEDED, Manifest
from infra.postgres.connection import Connection
from infra.postgres.pool import Pool, close_pool, create_pool
from infra.postgres.transaction_connection import acquire, release
from infra.s3_address import S3Address
from infra.settings import Settings

if TYPE_CHECKING:
    from infra.postgres.archive.archiver import Archiver

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


def archive_storage(settings: Settings) -> ArchiveStorage | None:
    """Return where the settings keep archived files; None if they name no archive."""
    if settings.archive is None:
        return None
    if not settings.archive.startswith("s3://"):
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


async def open_archives(settings: Settings, pool: Pool) -> Archives:
    """Return what is archived, for queries; raises `ArchiveNotSet`.

    If the settings name no archive, what other nodes archive later can't be read.
    """
    storage = archive_storage(settings)
    if storage is not None:
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
async def archiver_of(settings: Settings, dsn: str) -> AsyncGenerator["Archiver | None"]:
    """Give what archives, on a connection of its own; None if the settings name no archive."""
    storage = archive_storage(settings)
    if storage is None:
        yield None
        return
    from infra.postgres.archive.archiver import Archiver  # noqa: PLC0415  # pyarrow takes a second and 50 MB

    pool = await create_pool(dsn, init_size=1, max_size=1, command_timeout_seconds=STATEMENT_SECONDS)
    try:
        yield Archiver(pool, storage)
    finally:
        await close_pool(pool)


async def archive_hourly(archiver: "Archiver", clock: Clock, retention_months: int) -> None:
    """Archive once an hour. Every worker may: one at a time does, and months that another has archived are no error."""
    while True:
        try:
            await archiver.run(boundary(clock.now(), retention_months))
        except ArchiveBusy:
            log.debug("another node archives")
        except Unavailable as error:
            log.warning("old months could not be archived: %s", error.message)
            await asyncio.sleep(RETRY_SECONDS)
            continue
        except Exception:
            log.exception("old months could not be archived; it is tried again in an hour")
        await asyncio.sleep(HOUR_SECONDS)
