"""Reports in PostgreSQL."""

from datetime import datetime
from uuid import UUID

import msgspec
from asyncpg import Record

from domain.core.pagination import KeysetPage
from domain.model.markets import MarketSymbol
from domain.model.reports import Report, ReportResult, ReportScope
from infra.postgres.repositories.base import Repository
from infra.postgres.rows.columns import members_by_value, to_json

SELECT_REPORT = """
SELECT id, user_id, scope, scope_id, period_start, period_end, created_at, job_id, benchmark FROM reports"""
INSERT_REPORT = """
INSERT INTO reports (id, user_id, scope, scope_id, period_start, period_end, created_at, job_id, benchmark)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"""
REPORT = SELECT_REPORT + " WHERE id = $1 AND user_id = $2"
REPORT_OF_JOB = SELECT_REPORT + " WHERE job_id = $1"
SET_RESULT = "UPDATE reports SET result = $2 WHERE id = $1"
RESULT = """
SELECT result FROM reports JOIN jobs ON jobs.id = reports.job_id
WHERE reports.id = $1 AND jobs.status = 'SUCCEEDED'"""

SESSIONS = """
SELECT s.id, s.account_id, v.number FROM trading_sessions s JOIN strategy_versions v ON v.id = s.strategy_version_id
WHERE s.user_id = $1 AND v.strategy_id = $2 AND s.started_at < $4 AND coalesce(s.stopped_at, 'infinity') > $3
ORDER BY v.number, s.id LIMIT $5"""
ACCOUNTS = "SELECT id FROM accounts WHERE user_id = $1 AND created_at < $2 ORDER BY id LIMIT $3"

_SCOPES = members_by_value(ReportScope)
_RESULT = msgspec.json.Decoder(ReportResult)


class PostgresReports(Repository):
    """See `domain.ports.reports.ReportRepository`."""

    async def add_report(self, report: Report) -> None:
        await self._connection.execute(INSERT_REPORT, *_report_params(report))

    async def get_report(self, user_id: UUID, report_id: UUID) -> Report | None:
        return await self._report(REPORT, report_id, user_id)

    async def get_report_for_job(self, job_id: UUID) -> Report | None:
        return await self._report(REPORT_OF_JOB, job_id)

    async def list_reports(self, user_id: UUID, page: KeysetPage) -> list[Report]:
        return [report_from_row(row) for row in await self._page(SELECT_REPORT, page, [("user_id = {}", user_id)])]

    async def sessions_of_strategy(
        self, user_id: UUID, strategy_id: UUID, start: datetime, end: datetime, limit: int
    ) -> list[tuple[UUID, UUID, int]]:
        rows = await self._connection.fetch(SESSIONS, user_id, strategy_id, start, end, limit)
        return [(row["id"], row["account_id"], row["number"]) for row in rows]

    async def accounts_of_user(self, user_id: UUID, end: datetime, limit: int) -> list[UUID]:
        return [row["id"] for row in await self._connection.fetch(ACCOUNTS, user_id, end, limit)]

    async def set_result(self, report_id: UUID, result: ReportResult) -> None:
        await self._connection.execute(SET_RESULT, report_id, to_json(result))

    async def get_result(self, report_id: UUID) -> ReportResult | None:
        stored: bytes | None = await self._connection.fetchval(RESULT, report_id)
        return None if stored is None else _RESULT.decode(stored)

    async def _report(self, text: str, *arguments: object) -> Report | None:
        row = await self._connection.fetchrow(text, *arguments)
        return None if row is None else report_from_row(row)


def report_from_row(row: Record) -> Report:
    """Return the report in a row of `SELECT_REPORT`."""
    return Report(
        id=row["id"],
        user_id=row["user_id"],
        scope=_SCOPES[row["scope"]],
        scope_id=row["scope_id"],
        from_=row["period_start"],
        to=row["period_end"],
        created_at=row["created_at"],
        job_id=row["job_id"],
        benchmark=None if row["benchmark"] is None else MarketSymbol.parse(row["benchmark"]),
    )


def _report_params(report: Report) -> tuple[object, ...]:
    return (
        report.id,
        report.user_id,
        report.scope,
        report.scope_id,
        report.from_,
        report.to,
        report.created_at,
        report.job_id,
        None if report.benchmark is None else str(report.benchmark),
    )
