"""The part of a backtest that is computed in a process of its own."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from domain.backtest.bars import Bars
from domain.backtest.engine import NoBars, UnsupportedDefinition, run_backtest
from domain.backtest.plan import BacktestPlan
from domain.model.backtests import BacktestOutcome
from domain.model.definitions import StrategyDefinition
from domain.model.markets import Market, Timeframe
from domain.research.compute_pool import OnProgress
from domain.rules.costs import TradingCosts
from domain.strategies.compiled import compile_definition

MAX_ROUND_TRIPS: Final = 10_000
"""How many round trips of a backtest are kept."""


@dataclass(frozen=True, slots=True)
class BacktestTask:
    """A backtest as it is sent to a process: all that it needs, and nothing that can't be pickled."""

    definition: StrategyDefinition
    parameters: Mapping[str, Decimal]
    market: Market
    timeframe: Timeframe
    costs: TradingCosts
    initial_equity: Decimal
    latency_milliseconds: int
    bars: Bars
    start: int


@dataclass(frozen=True, slots=True)
class RefusedBacktest:
    """A backtest that can't be run, and why."""

    reason: str


def compute_backtest(task: BacktestTask, on_progress: OnProgress) -> BacktestOutcome | RefusedBacktest:
    """Run the backtest; an error that its user can act on is returned, not raised."""
    plan = BacktestPlan(
        task.definition,
        compile_definition(task.definition, task.parameters, task.timeframe),
        task.market,
        task.timeframe,
        task.costs,
        task.initial_equity,
        task.latency_milliseconds,
    )
    try:
        result = run_backtest(plan, task.bars, task.start, on_progress)
    except UnsupportedDefinition as error:
        return RefusedBacktest(str(error))
    except NoBars:
        return RefusedBacktest("There are no candles in the period.")
    count = len(result.round_trips)
    notes = [] if result.message is None else [f"{result.message.rstrip('.')}."]
    if count > MAX_ROUND_TRIPS:
        notes.append(
            f"The first {MAX_ROUND_TRIPS:,} of {count:,} round trips are kept; all of them count in the metrics."
        )
    return BacktestOutcome(
        result.metrics, result.equity_curve, result.round_trips[:MAX_ROUND_TRIPS], result.hash, tuple(notes)
    )
