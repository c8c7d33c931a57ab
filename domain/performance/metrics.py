"""The metrics of a report, from the equity curve and the round trips.

Returns are time-weighted (`domain.performance.returns`). Ratios are of daily returns and are annualised by the square
root of 365 (crypto trades every day); deviations are those of a sample. Sharpe and Sortino are without a risk-free rate
(Sharpe 1994; Sortino and Price 1994), Calmar is CAGR over the greatest drawdown (Young 1991), omega has the threshold 0
(Keating and Shadwick 2002), SQN is the square root of n times mean over deviation of the profits (Tharp).
A metric is None if it would be meaningless: with less than ten daily returns, a week, or ten round trips.
"""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from itertools import accumulate, groupby
from operator import attrgetter

from domain.core.money import EXACT, ZERO, divide
from domain.model.orders import OrderStatus
from domain.model.reports import EquityPoint, PerformanceMetrics, RoundTrip
from domain.performance.returns import NEGLIGIBLE, daily_returns, drawdowns, growth_index, invested_since
from domain.performance.round_trips import holding_seconds

DAYS_A_YEAR = 365
MINIMUM_RETURNS = 10
MINIMUM_TRIPS = 10
MINIMUM_PERIOD = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class MetricsInput:
    """The input of the metrics; amounts are in `currency`.

    `prices_known` is False if the equity at the end of a day isn't known because a price is missing: then the returns
    of the period are unknown.
    """

    currency: str
    curve: Sequence[EquityPoint]
    trips: Sequence[RoundTrip]
    start_equity: Decimal
    turnover: Decimal
    fees: Decimal
    order_counts: Mapping[OrderStatus, int]
    market_change_percent: float | None = None
    prices_known: bool = True
    slippage: Decimal | None = None


def metrics(data: MetricsInput) -> PerformanceMetrics:
    """Return all metrics of a period."""
    closed = [trip for trip in data.trips if trip.closed_at is not None]
    profits = [trip.profit for trip in closed]
    wins = [profit for profit in profits if profit > 0]
    losses = [profit for profit in profits if profit < 0]
    end = data.curve[-1].equity if data.curve else data.start_equity
    net_deposits = data.curve[-1].net_deposits if data.curve else ZERO
    curve = data.curve if data.prices_known else ()
    index = growth_index(curve)
    returns = _if_enough(daily_returns(curve, index))
    growth = cagr(curve, index)
    drawdown_percent, drawdown_days = greatest_drawdown(curve, index)
    return PerformanceMetrics(
        currency=data.currency,
        start_equity=data.start_equity,
        end_equity=end,
        net_deposits=net_deposits,
        net_profit=end - data.start_equity - net_deposits,
        net_profit_percent=total_return(curve, index),
        market_change_percent=data.market_change_percent,
        cagr=growth,
        volatility=_annual(statistics.stdev(returns)) * 100 if returns else None,
        sharpe=_ratio(returns, statistics.stdev(returns)) if returns else None,
        sortino=_ratio(returns, _downside(returns)) if returns else None,
        calmar=_finite(growth / drawdown_percent) if growth is not None and drawdown_percent else None,
        omega=_omega(returns) if returns else None,
        sqn=_sqn(profits),
        max_drawdown=greatest_fall(data.curve),
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
        exposure_percent=_exposure(data),
        turnover=data.turnover,
        fees=data.fees,
        slippage=data.slippage,
        orders_denied=data.order_counts.get(OrderStatus.DENIED, 0),
        orders_rejected=data.order_counts.get(OrderStatus.REJECTED, 0),
    )


def total_return(curve: Sequence[EquityPoint], index: Sequence[float]) -> float | None:
    """Return the time-weighted return of the curve in percent; None if nothing was ever invested."""
    return None if invested_since(curve) is None else (index[-1] - 1) * 100


def cagr(curve: Sequence[EquityPoint], index: Sequence[float]) -> float | None:
    """Return the compound annual growth rate in percent; None for less than a week, or if nothing was left."""
    since = invested_since(curve)
    if since is None or curve[-1].at - since < MINIMUM_PERIOD:
        return None
    growth, years = index[-1], (curve[-1].at - since) / timedelta(days=DAYS_A_YEAR)
    try:
        return _finite((math.exp(math.log(growth) / years) - 1) * 100) if growth > 0 else None
    except OverflowError:
        return None


def greatest_drawdown(curve: Sequence[EquityPoint], index: Sequence[float]) -> tuple[float | None, float | None]:
    """Return the maximum drawdown of the time-weighted return in percent, and the longest one in days."""
    if not curve:
        return None, None
    return max(drawdowns(index)), _longest_drawdown(curve, index) / timedelta(days=1)


def greatest_fall(curve: Sequence[EquityPoint]) -> Decimal:
    """Return the maximum drawdown of the profit in currency; deposits and withdrawals don't count."""
    profits = [EXACT.subtract(point.equity, point.net_deposits) for point in curve]
    falls = (EXACT.subtract(high, profit) for profit, high in zip(profits, accumulate(profits, max), strict=True))
    return max(falls, default=ZERO)


def _longest_drawdown(curve: Sequence[EquityPoint], index: Sequence[float]) -> timedelta:
    high, since, longest, below = index[0], curve[0].at, timedelta(), False
    for point, value in zip(curve, index, strict=True):
        was_below, below = below, value < high * (1 - NEGLIGIBLE)
        if was_below or below:
            # The drawdown lasts until the point of recovery.
            longest = max(longest, point.at - since)
        if not below:
            high, since = value, point.at
    return longest


def _if_enough(returns: list[float]) -> list[float]:
    return returns if len(returns) >= MINIMUM_RETURNS else []


def _ratio(returns: Sequence[float], deviation: float) -> float | None:
    return _annual(statistics.fmean(returns) / deviation) if deviation > NEGLIGIBLE else None


def _downside(returns: Sequence[float]) -> float:
    return math.sqrt(statistics.fmean(min(value, 0.0) ** 2 for value in returns))


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _annual(daily: float) -> float:
    return daily * math.sqrt(DAYS_A_YEAR)


def _omega(returns: Sequence[float]) -> float | None:
    losses = -sum(value for value in returns if value < 0)
    return sum(value for value in returns if value > 0) / losses if losses else None


def _sqn(profits: Sequence[Decimal]) -> float | None:
    if len(profits) < MINIMUM_TRIPS:
        return None
    values = [float(profit) for profit in profits]
    mean = math.fsum(values) / len(values)
    deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1))
    return mean / deviation * math.sqrt(len(values)) if min(values) < max(values) else None


def _mean(values: Sequence[Decimal]) -> Decimal | None:
    return divide(sum(values, ZERO), Decimal(len(values))) if values else None


def _longest_streak(profits: Sequence[Decimal], *, wins: bool) -> int:
    runs = groupby(profits, key=lambda profit: profit > 0 if wins else profit < 0)
    streaks = (len(list(run)) for matches, run in runs if matches)
    return max(streaks, default=0)


def _average_holding(closed: Sequence[RoundTrip]) -> float | None:
    return statistics.fmean(holding_seconds(trip, trip.opened_at) for trip in closed) if closed else None


def _exposure(data: MetricsInput) -> float | None:
    if len(data.curve) < 2:  # noqa: PLR2004  # a span needs two ends
        return None
    start, end = data.curve[0].at, data.curve[-1].at
    if end <= start:
        return None
    covered, reached = timedelta(), start
    for trip in sorted(data.trips, key=attrgetter("opened_at")):
        closed = trip.closed_at or end
        if closed > reached:
            closed = min(closed, end)
            covered += max(closed - max(trip.opened_at, reached), timedelta())
            reached = closed
    return covered / (end - start) * 100
