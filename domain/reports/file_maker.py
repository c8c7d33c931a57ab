"""Makes the files of a report while its job runs, in pieces, so that many fills take no more memory than few."""

import asyncio
from collections.abc import Callable
from typing import Final
from uuid import UUID

from domain.core.clock import IdGenerator
from domain.model.fill_lines import FillPlace
from domain.model.report_documents import ReportDocument
from domain.model.reports import ReportFile, ReportFormat
from domain.ports.orders import OrderFilter
from domain.ports.report_files import TABLE_FORMATS, ReportWriter, TableWriter
from domain.ports.unit_of_work import Database

FILLS_AT_ONCE: Final = 10_000
PIECE_BYTES: Final = 256 * 1024

Progress = Callable[[float], None]


class ReportFileMaker:
    """Writes the files of reports, and stores their pieces."""

    def __init__(
        self, database: Database, writer: ReportWriter, ids: IdGenerator, fills_at_once: int = FILLS_AT_ONCE
    ) -> None:
        self._database = database
        self._writer = writer
        self._ids = ids
        self._fills_at_once = fills_at_once

    async def make(
        self, document: ReportDocument, selections: list[OrderFilter], fills: int, progress: Progress
    ) -> list[ReportFile]:
        """Return the files, whose pieces are stored; `selections` are those of the fills, of which there are so many.

        They are complete once `ReportFiles.complete` has stored so.
        """
        run = _Run(self._database, document.report.id, self._ids.next_id())
        page = await asyncio.to_thread(self._writer.page, document)
        files = [await run.stored(self._ids.next_id(), ReportFormat.HTML, page)]
        tables = await asyncio.to_thread(self._writer.tables, document)
        done = 0
        for selection in selections:
            after: FillPlace | None = None
            while True:
                async with self._database.read_only() as reading:
                    lines = await reading.reports.fill_lines(
                        document.report.user_id, selection, after, self._fills_at_once
                    )
                await asyncio.to_thread(tables.add_fills, lines)
                await run.store_pending(tables)
                done += lines.count
                progress(min(done / max(fills, 1), 1.0))
                if lines.count < self._fills_at_once:
                    break
                after = lines.last
        await asyncio.to_thread(tables.close)
        files += [await run.stored(self._ids.next_id(), kind, tables.take(kind)) for kind in TABLE_FORMATS]
        return files


class _Run:
    """What one run of the job has stored so far."""

    def __init__(self, database: Database, report_id: UUID, run_id: UUID) -> None:
        self._database = database
        self._report_id = report_id
        self._run_id = run_id
        self._pieces: dict[ReportFormat, int] = {}
        self._bytes: dict[ReportFormat, int] = {}

    async def store_pending(self, tables: TableWriter) -> None:
        """Store what has been written of archives, once it is enough for a piece."""
        for kind in TABLE_FORMATS:
            if tables.pending_bytes(kind) >= PIECE_BYTES:
                await self._store(kind, tables.take(kind))

    async def stored(self, file_id: UUID, format: ReportFormat, data: bytes) -> ReportFile:
        """Store the end of a file, and return the file."""
        for start in range(0, len(data), PIECE_BYTES):
            await self._store(format, data[start : start + PIECE_BYTES])
        return ReportFile(file_id, self._report_id, format, self._run_id, self._bytes.get(format, 0))

    async def _store(self, format: ReportFormat, data: bytes) -> None:
        number = self._pieces.get(format, 0)
        async with self._database.transaction() as transaction:
            await transaction.report_files.add_piece(self._report_id, self._run_id, format, number, data)
        self._pieces[format] = number + 1
        self._bytes[format] = self._bytes.get(format, 0) + len(data)
