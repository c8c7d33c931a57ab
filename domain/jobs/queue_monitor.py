"""Counts the jobs that wait and run on all nodes, for the metrics of a worker node."""

import asyncio
import logging
from typing import Final

from domain.core.errors import Unavailable
from domain.jobs.counts import WorkCounts
from domain.model.jobs import JobKind, JobStatus, OpenJobs
from domain.ports.unit_of_work import Database

log = logging.getLogger(__name__)

EVERY_SECONDS: Final = 10.0


class JobQueueMonitor:
    """Counts open jobs every ten seconds; while they can't be counted the last counts stay."""

    def __init__(self, database: Database, counts: WorkCounts, every_seconds: float = EVERY_SECONDS) -> None:
        self._database = database
        self._counts = counts
        self._every_seconds = every_seconds

    async def run(self) -> None:
        """Count until cancelled."""
        while True:
            try:
                await self.count()
            except Unavailable:  # which the node's readiness shows
                pass
            except Exception as error:  # noqa: BLE001  # whatever it is, a later count may succeed
                log.warning("jobs could not be counted; it is tried again: %r", error)
            await asyncio.sleep(self._every_seconds)

    async def count(self) -> None:
        """Count once; every kind has counts, also where there is no job of it. Raises `Unavailable`."""
        async with self._database.read_only() as reading:
            found = await reading.jobs.count_open()
        nothing = OpenJobs(dict.fromkeys((JobStatus.QUEUED, JobStatus.RUNNING), 0), None)
        self._counts.open_jobs = {kind.value: found.get(kind.value, nothing) for kind in JobKind}
