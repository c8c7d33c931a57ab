"""The ports of reports' files: where they are stored, and who writes them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from domain.model.orders import Fill
from domain.model.report_documents import ReportDocument
from domain.model.reports import ReportFile, ReportFormat


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
    """Writes the tables of a report into an archive, a part at a time, so that it is never whole in memory."""

    def add_fills(self, fills: Sequence[Fill]) -> None:
        """Add rows to the table of fills."""
        ...

    def close(self) -> None:
        """Write the end of the archive."""
        ...

    @property
    def pending_bytes(self) -> int:
        """How much `take` would return."""
        ...

    def take(self) -> bytes:
        """Return what has been written since it was last called."""
        ...


class ReportWriter(Protocol):
    """Writes the files of reports."""

    def page(self, document: ReportDocument) -> bytes:
        """Return a page for reading."""
        ...

    def tables(self, document: ReportDocument, format: ReportFormat) -> TableWriter:
        """Begin an archive of tables in CSV or PARQUET; fills are still to be added."""
        ...
