"""Jobs: computations that outlive the request that started them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class JobKind(StrEnum):
    """What a job computes. Each kind has one handler, and the rows of jobs have its value."""

    REPORT = "report"
    BACKTEST = "backtest"
    RECOMMENDATION = "recommendation"
    OPTIMIZATION = "optimization"
    DRIFT = "drift"
    DATA_EXPORT = "data-export"


class JobStatus(StrEnum):
    """The status of a job."""

    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELED = "CANCELED"

    @property
    def is_final(self) -> bool:
        """Whether the job has ended."""
        return self not in {JobStatus.QUEUED, JobStatus.RUNNING}


@dataclass(frozen=True, slots=True)
class Job:
    """A computation that outlives its request. `progress` is from 0 to 1; the result is named by its type and id."""

    id: UUID
    user_id: UUID
    kind: str
    created_at: datetime
    status: JobStatus = JobStatus.QUEUED
    progress: float = 0.0
    message: str | None = None
    finished_at: datetime | None = None
    result_type: str | None = None
    result_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class ClaimedJob:
    """A job that a worker has claimed; `attempts` counts the claims so far, but for those that were given back."""

    job: Job
    attempts: int


@dataclass(frozen=True, slots=True)
class OpenJobs:
    """The jobs of a kind that wait and run, and for how long the oldest has waited; None if none waits."""

    by_status: Mapping[JobStatus, int]
    oldest_wait_seconds: float | None = None
