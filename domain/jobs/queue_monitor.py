"""Counts the jobs that wait and run on all nodes, for the metrics of a worker node."""

from typing import Final, NoReturn

from domain.core.repeating import repeat
from domain.jobs.counts import WorkCounts
from domain.model.jobs import JobKind, JobStatus, OpenJobs
from domain.ports.unit_of_work import Database

EVERY_SECONDS: Final = 10.0


class JobQueueMonitor:
    """Counts open jobs every ten seconds; while they can't be counted the last counts stay."""

    def __init__(self, database: Database, counts: WorkCounts, every_seconds: float = EVERY_SECONDS) -> None:
        self._database = database
        self._counts = counts
        self._every_seconds = every_seconds

    async def run(self) -> NoReturn:
        """Count until cancelled."""
        await repeat(self.count, "jobs could not be counted", self._every_seconds)

    async def count(self) -> None:
        """Count once; every kind has counts, also where there is no job of it. Raises `Unavailable`."""
        async with self._database.read_only() as reading:
            found = await reading.jobs.count_open()
        nothing = OpenJobs(dict.fromkeys((JobStatus.QUEUED, JobStatus.RUNNING), 0), None)
        self._counts.open_jobs = {kind.value: found.get(kind.value, nothing) for kind in JobKind}
