"""Jobs in PostgreSQL: the queue that all workers share."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from asyncpg import Record

from domain.core.pagination import KeysetPage
from domain.model.jobs import ClaimedJob, Job, JobStatus, OpenJobs
from infra.postgres.repositories.base import Repository
from infra.postgres.rows.columns import members_by_value

JOB_COLUMNS: Final = "id, user_id, kind, created_at, status, progress, message, finished_at, result_type, result_id"
SELECT_JOB: Final = f"SELECT {JOB_COLUMNS} FROM jobs"
INSERT_JOB: Final = f"INSERT INTO jobs ({JOB_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
JOB: Final = SELECT_JOB + " WHERE id = $1 AND user_id = $2"
JOBS_BY_IDS: Final = SELECT_JOB + " WHERE id = ANY($1::uuid[])"

# The clock of the database decides, so that the clocks of two workers need not agree.
CLAIMABLE: Final = """
    kind = ANY($1::text[]) AND status IN ('QUEUED', 'RUNNING')
    AND (status = 'QUEUED' OR lease_until < statement_timestamp())"""
RUNNING_JOBS: Final = """(
    SELECT count(*) FROM jobs WHERE jobs.user_id = users.id AND kind = ANY($1::text[])
        AND status = 'RUNNING' AND lease_until >= statement_timestamp())"""
MOST_RUNNING_JOBS: Final = "(SELECT max_running_jobs FROM plans WHERE name = plan_of(users.id))"
# The row of the user is locked until the claim is committed: who claims next counts it.
NEXT_USER: Final = f"""
SELECT users.id FROM users
WHERE users.id IN (SELECT jobs.user_id FROM jobs WHERE {CLAIMABLE}) AND users.id <> ALL($2::uuid[])
    AND {RUNNING_JOBS} < {MOST_RUNNING_JOBS}
ORDER BY {RUNNING_JOBS},
    (SELECT max(jobs.started_at) FROM jobs WHERE jobs.user_id = users.id AND kind = ANY($1::text[])) NULLS FIRST,
    (SELECT jobs.id FROM jobs WHERE jobs.user_id = users.id AND {CLAIMABLE} ORDER BY jobs.id LIMIT 1)
LIMIT 1 FOR NO KEY UPDATE OF users SKIP LOCKED"""
CLAIM_OF_USER: Final = f"""
UPDATE jobs SET status = 'RUNNING', worker = $3, lease_until = statement_timestamp() + $4 * interval '1 second',
    started_at = statement_timestamp(), attempts = attempts + 1
WHERE id = (
    SELECT jobs.id FROM jobs JOIN users ON users.id = jobs.user_id
    WHERE jobs.user_id = $2 AND {CLAIMABLE} AND {RUNNING_JOBS} < {MOST_RUNNING_JOBS}
    ORDER BY jobs.id LIMIT 1 FOR UPDATE OF jobs SKIP LOCKED
)
RETURNING {JOB_COLUMNS}, attempts"""
RENEW_JOB: Final = """
UPDATE jobs SET progress = $4, lease_until = statement_timestamp() + $3 * interval '1 second'
WHERE id = $1 AND worker = $2 AND status = 'RUNNING'"""
RELEASE_JOB: Final = """
UPDATE jobs SET status = 'QUEUED', progress = 0, worker = NULL, lease_until = NULL, attempts = attempts - 1
WHERE id = $1 AND worker = $2 AND status = 'RUNNING'"""
RELEASE_ALL_JOBS: Final = """
UPDATE jobs SET status = 'QUEUED', progress = 0, worker = NULL, lease_until = NULL WHERE status = 'RUNNING'"""
OPEN_JOBS: Final = """
SELECT kind, count(*) FILTER (WHERE status = 'QUEUED') AS queued, count(*) FILTER (WHERE status = 'RUNNING') AS running,
    extract(epoch FROM statement_timestamp() - min(created_at) FILTER (WHERE status = 'QUEUED')) AS oldest_wait
FROM jobs WHERE status IN ('QUEUED', 'RUNNING') GROUP BY kind"""
FINISH_JOB: Final = f"""
UPDATE jobs SET status = $2, message = $3, finished_at = $4, worker = NULL, lease_until = NULL,
    progress = CASE WHEN $2 = 'SUCCEEDED' THEN 1 ELSE progress END
WHERE id = $1 AND status IN ('QUEUED', 'RUNNING')
RETURNING {JOB_COLUMNS}"""

_STATUSES: Final = members_by_value(JobStatus)


class PostgresJobs(Repository):
    """See `domain.ports.jobs.JobRepository`."""

    async def add(self, job: Job) -> None:
        await self._connection.execute(INSERT_JOB, *_params(job))

    async def claim(self, kinds: Sequence[str], worker: str, lease_seconds: float) -> ClaimedJob | None:
        passed: list[UUID] = []
        while True:
            user_id = await self._connection.fetchval(NEXT_USER, kinds, passed)
            if user_id is None:
                return None
            # A statement of its own sees what others claimed before the user was locked.
            row = await self._connection.fetchrow(CLAIM_OF_USER, kinds, user_id, worker, lease_seconds)
            if row is not None:
                return ClaimedJob(job_from_row(row), row["attempts"])
            passed.append(user_id)

    async def renew(self, job_id: UUID, worker: str, lease_seconds: float, progress: float) -> bool:
        done = await self._connection.execute(RENEW_JOB, job_id, worker, lease_seconds, progress)
        return done == "UPDATE 1"

    async def release(self, job_id: UUID, worker: str) -> bool:
        return await self._connection.execute(RELEASE_JOB, job_id, worker) == "UPDATE 1"

    async def release_all(self) -> int:
        return int((await self._connection.execute(RELEASE_ALL_JOBS)).removeprefix("UPDATE "))

    async def finish(self, job_id: UUID, status: JobStatus, message: str | None, at: datetime) -> Job | None:
        return await self._job(FINISH_JOB, job_id, status, message, at)

    async def get(self, user_id: UUID, job_id: UUID) -> Job | None:
        return await self._job(JOB, job_id, user_id)

    async def get_many(self, ids: Sequence[UUID]) -> list[Job]:
        return [job_from_row(row) for row in await self._connection.fetch(JOBS_BY_IDS, ids)]

    async def count_open(self) -> dict[str, OpenJobs]:
        return {
            row["kind"]: OpenJobs(
                {JobStatus.QUEUED: row["queued"], JobStatus.RUNNING: row["running"]},
                None if row["oldest_wait"] is None else max(float(row["oldest_wait"]), 0.0),
            )
            for row in await self._connection.fetch(OPEN_JOBS)
        }

    async def list_page(
        self, user_id: UUID, page: KeysetPage, statuses: tuple[JobStatus, ...] | None = None
    ) -> list[Job]:
        conditions = [("user_id = {}", user_id), ("status = ANY({}::text[])", statuses)]
        return [job_from_row(row) for row in await self._page(SELECT_JOB, page, conditions)]

    async def _job(self, text: str, *arguments: object) -> Job | None:
        row = await self._connection.fetchrow(text, *arguments)
        return None if row is None else job_from_row(row)


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


def _params(job: Job) -> tuple[object, ...]:
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
