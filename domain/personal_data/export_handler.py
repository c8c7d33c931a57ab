"""Makes exports as jobs: a zip archive with a file of JSON lines for each kind of data."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Final
from uuid import UUID

from domain.core.archive import Archive
from domain.core.clock import Clock, IdGenerator
from domain.jobs.handler import JobFailed, JobOutcome, JobRun
from domain.model.data_exports import DataExport
from domain.model.events import NewEvent
from domain.model.jobs import JobKind
from domain.ports.unit_of_work import Database, UnitOfWork

EXPORTS_KEPT: Final = timedelta(days=7)
ROWS_AT_ONCE: Final = 1_000
PIECE_BYTES: Final = 256 * 1024
README: Final = (
    "All that this engine stores about you, but for passwords, secrets and their hashes.",
    "",
    "One file for each table, with an object in JSON on each line (https://jsonlines.org). Times have an offset from",
    "UTC. Amounts are exact: read them as decimals, not as floating-point numbers. Ids lead from one file to another.",
)


class ExportHandler:
    """Makes exports; see `domain.jobs.handler.JobHandler`. What it has in memory doesn't grow with the data."""

    kind = JobKind.DATA_EXPORT

    def __init__(
        self,
        database: Database,
        clock: Clock,
        ids: IdGenerator,
        rows_at_once: int = ROWS_AT_ONCE,
        piece_bytes: int = PIECE_BYTES,
    ) -> None:
        self._database = database
        self._clock = clock
        self._ids = ids
        self._rows_at_once = rows_at_once
        self._piece_bytes = piece_bytes

    async def run(self, run: JobRun) -> JobOutcome:
        """Make the archive of the job."""
        async with self._database.read_only() as reading:
            export = await reading.data_exports.of_job(run.job.id)
            tables = reading.personal_data.tables()
        if export is None:
            raise JobFailed("The export is gone.")
        made = _Made(self._database, export, self._ids.next_id(), Archive(self._clock.now()))
        made.archive.begin("README.txt")
        made.archive.write(README)
        for number, table in enumerate(tables, start=1):
            made.archive.begin(f"{table}.jsonl")
            await self._write_table(made, table)
            run.report(number / len(tables))
        made.archive.close()
        await made.store_piece()

        async def store(transaction: UnitOfWork) -> Sequence[NewEvent]:
            expires_at = self._clock.now() + EXPORTS_KEPT
            await transaction.data_exports.complete(export.id, made.run_id, made.size_bytes, expires_at)
            return []

        return JobOutcome(f"{made.rows:,} rows, {made.size_bytes:,} bytes", store)

    async def _write_table(self, made: "_Made", table: str) -> None:
        after: str | None = None
        while True:
            async with self._database.read_past(made.export.created_at) as reading:
                rows = await reading.personal_data.rows(made.export.user_id, table, after, self._rows_at_once)
            # In a thread, since compressing takes milliseconds that others wait for.
            await asyncio.to_thread(made.archive.write, rows)
            made.rows += len(rows)
            if made.archive.pending_bytes >= self._piece_bytes:
                await made.store_piece()
            if len(rows) < self._rows_at_once:
                return
            after = rows[-1]


class _Made:
    """What has been made of an archive so far."""

    def __init__(self, database: Database, export: DataExport, run_id: UUID, archive: Archive) -> None:
        self.export = export
        self.run_id = run_id
        self.archive = archive
        self.rows = 0
        self.size_bytes = 0
        self._database = database
        self._pieces = 0

    async def store_piece(self) -> None:
        """Store what was written since the last piece."""
        data = self.archive.take()
        async with self._database.transaction() as transaction:
            await transaction.data_exports.add_piece(self.export.id, self.run_id, self._pieces, data)
        self._pieces += 1
        self.size_bytes += len(data)
