"""The figures of a report, from the equity curve and the round trips.

Ratios are of daily returns and are annualised by the square root of 365 (crypto trades every day). Sharpe and Sortino
are without a risk-free rate (Sharpe 1994; Sortino and Price 1994), Calmar is CAGR over the greatest drawdown (Young
1991), omega has the threshold 0 (Keating and Shadwick 2002), SQN is the square root of n times mean over deviation of
the profits (Tharp).
A figure is None where it would mean nothing: below ten daily returns, a week of time, or ten round trips.
"""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from itertools import groupby, pairwise

from domain.money import ZERO, divide
from domain.orders.types import OrderStatus
from domain.reports.round_trips import holding_seconds
from domain.reports.types import EquityPoint, PerformanceMetrics, RoundTrip

DAYS_A_YEAR = 365
MINIMUM_RETURNS = 10
MINIMUM_TRIPS = 10
MINIMUM_PERIOD = timedelta(days=7)
NEGLIGIBLE = 1e-12
"""A deviation below it is what rounding leaves of none at all."""


@dataclass(frozen=True, slots=True)
class MetricsInput:
    """What the figures are computed from; `turnover` and `fees` in `currency`."""

    currency: str
    curve: Sequence[EquityPoint]
    trips: Sequence[RoundTrip]
    start_equity: Decimal
    turnover: Decimal
    fees: Decimal
    order_counts: Mapping[OrderStatus, int]
    market_change_percent: float | None = None


def metrics(given: MetricsInput) -> PerformanceMetrics:
    """Return all figures."""
    closed = [trip for trip in given.trips if trip.closed_at is not None]
    profits = [trip.profit for trip in closed]
    wins = [profit for profit in profits if profit > 0]
    losses = [profit for profit in profits if profit < 0]
    end = given.curve[-1].equity if given.curve else given.start_equity
    returns = daily_returns(given.curve)
    growth = cagr(given.curve)
    drawdown, drawdown_percent, drawdown_days = greatest_drawdown(given.curve)
    return PerformanceMetrics(
        currency=given.currency,
        start_equity=given.start_equity,
        end_equity=end,
        net_profit=end - given.start_equity,
        net_profit_percent=_percent(end - given.start_equity, given.start_equity),
        market_change_percent=given.market_change_percent,
        cagr=growth,
        volatility=_annual(statistics.stdev(returns)) if returns else None,
        sharpe=_ratio(returns, statistics.stdev(returns)) if returns else None,
        sortino=_ratio(returns, _downside(returns)) if returns else None,
        calmar=_finite(growth / drawdown_percent) if growth is not None and drawdown_percent else None,
        omega=_omega(returns) if returns else None,
        sqn=_sqn(profits),
        max_drawdown=drawdown,
        max_drawdown_percent=drawdown_percent,
        max_drawdown_days=drawdown_days,
        round_trips=len(closed),
        wins=len(wins),
        losses=len(losses),
        win_rate=len(wins) / len(closed) * 100 if closed else None,
        profit_factor=float(sum(wins) / -sum(losses)) if losses else None,
        expectancy=_mean(profits),
        average_win=_mean(wins),
        average_loss=_mean(losses),
        best_trade=max(profits, default=None),
        worst_trade=min(profits, default=None),
        longest_win_streak=_longest_streak(profits, wins=True),
        longest_loss_streak=_longest_streak(profits, wins=False),
        average_holding_seconds=_average_holding(closed),
        exposure_percent=_exposure(given),
        turnover=given.turnover,
        fees=given.fees,
        orders_denied=given.order_counts.get(OrderStatus.DENIED, 0),
        orders_rejected=given.order_counts.get(OrderStatus.REJECTED, 0),
    )


def daily_returns(curve: Sequence[EquityPoint]) -> list[float]:
    """Return the returns from the last equity of each UTC day to the next's; empty where there are too few."""
    closes = [list(points)[-1].equity for _, points in groupby(curve, key=lambda point: point.at.date())]
    returns = [float(after / before) - 1 for before, after in pairwise(closes) if before > 0]
    return returns if len(returns) >= MINIMUM_RETURNS else []


def cagr(curve: Sequence[EquityPoint]) -> float | None:
    """Return the compound annual growth in percent; None below a week or where the equity began or ended at nothing."""
    if not curve or curve[-1].at - curve[0].at < MINIMUM_PERIOD or curve[0].equity <= 0 or curve[-1].equity <= 0:
        return None
    years = (curve[-1].at - curve[0].at) / timedelta(days=DAYS_A_YEAR)
    try:
        growth = math.exp(math.log(float(curve[-1].equity / curve[0].equity)) / years) - 1
    except OverflowError:
        return None
    return _finite(growth * 100)


def greatest_drawdown(curve: Sequence[EquityPoint]) -> tuple[Decimal, float | None, float | None]:
    """Return the deepest fall from a high in currency, and in percent, and the longest time below a high in days."""
    if not curve:
        return ZERO, None, None
    high, deepest, longest, below = curve[0], ZERO, timedelta(), False
    for point in curve:
        if below or point.equity < high.equity:
            # The moment of recovery ends the time below.
            longest = max(longest, point.at - high.at)
        below = point.equity < high.equity
        deepest = max(deepest, high.equity - point.equity)
        high = high if below else point
    return deepest, max(point.drawdown_percent for point in curve), longest / timedelta(days=1)


def _ratio(returns: Sequence[float], deviation: float) -> float | None:
    return _annual(statistics.fmean(returns) / deviation) if deviation > NEGLIGIBLE else None


def _downside(returns: Sequence[float]) -> float:
    return math.sqrt(statistics.fmean(min(one, 0.0) ** 2 for one in returns))


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _annual(daily: float) -> float:
    return daily * math.sqrt(DAYS_A_YEAR)


def _omega(returns: Sequence[float]) -> float | None:
    losses = -sum(one for one in returns if one < 0)
    return sum(one for one in returns if one > 0) / losses if losses else None


def _sqn(profits: Sequence[Decimal]) -> float | None:
    if len(profits) < MINIMUM_TRIPS:
        return None
    deviation = statistics.stdev(profits)
    return float(statistics.mean(profits) / deviation) * math.sqrt(len(profits)) if deviation else None


def _percent(part: Decimal, whole: Decimal) -> float | None:
    return float(part / whole * 100) if whole > 0 else None


def _mean(values: Sequence[Decimal]) -> Decimal | None:
    return divide(sum(values, ZERO), Decimal(len(values))) if values else None


def _longest_streak(profits: Sequence[Decimal], *, wins: bool) -> int:
    streaks = (len(list(run)) for good, run in groupby(profits, key=lambda one: one > 0 if wins else one < 0) if good)
    return max(streaks, default=0)


def _average_holding(closed: Sequence[RoundTrip]) -> float | None:
    return statistics.fmean(holding_seconds(trip, trip.opened_at) for trip in closed) if closed else None


def _exposure(given: MetricsInput) -> float | None:
    if len(given.curve) < 2:  # noqa: PLR2004  # a span needs two ends
        return None
    start, end = given.curve[0].at, given.curve[-1].at
    if end <= start:
        return None
    spans = sorted((max(trip.opened_at, start), min(trip.closed_at or end, end)) for trip in given.trips)
    covered, reached = timedelta(), start
    for opened, closed in spans:
        covered += max(closed - max(opened, reached), timedelta())
        reached = max(reached, closed)
    return covered / (end - start) * 100
