"""Computes requested reports as jobs, and makes their files."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from domain.backtest.monte_carlo import RUNS, monte_carlo
from domain.core.clock import Clock
from domain.core.pagination import TimeKeysetPage
from domain.jobs.handler import JobFailed, JobOutcome, JobRun
from domain.model.backtests import MonteCarlo
from domain.model.events import NewEvent
from domain.model.jobs import JobKind
from domain.model.markets import Market, MarketSymbol
from domain.model.report_documents import ReportDocument
from domain.model.reports import Report, ReportFile, ReportResult, ReportScope
from domain.performance.fills_ledger import FillsLedger, ReportData, unpriced_markets
from domain.performance.statistics.catalogue import figures
from domain.ports.orders import OrderFilter
from domain.ports.reports import PastCandles
from domain.ports.unit_of_work import Database, UnitOfWork
from domain.reports.backtest_report import backtest_market, backtest_result
from domain.reports.benchmark import BenchmarkReader
from domain.reports.compute import ReportComputer
from domain.reports.excursions import with_excursions
from domain.reports.file_maker import ReportFileMaker
from domain.reports.parts import combined_parts, common_currency, parts_of
from domain.reports.price_source import MARKS_PER_MARKET, timeframe_of
from domain.reports.scheduled_reports import ready_event
from domain.reports.subject import EmptyReport
from domain.reports.titles import report_title

COMPUTED: Final = 0.5
"""The progress after computing; files are made after that."""

MOST_DRAWS: Final = 5_000_000
FEWEST_RUNS: Final = 100
MOST_FILLS: Final = 25_000
"""How many fills are in memory at once."""

Markets = Callable[[], Mapping[MarketSymbol, Market]]


@dataclass(frozen=True, slots=True)
class _Computed:
    """A result, the market that was traded if there is just one, and which fills its files list, and how many."""

    report: Report
    result: ReportResult
    traded: MarketSymbol | None
    selections: list[OrderFilter]
    fills: int


@dataclass(slots=True)
class _Added:
    """What has been added up of a report so far."""

    ledger: FillsLedger
    end: datetime
    fills: int = 0
    traded: frozenset[MarketSymbol] = frozenset()


class ReportHandler:
    """Computes reports; see `domain.jobs.handler.JobHandler`.

    `history` fetches prices that aren't stored, such as those of a new account's coins; without it they stay missing.
    """

    kind = JobKind.REPORT

    def __init__(
        self,
        database: Database,
        clock: Clock,
        markets: Markets,
        files: ReportFileMaker,
        history: PastCandles | None = None,
        most_fills: int = MOST_FILLS,
    ) -> None:
        self._database = database
        self._clock = clock
        self._markets = markets
        self._files = files
        self._history = history
        self._most_fills = most_fills

    async def run(self, run: JobRun) -> JobOutcome:
        """Compute the report of the job."""
        try:
            computed = await self._computed(run)
        except EmptyReport as reason:
            raise JobFailed(str(reason)) from None
        report = computed.report
        benchmark = BenchmarkReader(self._database, self._history)
        result = replace(computed.result, benchmark=await benchmark.read(report, computed.traded))
        run.report(COMPUTED)
        files = await self._make_files(run, replace(computed, result=result))

        async def store(transaction: UnitOfWork) -> Sequence[NewEvent]:
            await transaction.reports.set_result(report.id, result)
            await transaction.report_files.complete(report.id, files)
            return [await ready_event(transaction, report, result, files, self._clock.now())]

        return JobOutcome(f"{result.metrics.round_trips} round trips", store)

    async def _make_files(self, run: JobRun, computed: _Computed) -> list[ReportFile]:
        report, result = computed.report, computed.result
        async with self._database.read_only() as reading:
            title = await report_title(reading, report)
        document = ReportDocument(
            report,
            result,
            title,
            await asyncio.to_thread(figures, result),
            await asyncio.to_thread(_monte_carlo, result) if result.metrics.start_equity > 0 else None,
            self._clock.now(),
        )
        return await self._files.make(
            document,
            computed.selections,
            computed.fills,
            lambda part: run.report(COMPUTED + (1 - COMPUTED) * part),
        )

    async def _computed(self, run: JobRun) -> _Computed:
        async with self._database.read_only() as reading:
            report = await reading.reports.get_report_for_job(run.job.id)
            if report is not None and report.scope is ReportScope.BACKTEST:
                result, traded = await backtest_result(reading, report), await backtest_market(reading, report)
                return _Computed(report, result, traded, [], 0)
        if report is None:
            raise EmptyReport("the report is gone")
        if report.scope not in {ReportScope.STRATEGY, ReportScope.USER}:
            result, traded_markets, fills = await self._one(report, None, lambda part: run.report(COMPUTED * part))
            return _Computed(report, result, _only(traded_markets), [fills_of(report)], fills)
        return await self._several(run, report)

    async def _several(self, run: JobRun, report: Report) -> _Computed:
        """Compute the parts one after the other, so that the input of one alone is in memory."""
        async with self._database.read_only() as reading:
            parts = await parts_of(reading, report)
            currency = await common_currency(reading, report, parts, self._markets())
        results, traded, fills = [], set[MarketSymbol](), 0
        for number, part in enumerate(parts, start=1):
            result, traded_markets, filled = await self._one(part.report, currency, lambda _part: None)
            results.append((part.name, result))
            traded |= traded_markets
            fills += filled
            run.report(COMPUTED * number / len(parts))
        together = await asyncio.to_thread(combined_parts, results, currency)
        return _Computed(report, together, _only(traded), [fills_of(part.report) for part in parts], fills)

    async def _one(
        self, report: Report, currency: str | None, progress: Callable[[float], None]
    ) -> tuple[ReportResult, AbstractSet[MarketSymbol], int]:
        """Compute a report of one account or trading session; return the result, the traded markets and the fills.

        Many fills are read in windows of time, in one snapshot, so that never all of them are in memory.
        """
        added = await self._add_up(report, currency, progress, may_fetch=True)
        if added is None:
            # What has been fetched is seen by a later snapshot alone.
            added = await self._add_up(report, currency, progress, may_fetch=False)
            assert added is not None
        result = await asyncio.to_thread(added.ledger.result)
        async with self._database.read_only() as reading:
            return await with_excursions(reading.prices, result, added.end), added.traded, added.fills

    async def _add_up(
        self, report: Report, currency: str | None, progress: Callable[[float], None], *, may_fetch: bool
    ) -> "_Added | None":
        """Add all windows up; None if prices have been fetched that weren't stored."""
        added = _Added(FillsLedger(), report.to)
        async with self._database.snapshot() as snapshot:
            computer = ReportComputer(snapshot, self._markets(), report, currency=currency)
            async for window in computer.windows(self._most_fills):
                data = window.data
                if window.is_earlier:
                    await asyncio.to_thread(added.ledger.add_earlier, data)
                    continue
                if may_fetch and await self._fetch_prices(data):
                    return None
                may_fetch = False
                await asyncio.to_thread(added.ledger.add, data)
                added.fills += window.fills
                added.traded, added.end = added.traded | data.traded, data.end
                progress((data.end - report.from_) / (report.to - report.from_))
        return added

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


def _monte_carlo(result: ReportResult) -> MonteCarlo | None:
    """Return what luck may have done, by fewer runs if there are very many round trips."""
    runs = min(RUNS, max(MOST_DRAWS // max(len(result.round_trips), 1), FEWEST_RUNS))
    return monte_carlo(result.round_trips, result.metrics.start_equity, runs=runs)


def _only(markets: Collection[MarketSymbol]) -> MarketSymbol | None:
    return next(iter(markets)) if len(markets) == 1 else None


def fills_of(report: Report) -> OrderFilter:
    """Return which fills a report of an account or of a trading session lists."""
    if report.scope is ReportScope.ACCOUNT:
        return OrderFilter(account_id=report.scope_id, start=report.from_, end=report.to)
    return OrderFilter(trading_session_id=report.scope_id, start=report.from_, end=report.to)
