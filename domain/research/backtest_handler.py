"""Computes requested backtests as jobs."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Final

from domain.core.money import plain
from domain.jobs.counts import WorkCounts
from domain.jobs.handler import JobFailed, JobOutcome, JobRun
from domain.model.backtests import Backtest, BacktestOutcome
from domain.model.events import NewEvent
from domain.model.jobs import JobKind
from domain.ports.unit_of_work import Database, UnitOfWork
from domain.research.backtest_task import BacktestTask, RefusedBacktest, compute_backtest
from domain.research.candle_loader import CandleLoader, LoadedCandles
from domain.research.candle_needs import needs_of
from domain.research.compute_pool import ComputePool, compute_for_job
from domain.research.listed_markets import listed_markets
from domain.rules.costs import TradingCosts
from domain.strategies.compiled import compile_definition

FETCHED: Final = 0.5
"""The progress after the missing candles were fetched and all of them read."""


class BacktestHandler:
    """Computes backtests; see `domain.jobs.handler.JobHandler`."""

    kind = JobKind.BACKTEST

    def __init__(
        self, database: Database, candles: CandleLoader, processes: ComputePool, counts: WorkCounts | None = None
    ) -> None:
        self._database = database
        self._candles = candles
        self._processes = processes
        self._counts = counts or WorkCounts()

    async def run(self, run: JobRun) -> JobOutcome:
        """Compute the backtest of the job."""
        async with self._database.read_only() as reading:
            backtest = await reading.backtests.get_for_job(run.job.id)
            if backtest is None:
                raise JobFailed("The backtest no longer exists.")
            markets = await listed_markets(reading, backtest.markets)
        compiled = compile_definition(backtest.definition, _parameters(backtest), backtest.timeframe)
        period = (backtest.period_start, backtest.period_end)
        needs = needs_of(markets, backtest.timeframe, period, [compiled], backtest.settings.detail_timeframe)
        candles = await self._candles.load(needs, lambda share: run.report(FETCHED * share))
        run.report(FETCHED)
        outcome = await self._compute(backtest, candles, run)
        self._counts.candles["backtest"] += candles.count

        async def store(transaction: UnitOfWork) -> Sequence[NewEvent]:
            await transaction.backtests.set_outcome(backtest.id, outcome)
            return ()

        return JobOutcome(_summary(outcome), store)

    async def _compute(self, backtest: Backtest, candles: LoadedCandles, run: JobRun) -> BacktestOutcome:
        task = BacktestTask(
            backtest.definition,
            _parameters(backtest),
            candles.markets,
            backtest.timeframe,
            backtest.period_start,
            TradingCosts.of_percents(backtest.taker_fee_percent, backtest.maker_fee_percent, backtest.slippage_bps),
            backtest.initial_equity,
            backtest.latency_milliseconds,
            backtest.settings,
        )
        computed = await compute_for_job(
            self._processes,
            compute_backtest,
            task,
            lambda share: run.report(FETCHED + (1 - FETCHED) * share),
            "The backtest",
        )
        if isinstance(computed, RefusedBacktest):
            raise JobFailed(computed.reason)
        return replace(computed, notes=(*candles.notes, *computed.notes))


def _parameters(backtest: Backtest) -> dict[str, Decimal]:
    return {parameter.name: parameter.value for parameter in backtest.parameters}


def _summary(outcome: BacktestOutcome) -> str:
    metrics = outcome.metrics
    result = f"{metrics.round_trips:,} round trips, net profit {plain(metrics.net_profit.quantize(Decimal('0.01')))}"
    return " ".join((f"{result} {metrics.currency}.", *outcome.notes))
