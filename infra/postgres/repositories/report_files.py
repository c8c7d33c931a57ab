"""Files of reports in PostgreSQL."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from domain.model.reports import ReportFile, ReportFormat
from infra.postgres.repositories.base import Repository
from infra.postgres.rows.columns import members_by_value

_COLUMNS = "id, report_id, format, run_id, size_bytes"
_FORMATS = members_by_value(ReportFormat)
_DELETE = """
WITH old AS (
    SELECT id FROM reports WHERE created_at < $1
    AND (EXISTS (SELECT FROM report_files WHERE report_id = reports.id)
        OR EXISTS (SELECT FROM report_file_pieces WHERE report_id = reports.id)) LIMIT $2
), files AS (DELETE FROM report_files WHERE report_id IN (SELECT id FROM old)),
pieces AS (DELETE FROM report_file_pieces WHERE report_id IN (SELECT id FROM old))
SELECT count(*) FROM old"""


class PostgresReportFiles(Repository):
    """See `domain.ports.report_files.ReportFiles`."""

    async def add_piece(self, report_id: UUID, run_id: UUID, format: ReportFormat, number: int, data: bytes) -> None:
        query = "INSERT INTO report_file_pieces (report_id, run_id, format, number, data) VALUES ($1, $2, $3, $4, $5)"
        await self._connection.execute(query, report_id, run_id, format.value, number, data)

    async def complete(self, report_id: UUID, files: Sequence[ReportFile]) -> None:
        await self._connection.execute("DELETE FROM report_files WHERE report_id = $1", report_id)
        query = f"INSERT INTO report_files ({_COLUMNS}) VALUES ($1, $2, $3, $4, $5)"
        for file in files:
            await self._connection.execute(
                query, file.id, file.report_id, file.format.value, file.run_id, file.size_bytes
            )
        query = "DELETE FROM report_file_pieces WHERE report_id = $1 AND run_id <> ALL($2)"
        await self._connection.execute(query, report_id, [file.run_id for file in files])

    async def of_reports(self, report_ids: Sequence[UUID]) -> list[ReportFile]:
        query = f"SELECT {_COLUMNS} FROM report_files WHERE report_id = ANY($1) ORDER BY report_id, format"
        return [_from_row(*row.values()) for row in await self._connection.fetch(query, list(report_ids))]

    async def get(self, file_id: UUID) -> tuple[ReportFile, datetime, UUID] | None:
        query = f"""
            SELECT {", ".join(f"f.{name}" for name in _COLUMNS.split(", "))}, reports.created_at, reports.user_id
            FROM report_files f JOIN reports ON reports.id = f.report_id WHERE f.id = $1"""
        row = await self._connection.fetchrow(query, file_id)
        if row is None:
            return None
        *columns, created_at, user_id = row.values()
        return _from_row(*columns), created_at, user_id

    async def piece(self, file: ReportFile, number: int) -> bytes | None:
        query = """
            SELECT data FROM report_file_pieces WHERE report_id = $1 AND run_id = $2 AND format = $3 AND number = $4"""
        found: bytes | None = await self._connection.fetchval(
            query, file.report_id, file.run_id, file.format.value, number
        )
        return found

    async def delete_before(self, before: datetime, limit: int) -> int:
        return int(await self._connection.fetchval(_DELETE, before, limit))


def _from_row(id: UUID, report_id: UUID, format: str, run_id: UUID, size_bytes: int) -> ReportFile:
    return ReportFile(id, report_id, _FORMATS[format], run_id, size_bytes)
