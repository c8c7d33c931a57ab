"""Computes the reports that users have asked for, on a worker node."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from domain.core.clock import Clock
from domain.core.errors import Unavailable
from domain.core.pagination import TimeKeysetPage
from domain.model.events import NewEvent, UserEventKind
from domain.model.markets import Market, MarketSymbol
from domain.model.reports import Job, JobStatus, Report, ReportResult
from domain.performance.fills_ledger import ReportData, unpriced_markets
from domain.ports.bus import MessageBus
from domain.ports.reports import PastCandles
from domain.ports.unit_of_work import Database, UnitOfWork
from domain.reports.compute import EmptyReport, ReportComputer, compute_in_thread, with_excursions
from domain.reports.price_source import MARKS_A_MARKET, timeframe_of
from domain.reports.service import JOB_KIND, JOBS_TOPIC

JOB_LEASE_SECONDS = 30.0
POLL_SECONDS = 1.0
READ, COMPUTED = 0.5, 0.9
"""The progress once everything is read, and once everything is computed."""

Markets = Callable[[], Mapping[MarketSymbol, Market]]

log = logging.getLogger(__name__)


class _LeaseLost(Exception):
    """The job was cancelled, or another worker has taken it."""


@dataclass(frozen=True, slots=True)
class _JobFinished:
    report: Report
    result: ReportResult


class ReportWorker:
    """Computes reports, one after another; a worker that dies leaves its job to the next.

    `past` has prices fetched that aren't stored, such as those of a new account's coins; without it they stay missing.
    """

    def __init__(
        self,
        database: Database,
        bus: MessageBus,
        clock: Clock,
        name: str,
        markets: Markets,
        lease_seconds: float = JOB_LEASE_SECONDS,
        past: PastCandles | None = None,
    ) -> None:
        self._database = database
        self._bus = bus
        self._clock = clock
        self._name = name
        self._markets = markets
        self._lease_seconds = lease_seconds
        self._past = past
        self._news = asyncio.Event()

    async def run(self) -> None:
        """Work for ever; cancel to stop."""
        subscription = await self._bus.subscribe(JOBS_TOPIC, lambda _message: self._news.set(), self._news.set)
        try:
            while True:
                self._news.clear()
                if not await self.work_once():
                    await self._wait()
        finally:
            await subscription.close()

    async def work_once(self) -> bool:
        """Take a job and do it; False where there is none, or the database is away."""
        try:
            async with self._database.transaction() as transaction:
                job = await transaction.reports.claim_job((JOB_KIND,), self._name, self._lease_seconds)
            if job is not None:
                await self._work(job)
        except Unavailable:
            return False
        return job is not None

    async def _work(self, job: Job) -> None:
        """Do the job for as long as it is ours."""
        doing = asyncio.create_task(self._do(job))
        holding = asyncio.create_task(self._hold(job))
        try:
            await asyncio.wait([doing, holding], return_when=asyncio.FIRST_COMPLETED)
            if doing.done():
                await doing
        finally:
            for task in (doing, holding):
                task.cancel()
            await asyncio.gather(doing, holding, return_exceptions=True)

    async def _do(self, job: Job) -> None:
        try:
            done = await self._compute(job)
            await self._finish(job, JobStatus.SUCCEEDED, f"{done.result.metrics.round_trips} round trips", done)
        except (_LeaseLost, Unavailable):
            # Whoever holds the job now goes on, which is this worker once more where only the database was away.
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
        """Have missing prices fetched, from before the period on; tell whether there may be some now."""
        if self._past is None:
            return False
        markets = await asyncio.to_thread(unpriced_markets, data)
        timeframe = timeframe_of(data.end - data.start)
        # The newest candle may not be stored yet, so the one before it is asked for too.
        window = TimeKeysetPage(limit=MARKS_A_MARKET, start=timeframe.open_time(data.start) - 2 * timeframe.duration)
        await asyncio.gather(*(self._past.candles(market, timeframe, window) for market in markets))
        return bool(markets)

    async def _finish(self, job: Job, status: JobStatus, message: str, done: _JobFinished | None) -> None:
        """Store the end, and with it the result, unless the job is no longer this worker's."""
        now = self._clock.now()
        async with self._database.transaction() as transaction:
            await self._keep(transaction, job, COMPUTED)
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

    async def _hold(self, job: Job) -> None:
        """Renew the lease in time; return once the job is another's."""
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
            await self._keep(transaction, job, progress)

    async def _keep(self, transaction: UnitOfWork, job: Job, progress: float) -> None:
        if not await transaction.reports.renew_job(job.id, self._name, self._lease_seconds, progress):
            raise _LeaseLost

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(POLL_SECONDS):
                await self._news.wait()
        except TimeoutError:
            return
