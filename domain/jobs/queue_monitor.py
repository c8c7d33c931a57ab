"""Counts the jobs that wait and run on all nodes, for the metrics of a worker node."""

import asyncio
from contextlib import suppress
from typing import Final

from domain.core.errors import Unavailable
from domain.jobs.counts import WorkCounts
from domain.model.jobs import JobKind, JobStatus, OpenJobs
from domain.ports.unit_of_work import Database

EVERY_SECONDS: Final = 10.0


class JobQueueMonitor:
    """Counts open jobs every ten seconds; while the database is unreachable the last counts stay."""

    def __init__(self, database: Database, counts: WorkCounts) -> None:
        self._database = database
        self._counts = counts

    async def run(self) -> None:
        """Count until cancelled."""
        while True:
            with suppress(Unavailable):
                await self.count()
            await asyncio.sleep(EVERY_SECONDS)

    async def count(self) -> None:
        """Count once; every kind has counts, also where there is no job of it. Raises `Unavailable`."""
        async with self._database.read_only() as reading:
            found = await reading.jobs.count_open()
        nothing = OpenJobs(dict.fromkeys((JobStatus.QUEUED, JobStatus.RUNNING), 0), None)
        self._counts.open_jobs = {kind.value: found.get(kind.value, nothing) for kind in JobKind}
