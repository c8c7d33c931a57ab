"""Runs one trial: a backtest on each part of its fold, apart from each other."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from domain.backtest.engine import NoBars, UnsupportedDefinition, run_part
from domain.backtest.market_bars import MarketCandles
from domain.backtest.plan import BacktestPlan
from domain.core.errors import InputErrors
from domain.model.backtests import DEFAULT_SETTINGS, RunSettings
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
    timeframe: Timeframe
    costs: TradingCosts
    initial_equity: Decimal
    latency_milliseconds: int
    objective: OptimizationObjective
    settings: RunSettings = DEFAULT_SETTINGS

    def with_parameters(self, parameters: Mapping[str, Decimal], market: Market) -> BacktestPlan:
        """Return the backtest of a set of parameters, on a market and others; raises `InputErrors`."""
        return BacktestPlan(
            self.definition,
            compile_definition(self.definition, parameters, self.timeframe),
            market,
            self.timeframe,
            self.costs,
            self.initial_equity,
            self.latency_milliseconds,
            self.settings.max_open_positions,
            self.settings.risk_limits,
        )


@dataclass(frozen=True, slots=True)
class TrialCall:
    """All that a process needs to run a trial."""

    plan: TrialPlan
    candles: Sequence[MarketCandles]
    fold: Fold
    parameters: Mapping[str, Decimal]


def trial_call(
    plan: TrialPlan, candles: Sequence[MarketCandles], fold: Fold, parameters: Mapping[str, Decimal]
) -> TrialCall:
    """Return the call of a trial with the candles of its fold, and those that warm it up, alone."""
    try:
        warm_up = compile_definition(plan.definition, parameters, plan.timeframe).warm_up
    except InputErrors:
        warm_up = 0  # the trial's result says what is wrong
    return TrialCall(plan, [one.between(fold.start, fold.end, warm_up) for one in candles], fold, parameters)


def answer_trial(call: TrialCall, on_progress: Callable[[float], None]) -> TrialResult:
    """Return the result of a trial, in a process of a compute pool."""
    return run_trial(call.plan, call.candles, call.fold, call.parameters, on_progress)


def trial_plan(optimization: Optimization) -> TrialPlan:
    """Return what the trials of a stored optimization have in common."""
    costs = TradingCosts.of_percents(
        optimization.taker_fee_percent, optimization.maker_fee_percent, optimization.slippage_bps
    )
    return TrialPlan(
        optimization.definition,
        optimization.timeframe,
        costs,
        optimization.initial_equity,
        optimization.latency_milliseconds,
        optimization.objective,
        optimization.settings,
    )


def run_trial(
    plan: TrialPlan,
    candles: Sequence[MarketCandles],
    fold: Fold,
    parameters: Mapping[str, Decimal],
    on_progress: Callable[[float], None] = lambda _share: None,
) -> TrialResult:
    """Return the result of a trial on candles that begin before its fold, to warm up the strategy.

    Both parts begin with the initial equity and without a position. The candles before a part only warm it up, and
    none after it are seen. An exception of `on_progress` ends the trial.
    """
    try:
        backtest = plan.with_parameters(parameters, candles[0].market)
    except InputErrors as errors:
        return TrialResult(message=str(errors))
    try:
        fitted, judged = (
            run_part(backtest, candles, first, last, on_progress)
            for first, last in ((fold.start, fold.split), (fold.split, fold.end))
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
