"""The port of jobs: the queue that all workers share."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from domain.core.pagination import KeysetPage
from domain.model.jobs import ClaimedJob, Job, JobStatus, OpenJobs


class JobRepository(Protocol):
    """Jobs of all users. A worker has claimed a job for as long as it renews the lease."""

    async def add(self, job: Job) -> None:
        """Insert a job for a worker to claim."""
        ...

    async def claim(self, kinds: Sequence[str], worker: str, lease_seconds: float) -> ClaimedJob | None:
        """Claim a job of these kinds that is queued, or whose worker's lease has expired; it is RUNNING from then on.

        Users take turns: first comes one with the fewest jobs of these kinds running, then the one that was served the
        longest time ago, with the oldest job. A user with as many running as the plan allows is passed over, as is one
        whose job another worker claims at this moment: the claim belongs into a transaction.
        """
        ...

    async def renew(self, job_id: UUID, worker: str, lease_seconds: float, progress: float) -> bool:
        """Store progress and renew the lease; False if the job is no longer this worker's or was cancelled."""
        ...

    async def release(self, job_id: UUID, worker: str) -> bool:
        """Give a claimed job back, as if it had not been claimed; False if it was no longer this worker's."""
        ...

    async def release_all(self) -> int:
        """Queue all jobs again that run; return how many. For a database that no worker uses yet."""
        ...

    async def finish(self, job_id: UUID, status: JobStatus, message: str | None, at: datetime) -> Job | None:
        """Store the end of a job; None if it had ended already."""
        ...

    async def get(self, user_id: UUID, job_id: UUID) -> Job | None:
        """Return a job of the user."""
        ...

    async def get_many(self, ids: Sequence[UUID]) -> list[Job]:
        """Return the jobs that exist, in any order (for batches)."""
        ...

    async def count_open(self) -> dict[str, OpenJobs]:
        """Return by kind how many jobs wait and run, of all users; kinds without any are left out."""
        ...

    async def list_page(
        self, user_id: UUID, page: KeysetPage, statuses: tuple[JobStatus, ...] | None = None
    ) -> list[Job]:
        """Return a page of the user's jobs, with any status unless `statuses` names some."""
        ...
