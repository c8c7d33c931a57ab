"""Computes requested reports on a worker node."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from domain.core.background import BackgroundTasks
from domain.core.clock import Clock
from domain.core.errors import Unavailable
from domain.core.pagination import TimeKeysetPage
from domain.core.wakeup import Wakeup
from domain.model.events import NewEvent, UserEventKind
from domain.model.markets import Market, MarketSymbol
from domain.model.reports import Job, JobStatus, Report, ReportResult
from domain.performance.fills_ledger import ReportData, unpriced_markets
from domain.ports.bus import MessageBus
from domain.ports.reports import PastCandles
from domain.ports.unit_of_work import Database, UnitOfWork
from domain.reports.compute import EmptyReport, ReportComputer, compute_in_thread, with_excursions
from domain.reports.price_source import MARKS_PER_MARKET, timeframe_of
from domain.reports.service import JOB_KIND, JOBS_TOPIC

JOB_LEASE_SECONDS = 30.0
POLL_SECONDS = 1.0
READ, COMPUTED = 0.5, 0.9
"""The progress after reading the input, and after the computation."""

Markets = Callable[[], Mapping[MarketSymbol, Market]]

log = logging.getLogger(__name__)


class _LeaseLost(Exception):
    """The job was cancelled, or another worker has claimed it."""


@dataclass(frozen=True, slots=True)
class _JobFinished:
    report: Report
    result: ReportResult


class ReportWorker:
    """Computes reports, one after another; if a worker dies, another one claims its job.

    `history` fetches prices that aren't stored, such as those of a new account's coins; without it they stay missing.
    """

    def __init__(
        self,
        database: Database,
        bus: MessageBus,
        clock: Clock,
        name: str,
        markets: Markets,
        lease_seconds: float = JOB_LEASE_SECONDS,
        history: PastCandles | None = None,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        self._database = database
        self._bus = bus
        self._clock = clock
        self._name = name
        self._markets = markets
        self._lease_seconds = lease_seconds
        self._history = history
        self._poll_seconds = poll_seconds
        self._wakeup = Wakeup()

    async def run(self) -> None:
        """Claim and compute jobs until cancelled."""
        subscription = await self._bus.subscribe(JOBS_TOPIC, lambda _message: self._wakeup.set(), self._wakeup.set)
        try:
            while True:
                self._wakeup.clear()
                if not await self.work_once():
                    await self._wakeup.wait(self._poll_seconds)
        finally:
            await subscription.close()

    async def work_once(self) -> bool:
        """Claim a job and compute it; False if there is none, or the database is unreachable."""
        try:
            async with self._database.transaction() as transaction:
                job = await transaction.reports.claim_job((JOB_KIND,), self._name, self._lease_seconds)
            if job is not None:
                await self._work(job)
        except Unavailable:
            return False
        return job is not None

    async def _work(self, job: Job) -> None:
        """Compute the job for as long as this worker holds its lease."""
        async with BackgroundTasks() as tasks:
            work, lease = tasks.start(self._process(job)), tasks.start(self._keep_lease(job))
            await asyncio.wait([work, lease], return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                await work

    async def _process(self, job: Job) -> None:
        try:
            done = await self._compute(job)
            await self._finish(job, JobStatus.SUCCEEDED, f"{done.result.metrics.round_trips} round trips", done)
        except (_LeaseLost, Unavailable):
            # The next claim of the job continues it; if only the database was away, that may be by this worker.
            return
        except EmptyReport as reason:
            await self._fail(job, str(reason))
        except Exception:
            log.exception("the report of job %s could not be computed", job.id)
            await self._fail(job, "The report could not be computed: a fault of the engine, which its log describes.")

    async def _compute(self, job: Job) -> _JobFinished:
        report, data = await self._read(job)
        if await self._fetch_prices(data):
            report, data = await self._read(job)
        async with self._database.read_only() as reading:
            data = await with_excursions(reading.prices, data)
        await self._renew(job, READ)
        return _JobFinished(report, await compute_in_thread(data))

    async def _read(self, job: Job) -> tuple[Report, ReportData]:
        async with self._database.snapshot() as snapshot:
            report = await snapshot.reports.get_report_for_job(job.id)
            if report is None:
                raise EmptyReport("the report is gone")
            return report, await ReportComputer(snapshot, self._markets(), report).read()

    async def _fetch_prices(self, data: ReportData) -> bool:
        """Have missing prices fetched, since before the period; return whether there may be more now."""
        if self._history is None:
            return False
        markets = await asyncio.to_thread(unpriced_markets, data)
        timeframe = timeframe_of(data.end - data.start)
        # The newest candle may not be stored yet, so the one before it is requested too.
        page = TimeKeysetPage(limit=MARKS_PER_MARKET, start=timeframe.open_time(data.start) - 2 * timeframe.duration)
        await asyncio.gather(*(self._history.candles(market, timeframe, page) for market in markets))
        return bool(markets)

    async def _finish(self, job: Job, status: JobStatus, message: str, done: _JobFinished | None) -> None:
        """Store the end of the job and its result, unless the job is no longer this worker's."""
        now = self._clock.now()
        async with self._database.transaction() as transaction:
            await self._check_lease(transaction, job, COMPUTED)
            if done is not None:
                await transaction.reports.set_result(done.report.id, done.result)
            ended = await transaction.reports.finish_job(job.id, status, message, now)
            if ended is None:
                raise _LeaseLost
            events = [NewEvent(job.user_id, now, UserEventKind.JOB, ended, status.value)]
            if done is not None:
                events.append(NewEvent(job.user_id, now, UserEventKind.REPORT, done.report))
            transaction.events.append(events)

    async def _fail(self, job: Job, message: str) -> None:
        with suppress(_LeaseLost, Unavailable):
            await self._finish(job, JobStatus.FAILED, message, None)

    async def _keep_lease(self, job: Job) -> None:
        """Renew the lease in time; return once the job is no longer this worker's."""
        progress = 0.0
        while True:
            await asyncio.sleep(self._lease_seconds / 3)
            with suppress(Unavailable):
                async with self._database.transaction() as transaction:
                    found = await transaction.reports.get_job(job.user_id, job.id)
                    progress = found.progress if found else progress
                    if not await transaction.reports.renew_job(job.id, self._name, self._lease_seconds, progress):
                        return

    async def _renew(self, job: Job, progress: float) -> None:
        async with self._database.transaction() as transaction:
            await self._check_lease(transaction, job, progress)

    async def _check_lease(self, transaction: UnitOfWork, job: Job, progress: float) -> None:
        if not await transaction.reports.renew_job(job.id, self._name, self._lease_seconds, progress):
            raise _LeaseLost
