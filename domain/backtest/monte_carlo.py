"""A Monte Carlo over the round trips of a backtest: what came of their order, and what of which ones there were.

Each trip is taken as a growth of the equity that there was when it closed. In another order they end at the same
equity, by other drawdowns; drawn with replacement, as in a bootstrap (B. Efron, 1979), they end elsewhere too.
"""

from collections.abc import Iterator, Sequence
from decimal import Decimal

import numpy as np
import numpy.typing as npt

from domain.indicators.candle_arrays import Floats
from domain.model.backtests import MonteCarlo, Quantiles
from domain.model.reports import RoundTrip

RUNS = 1_000
MINIMUM_TRIPS = 10
"""With fewer closed round trips nothing is computed: there is nothing to learn from so few."""
_MOST_NUMBERS = 2_000_000
_LEVELS = (0.05, 0.5, 0.95)


def monte_carlo(
    trips: Sequence[RoundTrip], start_equity: Decimal, seed: int = 0, runs: int = RUNS
) -> MonteCarlo | None:
    """Return what other orders and other draws of the closed round trips come to; None if there are too few."""
    growth = _growth(trips, start_equity)
    if len(growth) < MINIMUM_TRIPS:
        return None
    random, count = np.random.default_rng(seed), len(growth)
    actual = float(_drawdowns(growth[np.newaxis])[0])
    drawdowns, profits = [], []
    for size in _batches(runs, count):
        drawdowns.append(_drawdowns(random.permuted(np.tile(growth, (size, 1)), axis=1)))
        drawn = growth[random.integers(0, count, (size, count))]
        profits.append((np.prod(drawn, axis=1) - 1) * 100)
    drawdown, profit = np.concatenate(drawdowns), np.concatenate(profits)
    return MonteCarlo(
        runs=runs,
        seed=seed,
        trips=count,
        actual_drawdown=actual,
        drawdown=_quantiles(drawdown),
        deeper_percent=float(np.mean(drawdown > actual + 1e-9) * 100),
        profit=_quantiles(profit),
        loss_percent=float(np.mean(profit < 0) * 100),
    )


def _growth(trips: Sequence[RoundTrip], start_equity: Decimal) -> Floats:
    """Return by what each closed trip has multiplied the equity, in the order in which they closed."""
    closed = sorted((trip for trip in trips if trip.closed_at is not None), key=lambda trip: trip.closed_at or 0)
    profits = np.array([float(trip.profit) for trip in closed])
    before = float(start_equity) + np.concatenate(([0.0], np.cumsum(profits)[:-1])) if closed else profits
    return np.maximum(1 + profits / np.where(before > 0, before, np.inf), 0.0)


def _drawdowns(growth: npt.NDArray[np.float64]) -> Floats:
    """Return the greatest drawdown of each row of growths, in percent."""
    equity = np.cumprod(growth, axis=1)
    highs = np.maximum(np.maximum.accumulate(equity, axis=1), 1.0)
    falls: Floats = (1 - equity / highs).max(axis=1) * 100
    return falls


def _batches(runs: int, count: int) -> Iterator[int]:
    """Yield sizes that add up to the count of runs, so that not all of their numbers are held at once."""
    most = max(_MOST_NUMBERS // count, 1)
    while runs > 0:
        yield min(most, runs)
        runs -= most


def _quantiles(values: Floats) -> Quantiles:
    return Quantiles(*(float(value) for value in np.quantile(values, _LEVELS)))
