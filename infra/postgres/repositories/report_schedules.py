"""Schedules of reports in PostgreSQL."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from domain.model.markets import MarketSymbol
from domain.model.report_schedules import ReportCadence, ReportSchedule, ReportScheduleStatus, Weekday
from domain.model.reports import ReportScope
from domain.ports.report_schedules import UnfinishedReport
from infra.postgres.repositories.base import Repository
from infra.postgres.rows.mapper import RowMapper

_SCHEDULES: Final = RowMapper(
    "report_schedules",
    ReportSchedule,
    decoders={
        "scope": ReportScope,
        "cadence": ReportCadence,
        "weekday": lambda text: None if text is None else Weekday(text),
        "status": ReportScheduleStatus,
        "channel_ids": tuple,
        "benchmark": lambda text: None if text is None else MarketSymbol.parse(text),
    },
    encoders={
        "channel_ids": list,
        "benchmark": lambda market: None if market is None else str(market),
    },
)
SELECT_SCHEDULE: Final = _SCHEDULES.select
schedule_from_row: Final = _SCHEDULES.from_row

_OF_USER: Final = f"{_SCHEDULES.select} WHERE user_id = $1 AND id = $2"
_SAVE: Final = _SCHEDULES.update("id", "user_id", "created_at")
_DUE: Final = """
SELECT user_id, id FROM report_schedules WHERE status = 'ACTIVE' AND coalesce(retry_at, due_at) <= $1
AND NOT EXISTS (SELECT FROM users WHERE users.id = report_schedules.user_id AND users.disabled_at IS NOT NULL)
ORDER BY coalesce(retry_at, due_at) LIMIT $2"""
_UNFINISHED: Final = """
SELECT report_schedules.user_id, report_schedules.id, last_report_id, jobs.message FROM report_schedules
LEFT JOIN reports ON reports.id = last_report_id LEFT JOIN jobs ON jobs.id = reports.job_id
WHERE is_open AND last_report_id IS NOT NULL AND (jobs.id IS NULL OR jobs.status IN ('FAILED', 'CANCELED')) LIMIT $1"""


class PostgresReportSchedules(Repository):
    """See `domain.ports.report_schedules.ReportScheduleRepository`."""

    async def add(self, schedule: ReportSchedule) -> None:
        await self._connection.execute(_SCHEDULES.insert(), *_SCHEDULES.params(schedule))

    async def get(self, user_id: UUID, schedule_id: UUID) -> ReportSchedule | None:
        row = await self._connection.fetchrow(_OF_USER, user_id, schedule_id)
        return None if row is None else schedule_from_row(row)

    async def get_for_update(self, user_id: UUID, schedule_id: UUID) -> ReportSchedule | None:
        row = await self._connection.fetchrow(f"{_OF_USER} FOR UPDATE", user_id, schedule_id)
        return None if row is None else schedule_from_row(row)

    async def list_of_user(self, user_id: UUID) -> list[ReportSchedule]:
        query = f"{_SCHEDULES.select} WHERE user_id = $1 ORDER BY id"
        return [schedule_from_row(row) for row in await self._connection.fetch(query, user_id)]

    async def save(self, schedule: ReportSchedule) -> None:
        await self._connection.execute(_SAVE, *_SCHEDULES.params(schedule))

    async def postpone(self, schedule_id: UUID, until: datetime, error: str, at: datetime) -> None:
        statement = "UPDATE report_schedules SET retry_at = $2, last_error = $3, last_error_at = $4 WHERE id = $1"
        await self._connection.execute(statement, schedule_id, until, error, at)

    async def delete(self, schedule_id: UUID) -> None:
        await self._connection.execute("DELETE FROM report_schedules WHERE id = $1", schedule_id)

    async def due(self, now: datetime, limit: int) -> Sequence[tuple[UUID, UUID]]:
        return [(row["user_id"], row["id"]) for row in await self._connection.fetch(_DUE, now, limit)]

    async def has_report(self, schedule_id: UUID, period: str) -> bool:
        query = "SELECT EXISTS (SELECT FROM reports WHERE schedule_id = $1 AND schedule_period = $2)"
        return bool(await self._connection.fetchval(query, schedule_id, period))

    async def unfinished(self, limit: int) -> Sequence[UnfinishedReport]:
        rows = await self._connection.fetch(_UNFINISHED, limit)
        return [UnfinishedReport(*row) for row in rows]
