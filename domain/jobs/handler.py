"""What a kind of job has to bring: a handler, which computes and says what is stored at the end.

A handler's `run` is cancelled (`asyncio.CancelledError`) when its job was cancelled, when another worker has claimed it
and when the node stops; what it started ends with it. Nothing of a run that didn't end is kept, so a handler that
stores anything on the way must be able to find it again: the job is then run once more, from its beginning.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from domain.model.events import NewEvent
from domain.model.jobs import Job, JobKind
from domain.ports.unit_of_work import UnitOfWork

StoreResult = Callable[[UnitOfWork], Awaitable[Sequence[NewEvent]]]
"""Stores the result of a job in the transaction that ends it, and returns the events to append to the log."""


class JobFailed(Exception):
    """The job can't be done; the message is for its user, and names nothing internal."""


@dataclass(frozen=True, slots=True)
class JobOutcome:
    """The end of a job that succeeded: a sentence for its user, and what stores the result."""

    message: str
    store: StoreResult


class JobRun:
    """A job while it is computed. `report` takes any share from 0 to 1; the runner stores it now and then."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self._progress = 0.0

    @property
    def progress(self) -> float:
        """The share that is done; it never falls."""
        return self._progress

    def report(self, progress: float) -> None:
        """Set the share that is done."""
        self._progress = max(self._progress, min(progress, 1.0))


class JobHandler(Protocol):
    """Computes the jobs of one kind."""

    @property
    def kind(self) -> JobKind:
        """The kind of jobs that it computes."""
        ...

    async def run(self, run: JobRun) -> JobOutcome:
        """Compute the job; raises `JobFailed`, and `Unavailable` if it should be tried again.

        Any other error fails the job with a message that names nothing, and is logged with its traceback.
        """
        ...
