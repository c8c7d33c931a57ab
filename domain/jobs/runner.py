"""Claims jobs on a worker node, and has their handlers compute them for as long as it holds their leases."""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from domain.core.background import BackgroundTasks
from domain.core.clock import Clock
from domain.core.errors import Unavailable
from domain.core.wakeup import Wakeup
from domain.jobs.counts import WorkCounts, WorkEnd
from domain.jobs.handler import JobFailed, JobHandler, JobOutcome, JobRun
from domain.jobs.queue import JOBS_TOPIC, cancelled_job, notify_workers
from domain.model.events import NewEvent, UserEventKind
from domain.model.jobs import ClaimedJob, Job, JobStatus
from domain.ports.bus import MessageBus
from domain.ports.unit_of_work import Database

MOST_ATTEMPTS: Final = 3
"""A job that has ended this many workers isn't given to another one."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RunnerOptions:
    """How a runner works: `slots` jobs at a time, whose leases it renews three times before they lapse."""

    slots: int = 1
    lease_seconds: float = 30.0
    poll_seconds: float = 1.0
    progress_seconds: float = 0.5


class _LeaseLost(Exception):
    """The job was cancelled, or another worker has claimed it."""


class JobRunner:
    """Computes the jobs of its handlers' kinds; if a worker dies, another one claims its jobs after their leases.

    Jobs wait for a slot of a runner whose handlers know their kind: give short jobs a runner of their own.
    """

    def __init__(
        self,
        database: Database,
        bus: MessageBus,
        clock: Clock,
        name: str,
        handlers: Sequence[JobHandler],
        options: RunnerOptions | None = None,
        counts: WorkCounts | None = None,
    ) -> None:
        self._database = database
        self._bus = bus
        self._clock = clock
        self._name = name
        self._handlers = {str(handler.kind): handler for handler in handlers}
        self._options = options or RunnerOptions()
        self._counts = counts or WorkCounts()
        self._wakeup = Wakeup()
        self._checks: dict[UUID, Wakeup] = {}

    async def run(self) -> None:
        """Claim and compute jobs until cancelled; those that then run are given back to the queue."""
        subscription = await self._bus.subscribe(JOBS_TOPIC, self._on_message, self._on_loss)
        try:
            async with BackgroundTasks() as running:
                while True:
                    self._wakeup.clear()
                    while len(running) < self._options.slots and (claimed := await self._claim()) is not None:
                        running.start(self._work(claimed)).add_done_callback(lambda _task: self._wakeup.set())
                    await self._wakeup.wait(self._options.poll_seconds)
        finally:
            await subscription.close()

    async def work_once(self) -> bool:
        """Claim a job and compute it; False if there is none, or the database is unreachable."""
        claimed = await self._claim()
        if claimed is not None:
            await self._work(claimed)
        return claimed is not None

    def _on_message(self, payload: bytes) -> None:
        """Look for a job, or whether the job that was cancelled is computed here."""
        check = self._checks.get(job_id) if (job_id := cancelled_job(payload)) else None
        (check or self._wakeup).set()

    def _on_loss(self) -> None:
        for wakeup in (self._wakeup, *self._checks.values()):
            wakeup.set()

    async def _claim(self) -> ClaimedJob | None:
        try:
            async with self._database.transaction() as transaction:
                return await transaction.jobs.claim(tuple(self._handlers), self._name, self._options.lease_seconds)
        except Unavailable:
            return None

    async def _work(self, claimed: ClaimedJob) -> None:
        """Compute the job for as long as this worker holds its lease."""
        job = claimed.job
        if job.id in self._checks:
            return  # it is computed here: the node stood still until the lease had lapsed, and has just renewed it
        if claimed.attempts > MOST_ATTEMPTS:
            log.error("job %s (%s) has ended %d workers, and is given up", job.id, job.kind, MOST_ATTEMPTS)
            end = await self._fail(JobRun(job), "The job was given up: each worker that computed it came to an end.")
            self._counts.ended[job.kind, end] += 1
            return
        if claimed.attempts == 1:
            waited = (self._clock.now() - job.created_at).total_seconds()
            self._counts.waited[job.kind].observe(max(waited, 0.0))  # the clock of another node may be ahead
        run, started, end = JobRun(job), self._clock.monotonic(), WorkEnd.LOST
        check = self._checks[job.id] = Wakeup()
        try:
            async with BackgroundTasks() as tasks:
                work, lease = tasks.start(self._process(run)), tasks.start(self._keep_lease(run, check))
                await asyncio.wait([work, lease], return_when=asyncio.FIRST_COMPLETED)
                if work.done() and work.exception() is None:
                    end = work.result()
        except asyncio.CancelledError:
            end = WorkEnd.RELEASED
            await self._release(job)
            raise
        finally:
            del self._checks[job.id]
            self._counts.count_job(job.kind, end, self._clock.monotonic() - started)

    async def _process(self, run: JobRun) -> WorkEnd:
        job = run.job
        try:
            outcome = await self._handlers[job.kind].run(run)
            await self._finish(run, JobStatus.SUCCEEDED, outcome.message, outcome)
        except _LeaseLost:
            return WorkEnd.LOST
        except Unavailable:
            await self._release(job)
            return WorkEnd.RELEASED
        except JobFailed as reason:
            return await self._fail(run, str(reason))
        except Exception:
            log.exception("job %s (%s) could not be computed", job.id, job.kind)
            return await self._fail(run, "The job could not be done: a fault of the engine, which its log describes.")
        return WorkEnd.SUCCEEDED

    async def _finish(self, run: JobRun, status: JobStatus, message: str, outcome: JobOutcome | None) -> None:
        """Store the end of the job and its result, unless the job is no longer this worker's.

        While the database is unreachable it is tried again: what was computed isn't thrown away.
        """
        while True:
            with suppress(Unavailable):
                await self._store_end(run, status, message, outcome)
                return
            await asyncio.sleep(self._options.poll_seconds)

    async def _store_end(self, run: JobRun, status: JobStatus, message: str, outcome: JobOutcome | None) -> None:
        job, now = run.job, self._clock.now()
        async with self._database.transaction() as transaction:
            if not await transaction.jobs.renew(job.id, self._name, self._options.lease_seconds, run.progress):
                raise _LeaseLost
            events = [] if outcome is None else await outcome.store(transaction)
            ended = await transaction.jobs.finish(job.id, status, message, now)
            if ended is None:
                raise _LeaseLost
            transaction.events.append([NewEvent(job.user_id, now, UserEventKind.JOB, ended, status.value), *events])

    async def _fail(self, run: JobRun, message: str) -> WorkEnd:
        with suppress(_LeaseLost):
            await self._finish(run, JobStatus.FAILED, message, None)
            return WorkEnd.FAILED
        return WorkEnd.LOST

    async def _release(self, job: Job) -> None:
        """Give the job back, if the database can be reached; otherwise its lease lapses."""
        with suppress(Unavailable):
            async with self._database.transaction() as transaction:
                await transaction.jobs.release(job.id, self._name)
            await notify_workers(self._bus)

    async def _keep_lease(self, run: JobRun, check: Wakeup) -> None:
        """Renew the lease in time and store progress; return once the job is no longer this worker's."""
        renewed_at, stored = self._clock.monotonic(), 0.0
        while True:
            asked = await check.wait(min(self._options.progress_seconds, self._options.lease_seconds / 3))
            check.clear()
            is_due = self._clock.monotonic() - renewed_at >= self._options.lease_seconds / 3
            progress = run.progress
            if not (asked or is_due or progress > stored):
                continue
            with suppress(Unavailable):
                async with self._database.transaction() as transaction:
                    if not await transaction.jobs.renew(run.job.id, self._name, self._options.lease_seconds, progress):
                        return
                renewed_at, stored = self._clock.monotonic(), progress
