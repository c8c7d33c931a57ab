"""Erases users from the archive: files that have events of erased users are replaced by others that lack them.

Which users are erased is known from their rows, so an erasure can't be forgotten: it is tried again until no file has
events of the user but those of orders, which stay as in the database. Each step can be the last one before a crash:
what is to be deleted is stored before it is needed, and files are deleted before what names them.
"""

import asyncio
import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final
from uuid import UUID

import polars as pl

from domain.ports.archive import ArchiveStorage, ArchiveUnreadable
from infra.postgres.archive.events.event_file import event_file, read_event_file, without_personal
from infra.postgres.connection import Connection

log = logging.getLogger(__name__)

_FILES: Final = """
SELECT month, name, sha256, user_ids, to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYYMMDD"T"HH24MISSUS') AS now
FROM (
    SELECT name, array_agg(part.user_id) AS user_ids FROM users JOIN archived_event_parts AS part ON user_id = users.id
    WHERE erased_at IS NOT NULL AND part.rows > order_rows GROUP BY name
) AS personal JOIN archive_files USING (name) JOIN archive_batches AS batch ON batch.id = batch_id ORDER BY name"""
_PENDING: Final = """
SELECT count(DISTINCT part.user_id) FROM users JOIN archived_event_parts AS part ON user_id = users.id
WHERE erased_at IS NOT NULL AND part.rows > order_rows"""
_DELETE_LATER: Final = "INSERT INTO archive_deletions (folder) VALUES ($1) ON CONFLICT DO NOTHING"
_DELETED: Final = "DELETE FROM archive_deletions WHERE folder = $1"
_ADD_FILE: Final = """
INSERT INTO archive_files (name, batch_id, market, rows, size_bytes, sha256, first, last, sums)
SELECT $2, batch_id, market, $3, $4, $5, first, last, $6 FROM archive_files WHERE name = $1"""
_ADD_PARTS: Final = """
INSERT INTO archived_event_parts (name, user_id, rows, order_rows, hash, order_hash, first_sequence, last_sequence,
    last_at, first_order_id, last_order_id)
SELECT $2, user_id, CASE WHEN is_erased THEN order_rows ELSE rows END, order_rows,
    CASE WHEN is_erased THEN order_hash ELSE hash END, order_hash, first_sequence, last_sequence, last_at,
    first_order_id, last_order_id
FROM archived_event_parts CROSS JOIN LATERAL (SELECT user_id = ANY($3::uuid[]) AS is_erased) AS erased
WHERE name = $1 AND NOT (is_erased AND order_rows = 0)"""
_COUNT_ROWS: Final = """
UPDATE archive_batches SET rows = (SELECT coalesce(sum(rows), 0) FROM archive_files WHERE batch_id = archive_batches.id)
WHERE id = (SELECT batch_id FROM archive_files WHERE name = $1)"""
_REMOVE_FILE: Final = """
WITH removed AS (DELETE FROM archive_files WHERE name = $1 RETURNING batch_id, rows)
UPDATE archive_batches SET rows = archive_batches.rows - removed.rows FROM removed WHERE id = removed.batch_id"""


class ErasureStep(StrEnum):
    """After what an erasure in the archive can be interrupted; for tests."""

    INTENDED = "INTENDED"
    REWRITTEN = "REWRITTEN"
    REPLACED = "REPLACED"
    FILE_DELETED = "FILE_DELETED"


@dataclass(frozen=True, slots=True)
class NotErased:
    """A file of a month that has events of erased users still, and why."""

    month: datetime
    error: str


@dataclass(frozen=True, slots=True)
class _File:
    month: datetime
    name: str
    sha256: str
    user_ids: tuple[UUID, ...]
    now: str

    @property
    def folder(self) -> str:
        """The folder that has nothing but this file."""
        return self.name.rpartition("/")[0]

    @property
    def next_folder(self) -> str:
        """The folder of the file that takes its place."""
        return f"{self.folder.partition('-erased-')[0]}-erased-{self.now}"


async def pending_erasures(connection: Connection) -> int:
    """Return of how many erased users there are events in the archive."""
    found: int = await connection.fetchval(_PENDING)
    return found


class ArchiveErasure:
    """Erases from the archive, on the connection that has its lock."""

    def __init__(
        self,
        connection: Connection,
        storage: ArchiveStorage,
        on_step: Callable[[ErasureStep], None] = lambda _step: None,
    ) -> None:
        self._connection = connection
        self._storage = storage
        self._on_step = on_step

    async def run(self) -> list[NotErased]:
        """Replace all files that have events of erased users; return those that could not be read.

        Raises `Unavailable` if the storage is away: what is left is done by the next run.
        """
        await self.delete_replaced()
        failed: list[NotErased] = []
        for row in await self._connection.fetch(_FILES):
            file = _File(row["month"], row["name"], row["sha256"], tuple(row["user_ids"]), row["now"])
            try:
                await self._replace(file)
            except ArchiveUnreadable as error:
                log.error("events of erased users are still in the archive: %s", error.message)  # noqa: TRY400  # said in full
                failed.append(NotErased(file.month, error.message))
        return failed

    async def delete_replaced(self) -> None:
        """Delete the files that were replaced, and those of an erasure that was interrupted."""
        for row in await self._connection.fetch("SELECT folder FROM archive_deletions ORDER BY folder"):
            await self._storage.delete_folder(row["folder"])
            self._on_step(ErasureStep.FILE_DELETED)
            await self._connection.execute(_DELETED, row["folder"])

    async def _replace(self, file: _File) -> None:
        content = await self._storage.read(file.name)
        rows = await asyncio.to_thread(_rows_without, file, content)
        if rows.is_empty():
            await self._remove(file)
        else:
            await self._rewrite(file, rows)
        self._on_step(ErasureStep.REPLACED)
        await self.delete_replaced()
        log.info("events of %d erased users were removed from %s", len(file.user_ids), file.name)

    async def _remove(self, file: _File) -> None:
        async with self._connection.in_transaction():
            await self._connection.execute(_REMOVE_FILE, file.name)
            await self._connection.execute(_DELETE_LATER, file.folder)

    async def _rewrite(self, file: _File, rows: pl.DataFrame) -> None:
        name = f"{file.next_folder}/{file.name.rpartition('/')[2]}"
        await self._connection.execute(_DELETE_LATER, file.next_folder)
        self._on_step(ErasureStep.INTENDED)
        content = await asyncio.to_thread(event_file, rows)
        await self._storage.write(name, content)
        back = await self._storage.read(name)
        if not await asyncio.to_thread(lambda: read_event_file(back).equals(rows)):
            raise ArchiveUnreadable(f"The archive's file {name} isn't what was written.")
        self._on_step(ErasureStep.REWRITTEN)
        sha256, sums = hashlib.sha256(content).hexdigest(), [sum_of_sequences(rows)]
        async with self._connection.in_transaction():
            await self._connection.execute(_ADD_FILE, file.name, name, rows.height, len(content), sha256, sums)
            await self._connection.execute(_ADD_PARTS, file.name, name, list(file.user_ids))
            await self._connection.execute("DELETE FROM archive_files WHERE name = $1", file.name)
            await self._connection.execute(_COUNT_ROWS, name)
            await self._connection.execute(_DELETED, file.next_folder)
            await self._connection.execute(_DELETE_LATER, file.folder)


def sum_of_sequences(rows: pl.DataFrame) -> Decimal:
    """Return the sum by which a file is compared with the manifest."""
    return Decimal(sum(rows["sequence"].to_list()))  # exact: those of a restored database are too large for 64 bits


def _rows_without(file: _File, content: bytes) -> pl.DataFrame:
    if hashlib.sha256(content).hexdigest() != file.sha256:
        raise ArchiveUnreadable(f"The archive's file {file.name} isn't what was written: it is damaged.")
    return without_personal(read_event_file(content), file.user_ids)
