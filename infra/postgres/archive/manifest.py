"""The manifest of the archive in the database: batches, their states and their files."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from asyncpg import Record

from domain.model.archive import ArchivedFile, Batch, BatchState
from infra.postgres.archive.table_sums import TableSum
from infra.postgres.connection import Connection

READABLE: Final = (BatchState.VERIFIED, BatchState.DROPPED, BatchState.RESTORED)
"""The batches whose files queries read. Rows that were restored are read there as well: a snapshot may be older."""
NEEDED: Final = (BatchState.VERIFIED, BatchState.DROPPED)
"""The batches without whose files queries would lack rows, now or within an hour."""

# The time is in the folder's name: a database of which a backup was restored, or another one, overwrites no file.
_BEGIN = """
INSERT INTO archive_batches (source, month, state, folder) VALUES ($1, $2, 'WRITING', concat_ws('/', $1::text,
    to_char($2 AT TIME ZONE 'UTC', 'YYYY-MM'), to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYYMMDD"T"HH24MISSUS')))
RETURNING id, folder"""
# What `ArchivedFile` calls a part is in the column that is named after the first tables' parts: their markets.
_ADD_FILES = """
INSERT INTO archive_files (batch_id, market, name, rows, size_bytes, sha256, first, last, sums)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"""
_VERIFY = """
UPDATE archive_batches SET state = 'VERIFIED', verified_at = now(), rows = $2, fingerprint = $3
WHERE id = $1 AND state = 'WRITING' RETURNING id"""
_FILES = "SELECT market, name, rows, size_bytes, sha256, first, last, sums FROM archive_files"
_LISTED = "FROM archive_batches WHERE ($1::text IS NULL OR source = $1) AND state = ANY($2)"
_READABLE = f"{_FILES} WHERE batch_id IN (SELECT id {_LISTED}) ORDER BY batch_id, name"
# Files that were given up are no longer listed, though their batch is.
_VERSION = f"""
SELECT sum(hashtextextended(concat_ws(' ', id, verified_at), 0))::text
    || ' ' || (SELECT count(*) FROM archive_lost_files)::text {_LISTED}"""
_LAST_DROPPED = """
SELECT name FROM archive_files JOIN archive_batches AS batch ON batch.id = batch_id
WHERE ($1::text IS NULL OR source = $1) AND state = 'DROPPED' ORDER BY batch_id DESC, name LIMIT 1"""
_BATCHES = """
SELECT id, source, month, state, coalesce(batch.rows, 0), begun_at, verified_at, dropped_at, files, size_bytes
FROM archive_batches AS batch
CROSS JOIN LATERAL (
    SELECT count(*) AS files, coalesce(sum(size_bytes), 0)::bigint AS size_bytes
    FROM archive_files WHERE batch_id = batch.id
) AS of_files
WHERE $1::text IS NULL OR source = $1 ORDER BY source, month, id"""
# What ended is still read by those who know an older state of the manifest, until the time of grace is over.
_ABANDONED = """
SELECT id, folder FROM archive_batches WHERE ($1::text IS NULL OR source = $1)
AND (state = 'WRITING' OR (state = 'SUPERSEDED' AND ended_at <= now() - $2::interval)) ORDER BY id"""
_DROPPABLE = """
SELECT id FROM archive_batches
WHERE ($1::text IS NULL OR source = $1) AND state = 'VERIFIED' AND verified_at <= now() - $2::interval
ORDER BY source, month"""
_SUM = "SELECT rows, fingerprint FROM archive_batches WHERE id = $1 AND state = 'VERIFIED' FOR UPDATE"
# A month that was restored is archived again now, so that nothing holds it in the database any longer.
_DROP = """
UPDATE archive_batches SET state = 'DROPPED', dropped_at = coalesce(dropped_at, now()), ended_at = now()
WHERE id = $1 OR (source = $2 AND month = $3 AND state = 'RESTORED')"""


class Manifest:
    """Batches and files of a table, by its name; without one, those of all tables."""

    def __init__(self, connection: Connection, table: str | None = None) -> None:
        self._connection = connection
        self._table = table

    async def begin(self, month: datetime) -> tuple[int, str]:
        """Add a batch of the table that is being written; return its id and the folder of its files."""
        added = await self._connection.fetchrow(_BEGIN, self._table, month)
        assert added is not None
        return added["id"], added["folder"]

    async def verify(self, batch_id: int, files: Sequence[ArchivedFile], fingerprint: Decimal) -> None:
        """Add the files of a batch that was read back: queries read them from now on. In a transaction."""
        rows = sum(file.rows for file in files)
        if await self._connection.fetchval(_VERIFY, batch_id, rows, fingerprint) is None:
            raise RuntimeError(f"Batch {batch_id} of the archive isn't being written any longer.")
        await self._connection.executemany(
            _ADD_FILES,
            [
                (
                    batch_id, file.part, file.name, file.rows, file.size_bytes, file.sha256, file.first, file.last,
                    file.sums,
                )
                for file in files
            ],
        )  # fmt: skip

    async def readable_files(self, states: Sequence[BatchState] = READABLE) -> list[ArchivedFile]:
        """Return the files that queries read, those of later batches last: their rows count."""
        return [_file(row) for row in await self._connection.fetch(_READABLE, self._table, states)]

    async def version(self, states: Sequence[BatchState] = READABLE) -> str | None:
        """Return what is another one whenever `readable_files` are others; None if there are none."""
        found: str | None = await self._connection.fetchval(_VERSION, self._table, states)
        return found

    async def last_dropped_file(self) -> str | None:
        """Return a file of the batch whose rows were dropped last; None if none were."""
        found: str | None = await self._connection.fetchval(_LAST_DROPPED, self._table)
        return found

    async def files(self, batch_id: int) -> list[ArchivedFile]:
        """Return the files of a batch."""
        rows = await self._connection.fetch(f"{_FILES} WHERE batch_id = $1 ORDER BY name", batch_id)
        return [_file(row) for row in rows]

    async def batches(self) -> list[Batch]:
        """Return all batches, by their tables and months."""
        return [
            Batch(id_, source, month, BatchState(state), rows, files, size_bytes, begun_at, verified_at, dropped_at)
            for id_, source, month, state, rows, begun_at, verified_at, dropped_at, files, size_bytes in (
                await self._connection.fetch(_BATCHES, self._table)
            )
        ]

    async def abandoned(self, grace: timedelta) -> list[tuple[int, str]]:
        """Return the batches with their folders whose files nobody reads: those left unfinished, or superseded."""
        rows = await self._connection.fetch(_ABANDONED, self._table, grace)
        return [(row["id"], row["folder"]) for row in rows]

    async def delete(self, batch_id: int) -> None:
        """Delete a batch and its files from the manifest."""
        await self._connection.execute("DELETE FROM archive_batches WHERE id = $1", batch_id)

    async def droppable(self, grace: timedelta) -> list[int]:
        """Return the verified batches that queries have read for as long as `grace`, oldest month first."""
        return [row["id"] for row in await self._connection.fetch(_DROPPABLE, self._table, grace)]

    async def lock_sum(self, batch_id: int) -> TableSum | None:
        """Return the sum of a verified batch's rows, and lock it; None if it isn't verified any longer."""
        found = await self._connection.fetchrow(_SUM, batch_id)
        return None if found is None else TableSum(*found)

    async def drop(self, batch_id: int, month: datetime) -> None:
        """Record that the rows of a batch of the table are in files alone, as are those of earlier ones."""
        await self._connection.execute(_DROP, batch_id, self._table, month)

    async def set_state(self, batch_id: int, state: BatchState) -> None:
        """Record that a batch was restored or superseded."""
        await self._connection.execute(
            "UPDATE archive_batches SET state = $2, ended_at = now() WHERE id = $1", batch_id, state
        )


def _file(row: Record) -> ArchivedFile:
    part, name, rows, size_bytes, sha256, first, last, sums = row
    return ArchivedFile(part, name, rows, size_bytes, sha256, first, last, tuple(sums))
