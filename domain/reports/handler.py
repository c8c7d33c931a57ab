"""Computes requested reports as jobs."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from domain.core.clock import Clock
from domain.core.pagination import TimeKeysetPage
from domain.jobs.handler import JobFailed, JobOutcome, JobRun
from domain.model.events import NewEvent, UserEventKind
from domain.model.jobs import Job, JobKind
from domain.model.markets import Market, MarketSymbol
from domain.model.reports import Report, ReportResult, ReportScope
from domain.performance.fills_ledger import ReportData, unpriced_markets
from domain.ports.reports import PastCandles
from domain.ports.unit_of_work import Database, UnitOfWork
from domain.reports.backtest_report import backtest_result
from domain.reports.compute import EmptyReport, ReportComputer, compute_in_thread, with_excursions
from domain.reports.price_source import MARKS_PER_MARKET, timeframe_of

READ: Final = 0.5
"""The progress after reading the input."""

Markets = Callable[[], Mapping[MarketSymbol, Market]]


class ReportHandler:
    """Computes reports; see `domain.jobs.handler.JobHandler`.

    `history` fetches prices that aren't stored, such as those of a new account's coins; without it they stay missing.
    """

    kind = JobKind.REPORT

    def __init__(self, database: Database, clock: Clock, markets: Markets, history: PastCandles | None = None) -> None:
        self._database = database
        self._clock = clock
        self._markets = markets
        self._history = history

    async def run(self, run: JobRun) -> JobOutcome:
        """Compute the report of the job."""
        try:
            report, result = await self._computed(run)
        except EmptyReport as reason:
            raise JobFailed(str(reason)) from None

        async def store(transaction: UnitOfWork) -> Sequence[NewEvent]:
            await transaction.reports.set_result(report.id, result)
            return [NewEvent(report.user_id, self._clock.now(), UserEventKind.REPORT, report)]

        return JobOutcome(f"{result.metrics.round_trips} round trips", store)

    async def _computed(self, run: JobRun) -> tuple[Report, ReportResult]:
        async with self._database.read_only() as reading:
            report = await reading.reports.get_report_for_job(run.job.id)
            if report is not None and report.scope is ReportScope.BACKTEST:
                return report, await backtest_result(reading, report)
        report, data = await self._read(run.job)
        if await self._fetch_prices(data):
            report, data = await self._read(run.job)
        async with self._database.read_only() as reading:
            data = await with_excursions(reading.prices, data)
        run.report(READ)
        return report, await compute_in_thread(data)

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
