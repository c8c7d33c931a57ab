"""Every figure of daily returns, beside what empyrical says of the same curve."""

import math
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest

from domain.model.reports import EquityPoint, PerformanceMetrics
from domain.performance.metrics import MetricsInput, metrics

START = datetime(2026, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)
YEAR = {"annualization": 365}


def random_walk(days: int, seed: int) -> list[float]:
    chance = random.Random(seed)
    equities = [10_000.0]
    for _ in range(days):
        equities.append(round(equities[-1] * (1 + chance.gauss(0.001, 0.03)), 4))
    return equities


def with_payments(equities: Sequence[float], payments: dict[int, float]) -> list[EquityPoint]:
    """Return the curve of the same returns, with money paid in or taken out at the end of some days."""
    points, scale, paid_in = [], Decimal(1), Decimal(0)
    for day, equity in enumerate(equities):
        worth = Decimal(str(equity)) * scale
        payment = Decimal(str(payments.get(day, 0)))
        paid_in += payment
        scale *= (worth + payment) / worth
        points.append(EquityPoint(START + day * DAY, worth + payment, 0.0, paid_in))
    return points


GAPS = {3, 4, 5, 11, 12, 20}
WALK = random_walk(120, seed=7)
CURVES: dict[str, tuple[list[float], list[EquityPoint]]] = {
    "loses half on the first day": (half := [10_000.0, *(5_000 * 1.001**n * (1 + n % 2 / 500) for n in range(13))],
                                    with_payments(half, {})),
    "gaps of several days": (gaps := [day for n, day in enumerate(WALK[:41])], with_payments(gaps, {})),
    "three days": (three := [100.0, 104.0, 101.0, 103.0], with_payments(three, {})),
    "flat": ([100.0] * 31, with_payments([100.0] * 31, {})),
    "a random walk": (WALK, with_payments(WALK, {})),
    "a random walk with deposits and withdrawals": (WALK, with_payments(WALK, {5: 90_000, 40: -20_000, 99: 123.456})),
    "a year of small losses": (fall := [1_000 * 0.999**n * (1 + n % 3 / 1_000) for n in range(366)],
                               with_payments(fall, {})),
}  # fmt: skip


def gappy(equities: list[float]) -> list[float]:
    """Return the equities with those of the days without a mark carried forward."""
    carried = list(equities)
    for day in sorted(GAPS):
        carried[day] = carried[day - 1]
    return carried


@pytest.fixture(params=CURVES)
def curve(request: pytest.FixtureRequest) -> tuple[np.ndarray, PerformanceMetrics, int]:
    equities, points = CURVES[request.param]
    if request.param == "gaps of several days":
        equities = gappy(equities)
        points = [point for day, point in enumerate(points) if day not in GAPS]
    figures = metrics(MetricsInput("USDT", points, [], points[0].equity, Decimal(0), Decimal(0), {}))
    return np.diff(equities) / np.asarray(equities[:-1]), figures, len(equities) - 1


def same(ours: float | None, theirs: float, *, known: bool = True) -> None:
    """Check a figure; what isn't a number to empyrical, or is known to be too short for one, is None to us."""
    if not known or not math.isfinite(theirs):
        assert ours is None
    else:
        assert ours == pytest.approx(theirs, rel=1e-9, abs=1e-12)


def test_the_figures_are_those_of_empyrical(curve: tuple[np.ndarray, PerformanceMetrics, int]) -> None:
    import empyrical  # noqa: PLC0415  # it takes a second, in the one process that runs this

    returns, ours, days = curve
    enough, varies = days >= 10, bool(np.std(returns) > 1e-12)
    same(ours.net_profit_percent, empyrical.cum_returns_final(returns) * 100)
    same(ours.max_drawdown_percent, -empyrical.max_drawdown(returns) * 100)
    same(ours.volatility, empyrical.annual_volatility(returns, **YEAR) * 100, known=enough)
    same(ours.sharpe, empyrical.sharpe_ratio(returns, **YEAR), known=enough and varies)
    with np.errstate(invalid="ignore", divide="ignore"):
        same(ours.sortino, empyrical.sortino_ratio(returns, **YEAR), known=enough)
        same(ours.omega, empyrical.omega_ratio(returns, **YEAR), known=enough)
    same(ours.cagr, empyrical.annual_return(returns, **YEAR) * 100, known=days >= 7)
    same(ours.calmar, empyrical.calmar_ratio(returns, **YEAR), known=days >= 7)


def test_the_curves_are_as_they_are_called() -> None:
    assert CURVES["loses half on the first day"][0][1] == pytest.approx(5_000)
    assert len(CURVES["three days"][1]) == 4
    assert len({point.equity for point in CURVES["flat"][1]}) == 1
    paid = CURVES["a random walk with deposits and withdrawals"][1]
    assert paid[-1].net_deposits == Decimal("70123.456")
