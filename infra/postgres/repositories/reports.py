"""Jobs, and the reports that they compute, in PostgreSQL."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec
from asyncpg import Record

from domain.core.pagination import KeysetPage
from domain.model.reports import Job, JobStatus, Report, ReportResult, ReportScope
from infra.postgres.repositories.base import Repository
from infra.postgres.rows.columns import members_by_value, to_json

JOB_COLUMNS = "id, user_id, kind, created_at, status, progress, message, finished_at, result_type, result_id"
SELECT_JOB = f"SELECT {JOB_COLUMNS} FROM jobs"
INSERT_JOB = f"INSERT INTO jobs ({JOB_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
JOB = SELECT_JOB + " WHERE id = $1 AND user_id = $2"
JOBS_BY_IDS = SELECT_JOB + " WHERE id = ANY($1::uuid[])"
# The clock of the database decides, so that the clocks of two workers need not agree.
CLAIM_JOB = f"""
UPDATE jobs SET status = 'RUNNING', worker = $2, lease_until = statement_timestamp() + $3 * interval '1 second'
WHERE id = (
    SELECT id FROM jobs
    WHERE kind = ANY($1::text[]) AND status IN ('QUEUED', 'RUNNING')
        AND (status = 'QUEUED' OR lease_until < statement_timestamp())
    ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED
)
RETURNING {JOB_COLUMNS}"""
RENEW_JOB = """
UPDATE jobs SET progress = $4, lease_until = statement_timestamp() + $3 * interval '1 second'
WHERE id = $1 AND worker = $2 AND status = 'RUNNING'"""
FINISH_JOB = f"""
UPDATE jobs SET status = $2, message = $3, finished_at = $4, worker = NULL, lease_until = NULL,
    progress = CASE WHEN $2 = 'SUCCEEDED' THEN 1 ELSE progress END
WHERE id = $1 AND status IN ('QUEUED', 'RUNNING')
RETURNING {JOB_COLUMNS}"""

SELECT_REPORT = """
SELECT id, user_id, scope, scope_id, period_start, period_end, created_at, job_id FROM reports"""
INSERT_REPORT = """
INSERT INTO reports (id, user_id, scope, scope_id, period_start, period_end, created_at, job_id)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"""
REPORT = SELECT_REPORT + " WHERE id = $1 AND user_id = $2"
REPORT_OF_JOB = SELECT_REPORT + " WHERE job_id = $1"
SET_RESULT = "UPDATE reports SET result = $2 WHERE id = $1"
RESULT = """
SELECT result FROM reports JOIN jobs ON jobs.id = reports.job_id
WHERE reports.id = $1 AND jobs.status = 'SUCCEEDED'"""

_STATUSES = members_by_value(JobStatus)
_SCOPES = members_by_value(ReportScope)
_RESULT = msgspec.json.Decoder(ReportResult)


class PostgresReports(Repository):
    """See `domain.ports.reports.ReportRepository`."""

    async def add_job(self, job: Job) -> None:
        await self._connection.execute(INSERT_JOB, *_job_params(job))

    async def claim_job(self, kinds: tuple[str, ...], worker: str, lease_seconds: float) -> Job | None:
        return await self._job(CLAIM_JOB, kinds, worker, lease_seconds)

    async def renew_job(self, job_id: UUID, worker: str, lease_seconds: float, progress: float) -> bool:
        done = await self._connection.execute(RENEW_JOB, job_id, worker, lease_seconds, progress)
        return done == "UPDATE 1"

    async def finish_job(self, job_id: UUID, status: JobStatus, message: str | None, at: datetime) -> Job | None:
        return await self._job(FINISH_JOB, job_id, status, message, at)

    async def get_job(self, user_id: UUID, job_id: UUID) -> Job | None:
        return await self._job(JOB, job_id, user_id)

    async def get_many_jobs(self, ids: Sequence[UUID]) -> list[Job]:
        return [job_from_row(row) for row in await self._connection.fetch(JOBS_BY_IDS, ids)]

    async def list_jobs(
        self, user_id: UUID, page: KeysetPage, statuses: tuple[JobStatus, ...] | None = None
    ) -> list[Job]:
        conditions = [("user_id = {}", user_id), ("status = ANY({}::text[])", statuses)]
        return [job_from_row(row) for row in await self._page(SELECT_JOB, page, conditions)]

    async def add_report(self, report: Report) -> None:
        await self._connection.execute(INSERT_REPORT, *_report_params(report))

    async def get_report(self, user_id: UUID, report_id: UUID) -> Report | None:
        return await self._report(REPORT, report_id, user_id)

    async def get_report_for_job(self, job_id: UUID) -> Report | None:
        return await self._report(REPORT_OF_JOB, job_id)

    async def list_reports(self, user_id: UUID, page: KeysetPage) -> list[Report]:
        return [report_from_row(row) for row in await self._page(SELECT_REPORT, page, [("user_id = {}", user_id)])]

    async def set_result(self, report_id: UUID, result: ReportResult) -> None:
        await self._connection.execute(SET_RESULT, report_id, to_json(result))

    async def get_result(self, report_id: UUID) -> ReportResult | None:
        stored: bytes | None = await self._connection.fetchval(RESULT, report_id)
        return None if stored is None else _RESULT.decode(stored)

    async def _job(self, text: str, *arguments: object) -> Job | None:
        row = await self._connection.fetchrow(text, *arguments)
        return None if row is None else job_from_row(row)

    async def _report(self, text: str, *arguments: object) -> Report | None:
        row = await self._connection.fetchrow(text, *arguments)
        return None if row is None else report_from_row(row)


def job_from_row(row: Record) -> Job:
    """Return the job in a row of `SELECT_JOB`."""
    return Job(
        id=row["id"],
        user_id=row["user_id"],
        kind=row["kind"],
        created_at=row["created_at"],
        status=_STATUSES[row["status"]],
        progress=row["progress"],
        message=row["message"],
        finished_at=row["finished_at"],
        result_type=row["result_type"],
        result_id=row["result_id"],
    )


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
    )


def _job_params(job: Job) -> tuple[object, ...]:
    return (
        job.id,
        job.user_id,
        job.kind,
        job.created_at,
        job.status,
        job.progress,
        job.message,
        job.finished_at,
        job.result_type,
        job.result_id,
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
    )
