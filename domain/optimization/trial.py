"""Runs one trial: a backtest on each part of its fold, apart from each other."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from domain.backtest.bars import Bars
from domain.backtest.engine import NoBars, UnsupportedDefinition, run_backtest
from domain.backtest.plan import BacktestPlan
from domain.core.errors import InputErrors
from domain.model.definitions import StrategyDefinition
from domain.model.markets import Market, Timeframe
from domain.model.optimizations import Fold, Optimization, OptimizationObjective, TrialResult
from domain.optimization.luck import return_moments
from domain.optimization.objectives import score
from domain.performance.returns import daily_returns, growth_index
from domain.rules.costs import TradingCosts
from domain.strategies.compiled import compile_definition


@dataclass(frozen=True, slots=True)
class TrialPlan:
    """What the trials of an optimization have in common, apart from the candles."""

    definition: StrategyDefinition
    market: Market
    timeframe: Timeframe
    costs: TradingCosts
    initial_equity: Decimal
    latency_milliseconds: int
    objective: OptimizationObjective

    def with_parameters(self, parameters: Mapping[str, Decimal]) -> BacktestPlan:
        """Return the backtest of a set of parameters; raises `InputErrors`."""
        return BacktestPlan(
            self.definition,
            compile_definition(self.definition, parameters, self.timeframe),
            self.market,
            self.timeframe,
            self.costs,
            self.initial_equity,
            self.latency_milliseconds,
        )


@dataclass(frozen=True, slots=True)
class TrialCall:
    """All that a process needs to run a trial."""

    plan: TrialPlan
    bars: Bars
    fold: Fold
    parameters: Mapping[str, Decimal]


def answer_trial(call: TrialCall, on_progress: Callable[[float], None]) -> TrialResult:
    """Return the result of a trial, in a process of a compute pool."""
    return run_trial(call.plan, call.bars, call.fold, call.parameters, on_progress)


def trial_plan(optimization: Optimization) -> TrialPlan:
    """Return what the trials of a stored optimization have in common."""
    costs = TradingCosts.of_percents(
        optimization.taker_fee_percent, optimization.maker_fee_percent, optimization.slippage_bps
    )
    return TrialPlan(
        optimization.definition,
        optimization.market,
        optimization.timeframe,
        costs,
        optimization.initial_equity,
        optimization.latency_milliseconds,
        optimization.objective,
    )


def run_trial(
    plan: TrialPlan,
    bars: Bars,
    fold: Fold,
    parameters: Mapping[str, Decimal],
    on_progress: Callable[[float], None] = lambda _share: None,
) -> TrialResult:
    """Return the result of a trial on bars that begin before its fold, to warm up the strategy.

    Both parts begin with the initial equity and without a position. The candles before a part only warm it up, and
    none after it are seen. An exception of `on_progress` ends the trial.
    """
    try:
        backtest = plan.with_parameters(parameters)
    except InputErrors as errors:
        return TrialResult(message=str(errors))
    start, split, end = (bars.index_of(at) for at in (fold.start, fold.split, fold.end))
    warm_up = backtest.compiled.warm_up
    try:
        fitted, judged = (
            run_backtest(backtest, bars.between(max(first - warm_up, 0), last), min(first, warm_up), on_progress)
            for first, last in ((start, split), (split, end))
        )
    except NoBars:
        return TrialResult(message="There are no candles in a part of the fold.")
    except UnsupportedDefinition as error:
        return TrialResult(message=str(error))
    return TrialResult(
        in_sample=fitted.metrics,
        out_of_sample=judged.metrics,
        score=score(plan.objective, fitted.metrics),
        moments=return_moments(daily_returns(fitted.equity_curve, growth_index(fitted.equity_curve))),
    )
