"""Evaluates a strategy on a market's newest candles by a walk-forward analysis.

The newest candles are cut into folds. The part before each out-of-sample part chooses the strategy's parameters among a
few, and these are then traded on it: each result is one that could have been had at the time (R. Pardo, The Evaluation
and Optimization of Trading Strategies, 2nd edition, 2008, chapter 11). What was earned is then divided by the direction
that the trend had when each candle opened.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import pairwise
from typing import Final

import numpy as np

from domain.backtest.bars import Bars
from domain.backtest.result import BacktestResult
from domain.core.money import EXACT, ZERO
from domain.indicators.candle_arrays import Floats
from domain.indicators.trend_series import direction_bars, trend_directions
from domain.model.definitions import StrategyDefinition
from domain.model.markets import Market
from domain.model.optimizations import Fold
from domain.model.recommendations import AssumedCosts, JudgedPart, TrendResult, WalkForward
from domain.model.reports import EquityPoint, PerformanceMetrics, RoundTrip
from domain.model.trading import ParameterValue
from domain.performance.equity_curve import with_drawdown
from domain.performance.metrics import MetricsInput, metrics
from domain.performance.returns import growth_index
from domain.recommendations.fitting import Candidate, Values
from domain.recommendations.moments import bar_returns, weighted_moments
from domain.rules.costs import TradingCosts

FOLDS: Final = 5
CANDLES: Final = 2_000
"""The newest candles that are looked at: older ones say little of the market now."""
OTHER_TRENDS_WEIGHT: Final = 0.25
"""How much a candle of another trend counts, compared with one of the present trend."""


@dataclass(frozen=True, slots=True)
class _Judged:
    """An out-of-sample part and what was traded on it."""

    part: JudgedPart
    result: BacktestResult


def evaluate(
    definition: StrategyDefinition, market: Market, bars: Bars, folds: Sequence[Fold], assumed: AssumedCosts
) -> WalkForward | None:
    """Return the result on the folds, whose candles are among the bars; None if a part of one has no candles.

    Raises `InputErrors` and `UnsupportedDefinition`.
    """
    costs = TradingCosts.of_market(market, assumed.slippage_bps)
    candidate = Candidate(definition, market, bars.timeframe, costs)
    equity, judged = assumed.initial_equity, list[_Judged]()
    for fold in folds:
        one = _trade(candidate, bars, fold, equity)
        if one is None:
            return None
        judged.append(one)
        equity = one.result.equity_curve[-1].equity
    newest = folds[-1]
    first = bars.index_of(newest.start + (newest.end - newest.split))
    latest = candidate.best(bars, first, bars.index_of(newest.end), assumed.initial_equity)
    results = [one.result for one in judged]
    curve = _joined([result.equity_curve for result in results])
    up, down, sideways = (_of_trend(curve, bars, direction) for direction in (1.0, -1.0, 0.0))
    return WalkForward(
        metrics=_metrics(market, curve, results, bars, folds),
        parts=tuple(one.part for one in judged),
        up=up,
        down=down,
        sideways=sideways,
        parameters=_values(latest),
    )


def _trade(candidate: Candidate, bars: Bars, fold: Fold, equity: Decimal) -> _Judged | None:
    start, split, end = (bars.index_of(at) for at in (fold.start, fold.split, fold.end))
    if not start < split < end:
        return None
    values = candidate.best(bars, start, split, equity)
    result = candidate.run(values, bars, split, end, equity)
    if result is None:
        return None
    growth = (growth_index(result.equity_curve)[-1] - 1) * 100
    return _Judged(JudgedPart(fold.split, fold.end, _values(values), growth), result)


def _joined(curves: Sequence[Sequence[EquityPoint]]) -> tuple[EquityPoint, ...]:
    """Return the curves as one; each begins with the equity that the one before has ended with."""
    points = list(curves[0])
    for curve in curves[1:]:
        points += [point for point in curve if point.at > points[-1].at]
    return with_drawdown([replace(point, drawdown_percent=0.0) for point in points])


def _of_trend(curve: Sequence[EquityPoint], bars: Bars, direction: float) -> TrendResult:
    returns = bar_returns(growth_index(curve))
    inside = _directions(curve, bars) == direction
    begins = np.count_nonzero(inside[1:] & ~inside[:-1]) + int(len(inside) > 0 and inside[0])
    weights = np.where(inside, 1.0, OTHER_TRENDS_WEIGHT)
    return TrendResult(
        candles=int(np.count_nonzero(inside)),
        stretches=int(begins),
        growth_percent=(float(np.prod(1 + returns[inside])) - 1) * 100,
        moments=weighted_moments(returns, weights),
    )


def _directions(curve: Sequence[EquityPoint], bars: Bars) -> Floats:
    """Return the direction of the trend at the beginning of each step of the curve, as it was known then."""
    known = trend_directions(bars.candles)
    # The candle of a step begins where the step does; the newest one that had closed by then is the one before.
    closed = np.array([bars.index_of(start.at) - 1 for start, _ in pairwise(curve)], dtype=np.int64)
    return np.where(closed >= direction_bars() - 1, known[np.maximum(closed, 0)], 0.0)


def _metrics(
    market: Market,
    curve: Sequence[EquityPoint],
    results: Sequence[BacktestResult],
    bars: Bars,
    folds: Sequence[Fold],
) -> PerformanceMetrics:
    trips: list[RoundTrip] = [trip for result in results for trip in result.round_trips]
    slippages = [result.metrics.slippage for result in results if result.metrics.slippage is not None]
    figures = metrics(
        MetricsInput(
            currency=market.quote,
            curve=curve,
            trips=trips,
            start_equity=curve[0].equity,
            turnover=_sum([result.metrics.turnover for result in results]),
            fees=_sum([result.metrics.fees for result in results]),
            order_counts={},
            market_change_percent=_market_change(bars, folds),
            slippage=_sum(slippages) if slippages else None,
        )
    )
    return replace(
        figures,
        orders_denied=sum(result.metrics.orders_denied for result in results),
        orders_rejected=sum(result.metrics.orders_rejected for result in results),
    )


def _market_change(bars: Bars, folds: Sequence[Fold]) -> float | None:
    first, last = bars.index_of(folds[0].split), bars.index_of(folds[-1].end) - 1
    opened = float(bars.candles.open[first])
    return (float(bars.candles.close[last]) - opened) / opened * 100 if opened else None


def _values(values: Values) -> tuple[ParameterValue, ...]:
    return tuple(ParameterValue(name, value) for name, value in values.items())


def _sum(amounts: Sequence[Decimal]) -> Decimal:
    total = ZERO
    for amount in amounts:
        total = EXACT.add(total, amount)
    return total
