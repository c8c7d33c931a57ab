"""The part of a backtest that is computed in a process of its own."""

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from domain.backtest.checks import run_checks
from domain.backtest.engine import NoBars, UnsupportedDefinition, run_markets
from domain.backtest.market_bars import MarketBars, MarketCandles
from domain.backtest.plan import BacktestPlan
from domain.core.clock import to_milliseconds
from domain.model.backtests import DEFAULT_SETTINGS, BacktestOutcome, RunSettings
from domain.model.definitions import StrategyDefinition
from domain.model.markets import Timeframe
from domain.research.compute_pool import OnProgress
from domain.rules.costs import TradingCosts
from domain.strategies.compiled import compile_definition

MAX_ROUND_TRIPS: Final = 10_000
"""How many round trips of a backtest are kept."""

_RUN_SHARE: Final = 0.4
"""The progress after the run, before its checks, which run it again over a part of the candles."""


@dataclass(frozen=True, slots=True)
class BacktestTask:
    """A backtest as it is sent to a process: all that it needs, and nothing that can't be pickled.

    Candles that open before `start` only warm it up. Of the round trips those that were opened at `kept_from` or later
    are kept, the first `MAX_ROUND_TRIPS` of them.
    """

    definition: StrategyDefinition
    parameters: Mapping[str, Decimal]
    candles: tuple[MarketCandles, ...]
    timeframe: Timeframe
    start: datetime
    costs: TradingCosts
    initial_equity: Decimal
    latency_milliseconds: int = 0
    settings: RunSettings = DEFAULT_SETTINGS
    kept_from: datetime | None = None


@dataclass(frozen=True, slots=True)
class RefusedBacktest:
    """A backtest that can't be run, and why."""

    reason: str


def compute_backtest(task: BacktestTask, on_progress: OnProgress) -> BacktestOutcome | RefusedBacktest:
    """Run the backtest; an error that its user can act on is returned, not raised."""
    settings = task.settings
    plan = BacktestPlan(
        task.definition,
        compile_definition(task.definition, task.parameters, task.timeframe),
        task.candles[0].market,
        task.timeframe,
        task.costs,
        task.initial_equity,
        task.latency_milliseconds,
        settings.max_open_positions,
        settings.risk_limits,
    )
    markets, start = [MarketBars.of(candles) for candles in task.candles], to_milliseconds(task.start)
    run_share = _RUN_SHARE if settings.checks else 1.0
    try:
        result = run_markets(plan, markets, start, lambda share: on_progress(run_share * share))
    except UnsupportedDefinition as error:
        return RefusedBacktest(str(error))
    except NoBars:
        return RefusedBacktest("There are no candles in the period.")
    checks = None
    if settings.checks:
        checks = run_checks(
            plan, markets, start, result, on_progress=lambda share: on_progress(run_share + (1 - run_share) * share)
        )
    trips = result.round_trips
    if task.kept_from is not None:
        trips = trips[bisect_left(trips, task.kept_from, key=lambda trip: trip.opened_at) :]
    count = len(trips)
    notes = [] if result.message is None else [f"{result.message.rstrip('.')}."]
    if count > MAX_ROUND_TRIPS:
        notes.append(
            f"The first {MAX_ROUND_TRIPS:,} of {count:,} round trips are kept; all of them count in the metrics."
        )
    kept = trips[:MAX_ROUND_TRIPS]
    return BacktestOutcome(result.metrics, result.equity_curve, kept, result.hash, tuple(notes), checks)
