"""Checks the archive: whether it is reached and can be written, and whether what was written last is there."""

import asyncio
import hashlib
import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Final
from uuid import uuid4

from domain.core.errors import Unavailable
from domain.model.archive import BatchState
from domain.ports.archive import ArchiveStorage, ArchiveUnreadable
from infra.daemon_thread import in_daemon_thread
from infra.doctor.findings import Finding, error, ok, skipped
from infra.postgres.archive.manifest import NEEDED, Manifest
from infra.postgres.connection import Connection
from infra.runtime.archive import archive_storage, is_far
from infra.settings import Settings

_PLACE: Final = "archive.place"
_FILES: Final = "archive.files"
_PROBE: Final = "r3edge-doctor"


async def check_archive(settings: Settings, limit_seconds: float) -> Sequence[Finding]:
    """Return whether files can be written and read: in S3 one is, and is deleted again; a folder is looked at."""
    storage = archive_storage(settings)
    if storage is None or settings.archive is None:
        return [skipped(_PLACE, "R3EDGE_ARCHIVE isn't set: old months stay in the database")]
    if not is_far(settings):
        return [await in_daemon_thread(partial(_check_folder, settings.archive))]
    try:
        async with asyncio.timeout(limit_seconds):
            return [await _check_writing(storage, settings.archive)]
    except (Unavailable, TimeoutError) as failed:
        reason = failed.message if isinstance(failed, Unavailable) else f"no answer within {limit_seconds:g} s"
        advice = "compare R3EDGE_ARCHIVE, R3EDGE_ARCHIVE_S3_… and what the key may do; queries of old months fail"
        return [error(_PLACE, reason, advice)]


async def check_archived_files(connection: Connection, settings: Settings) -> Sequence[Finding]:
    """Return whether a file of the month of each table that left the database last is there, as it was written."""
    manifest = Manifest(connection)
    needed = [batch for batch in await manifest.batches() if batch.state in NEEDED and batch.rows]
    storage = archive_storage(settings)
    if not needed:
        return [skipped(_FILES, "nothing is archived")]
    if storage is None:
        advice = "set R3EDGE_ARCHIVE to the folder or S3 where the other nodes have it"
        return [error(_FILES, f"{sum(batch.files for batch in needed):,} files are archived, and needed", advice)]
    newest = {batch.table: batch for batch in needed if batch.state is BatchState.DROPPED}
    for batch in newest.values():
        for file in (await manifest.files(batch.id))[:1]:
            try:
                content = await storage.read(file.name)
            except ArchiveUnreadable as unreadable:
                advice = "is this the archive of this database? bring the file back from a backup; verify checks all"
                return [error(_FILES, unreadable.message, advice)]
            except Unavailable as unavailable:
                return [error(_FILES, unavailable.message, "queries of old months fail until it is reached")]
            if hashlib.sha256(content).hexdigest() != file.sha256:
                advice = "bring the file back from a backup; `r3edge archive verify` checks all"
                return [error(_FILES, f"{file.name} isn't what was written", advice)]
    return [ok(_FILES, f"{sum(batch.files for batch in needed):,} files are listed, and the newest are as written")]


def _check_folder(archive: str) -> Finding:
    folder = Path(archive).expanduser().absolute()
    advice = "mount or make it, with this user as its owner; all nodes must see the same folder"
    if not folder.is_dir():
        return error(_PLACE, f"{folder} is no folder", advice)
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        return error(_PLACE, f"this user may not read and write in {folder}", advice)
    return ok(_PLACE, f"{folder} can be read and written")


async def _check_writing(storage: ArchiveStorage, archive: str) -> Finding:
    folder, content = f"{_PROBE}/{uuid4()}", b"written and deleted by r3edge doctor"
    await storage.write(f"{folder}/probe", content)
    back = await storage.read(f"{folder}/probe")
    await storage.delete_folder(folder)
    if back != content:
        return error(_PLACE, f"{archive} returns something else than was written", "don't archive anything there")
    return ok(_PLACE, f"{archive} can be written, read and deleted from")
