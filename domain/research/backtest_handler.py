"""Computes requested backtests as jobs."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Final

from domain.core.money import plain
from domain.jobs.handler import JobFailed, JobOutcome, JobRun
from domain.model.backtests import Backtest, BacktestOutcome
from domain.model.events import NewEvent
from domain.model.jobs import JobKind
from domain.model.markets import Market
from domain.ports.unit_of_work import Database, UnitOfWork
from domain.research.backtest_task import BacktestTask, RefusedBacktest, compute_backtest
from domain.research.candle_loader import CandleLoader, CandleRequest, LoadedCandles
from domain.research.compute_pool import ComputationCrashed, ComputationTooLarge, ComputationTooLong, ComputePool
from domain.rules.costs import TradingCosts
from domain.strategies.compiled import compile_definition

FETCHED: Final = 0.5
"""The progress after the missing candles were fetched and all of them read."""


class BacktestHandler:
    """Computes backtests; see `domain.jobs.handler.JobHandler`."""

    kind = JobKind.BACKTEST

    def __init__(self, database: Database, candles: CandleLoader, processes: ComputePool) -> None:
        self._database = database
        self._candles = candles
        self._processes = processes

    async def run(self, run: JobRun) -> JobOutcome:
        """Compute the backtest of the job."""
        async with self._database.read_only() as reading:
            backtest = await reading.backtests.get_for_job(run.job.id)
            # Not the node's catalogue: another node may have learned of the market a moment ago.
            markets = {market.symbol: market for market in await reading.market_data.markets()}
        if backtest is None:
            raise JobFailed("The backtest no longer exists.")
        market = markets.get(backtest.market)
        if market is None:
            raise JobFailed(f"{backtest.market} is no longer listed by its venue.")
        request = CandleRequest(
            backtest.market,
            backtest.timeframe,
            backtest.period_start,
            backtest.period_end,
            compile_definition(backtest.definition, _parameters(backtest), backtest.timeframe).warm_up,
        )
        candles = await self._candles.load(request, lambda share: run.report(FETCHED * share))
        run.report(FETCHED)
        outcome = await self._compute(backtest, market, candles, run)

        async def store(transaction: UnitOfWork) -> Sequence[NewEvent]:
            await transaction.backtests.set_outcome(backtest.id, outcome)
            return ()

        return JobOutcome(_summary(outcome), store)

    async def _compute(
        self, backtest: Backtest, market: Market, candles: LoadedCandles, run: JobRun
    ) -> BacktestOutcome:
        task = BacktestTask(
            backtest.definition,
            _parameters(backtest),
            market,
            backtest.timeframe,
            TradingCosts.of_percents(backtest.taker_fee_percent, backtest.maker_fee_percent, backtest.slippage_bps),
            backtest.initial_equity,
            backtest.latency_milliseconds,
            candles.bars,
            candles.start,
        )
        try:
            computed = await self._processes.run(
                compute_backtest, task, lambda share: run.report(FETCHED + (1 - FETCHED) * share)
            )
        except ComputationTooLong as error:
            raise JobFailed(
                f"The backtest took {error}. Choose a shorter period, a longer timeframe or simpler rules."
            ) from None
        except ComputationCrashed:
            raise JobFailed(
                "The process that computed the backtest came to an end, as one does when the system is out of memory. "
                "Choose a shorter period or a longer timeframe, or try again."
            ) from None
        except ComputationTooLarge:
            raise JobFailed(
                "The backtest needs more memory than a computation may have. Choose a shorter period, a longer "
                "timeframe or simpler rules."
            ) from None
        if isinstance(computed, RefusedBacktest):
            raise JobFailed(computed.reason)
        return replace(computed, notes=(*candles.notes, *computed.notes))


def _parameters(backtest: Backtest) -> dict[str, Decimal]:
    return {parameter.name: parameter.value for parameter in backtest.parameters}


def _summary(outcome: BacktestOutcome) -> str:
    metrics = outcome.metrics
    result = f"{metrics.round_trips:,} round trips, net profit {plain(metrics.net_profit.quantize(Decimal('0.01')))}"
    return " ".join((f"{result} {metrics.currency}.", *outcome.notes))
