import math
import statistics
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest

from domain.model.reports import EquityPoint, PerformanceMetrics, PositionSide, RoundTrip
from domain.performance.metrics import MetricsInput, metrics
from domain.performance.returns import daily_returns, growth_index
from tests.support.orders import NOW, D

DAY = timedelta(days=1)


MIDNIGHT = NOW.replace(hour=0, minute=0)


def curve(*equities: object, step: timedelta = DAY, start: datetime = MIDNIGHT) -> list[EquityPoint]:
    return [EquityPoint(start + number * step, D(str(equity)), 0.0) for number, equity in enumerate(equities)]


def trips(*profits: object) -> list[RoundTrip]:
    return [
        RoundTrip(NOW, NOW + DAY, PositionSide.LONG, D(1), D(100), D(100), D(str(profit)), None, D(0))
        for profit in profits
    ]


def returns(points: list[EquityPoint]) -> list[float]:
    return daily_returns(points, growth_index(points))


def figures(points: list[EquityPoint], done: list[RoundTrip] | None = None) -> PerformanceMetrics:
    return metrics(MetricsInput("USDT", points, done or [], points[0].equity, D(0), D(0), {}))


def test_ratios_are_those_of_the_daily_returns_over_a_year_of_365_days() -> None:
    equities = [100, 102, 101, 104, 103, 107, 106, 108, 107, 110, 112, 111]
    daily = [after / before - 1 for before, after in pairwise(equities)]
    mean, year = statistics.fmean(daily), math.sqrt(365)
    downside = math.sqrt(sum(min(value, 0) ** 2 for value in daily) / len(daily))
    result = figures(curve(*equities))

    assert result.volatility == pytest.approx(statistics.stdev(daily) * year * 100)
    assert result.sharpe == pytest.approx(mean / statistics.stdev(daily) * year)
    assert result.sortino == pytest.approx(mean / downside * year)
    assert result.omega == pytest.approx(sum(r for r in daily if r > 0) / -sum(r for r in daily if r < 0))
    assert result.cagr == pytest.approx((1.11 ** (365 / 11) - 1) * 100)
    assert result.calmar == pytest.approx(result.cagr / result.max_drawdown_percent)


def test_only_the_last_equity_of_a_day_counts_for_its_return() -> None:
    daily = curve(*(100 + n % 3 for n in range(14)))
    noisy = [
        point
        for last in daily
        for point in (EquityPoint(last.at - timedelta(hours=3), D(50), 0.0), EquityPoint(last.at, last.equity, 0.0))
    ][1:]

    assert figures(noisy).sharpe == pytest.approx(figures(daily).sharpe)


def test_what_happens_on_the_first_and_on_the_last_part_of_a_day_counts() -> None:
    # From half past twelve on, with a loss of half in the first hours and a gain of a tenth in the last.
    points = [EquityPoint(NOW, D(200), 0.0), EquityPoint(NOW + timedelta(hours=2), D(100), 0.0)]
    points += curve(*[100] * 10, start=MIDNIGHT + DAY)
    points.append(EquityPoint(MIDNIGHT + timedelta(days=10, hours=1), D(110), 0.0))
    expected = [-0.5, *[0.0] * 9, 0.1]

    assert returns(points) == pytest.approx(expected)
    assert figures(points).sharpe == pytest.approx(statistics.fmean(expected) / statistics.stdev(expected) * 365**0.5)


def test_a_day_without_a_point_is_a_day_with_the_last_equity() -> None:
    whole = curve(*(100 + n // 5 for n in range(15)))
    gaps = [point for number, point in enumerate(whole) if number % 5 in {0, 4}]

    assert returns(gaps) == pytest.approx(returns(whole))
    assert figures(gaps).sharpe == pytest.approx(figures(whole).sharpe)


def test_a_point_at_midnight_ends_the_day_before_it() -> None:
    assert returns(curve(100, 110, 121)) == pytest.approx([0.1, 0.1])


def test_days_on_which_nothing_was_invested_are_no_days_of_the_returns() -> None:
    unfunded = [EquityPoint(MIDNIGHT + n * DAY, D(0), 0.0) for n in range(3)]
    funded = [EquityPoint(MIDNIGHT + n * DAY, D(100 + n), 0.0, D(103)) for n in range(3, 6)]

    assert returns([*unfunded, *funded]) == pytest.approx([0.0, 104 / 103 - 1, 105 / 104 - 1])
    assert figures(unfunded).net_profit_percent is None


def test_below_ten_returns_a_week_or_ten_round_trips_the_figures_are_none() -> None:
    short = figures(curve(*(100 + n % 2 for n in range(10))), trips(*(1, -1, 2) * 3))
    assert [short.sharpe, short.sortino, short.omega, short.volatility, short.sqn] == [None] * 5
    assert figures(curve(100, 110, step=timedelta(days=6))).cagr is None
    assert figures(curve(100, 110, step=timedelta(days=7))).cagr is not None


def test_returns_that_never_vary_have_no_sharpe_however_they_are_rounded() -> None:
    assert figures(curve(*[100] * 12)).sharpe is None
    assert figures(curve(*(Decimal(100) * Decimal("1.01") ** n for n in range(12)))).sharpe is None


def test_growth_beyond_all_numbers_is_none_and_ruin_has_no_growth() -> None:
    assert figures(curve("1E-9", "1E+20", step=timedelta(days=8))).cagr is None
    assert figures(curve(100, 0, step=timedelta(days=8))).cagr is None
    assert figures(curve(100, 0)).net_profit_percent == -100


def test_the_greatest_drawdown_is_deepest_in_money_and_longest_until_the_recovery() -> None:
    result = figures(curve(100, 90, 100, 120, 110, 105, 115, 121, 120))

    assert result.max_drawdown == 15
    assert result.max_drawdown_percent == pytest.approx(12.5)
    # From the high of 120 on the third day to the recovery on the seventh.
    assert result.max_drawdown_days == 4


def test_wins_losses_and_streaks() -> None:
    result = figures(curve(100, 101), trips(3, 1, -2, 0, 5, 4, 1, -1, -1, -2, 6))

    assert (result.round_trips, result.wins, result.losses) == (11, 6, 4)
    assert result.win_rate == pytest.approx(600 / 11)
    assert result.profit_factor == pytest.approx(20 / 6)
    assert (result.best_trade, result.worst_trade) == (6, -2)
    assert (result.average_win, result.average_loss) == (D("3.333333333333333333"), D("-1.5"))
    assert (result.longest_win_streak, result.longest_loss_streak) == (3, 3)
    profits = [3, 1, -2, 0, 5, 4, 1, -1, -1, -2, 6]
    assert result.sqn == pytest.approx(math.sqrt(11) * statistics.fmean(profits) / statistics.stdev(profits))


def test_without_a_loss_there_is_no_profit_factor_and_without_a_trip_no_average() -> None:
    assert figures(curve(100, 101), trips(1, 2)).profit_factor is None
    assert figures(curve(100, 101), trips(*[1] * 10)).sqn is None
    nothing = figures(curve(100, 101))
    assert [nothing.expectancy, nothing.best_trade, nothing.average_win, nothing.average_holding_seconds] == [None] * 4


def test_exposure_counts_time_in_the_market_once() -> None:
    points = curve(*[100] * 11, start=NOW)
    spans = [(0, 2), (1, 3), (5, 6), (9, None)]
    done = [
        replace(trip, opened_at=NOW + start * DAY, closed_at=None if end is None else NOW + end * DAY)
        for trip, (start, end) in zip(trips(*[0] * len(spans)), spans, strict=True)
    ]

    assert figures(points, done).exposure_percent == pytest.approx(50)
