"""The ports of reports' files: where they are stored, and who writes them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, Protocol
from uuid import UUID

from domain.model.fill_lines import FillLines
from domain.model.report_documents import ReportDocument
from domain.model.reports import ReportFile, ReportFormat

TABLE_FORMATS: Final = (ReportFormat.CSV, ReportFormat.PARQUET)


class ReportFiles(Protocol):
    """Stores the files of reports in pieces."""

    async def add_piece(self, report_id: UUID, run_id: UUID, format: ReportFormat, number: int, data: bytes) -> None:
        """Store a piece of a file that a run of the job makes; the first has the number 0."""
        ...

    async def complete(self, report_id: UUID, files: Sequence[ReportFile]) -> None:
        """Store that the files are complete, and delete the pieces of other runs."""
        ...

    async def of_reports(self, report_ids: Sequence[UUID]) -> list[ReportFile]:
        """Return the complete files of the reports."""
        ...

    async def get(self, file_id: UUID) -> tuple[ReportFile, datetime, UUID] | None:
        """Return a complete file, and when its report was requested and by which user; None if there is none."""
        ...

    async def piece(self, file: ReportFile, number: int) -> bytes | None:
        """Return a piece of a complete file; None after the last."""
        ...

    async def delete_before(self, before: datetime, limit: int) -> int:
        """Delete the files and all pieces of at most `limit` reports requested before then; return of how many."""
        ...


class TableWriter(Protocol):
    """Writes the tables of a report into an archive of each format, in parts, so that none is whole in memory."""

    def add_fills(self, fills: FillLines) -> None:
        """Add rows to the table of fills."""
        ...

    def close(self) -> None:
        """Write the ends of the archives."""
        ...

    def pending_bytes(self, format: ReportFormat) -> int:
        """Return how much `take` would return."""
        ...

    def take(self, format: ReportFormat) -> bytes:
        """Return what has been written of an archive since it was last called."""
        ...


class ReportWriter(Protocol):
    """Writes the files of reports."""

    def page(self, document: ReportDocument) -> bytes:
        """Return a page for reading."""
        ...

    def tables(self, document: ReportDocument) -> TableWriter:
        """Begin the archives of tables, one of each of `TABLE_FORMATS`; fills are still to be added."""
        ...
