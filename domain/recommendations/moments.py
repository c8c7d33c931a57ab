"""The moments of returns of which some count more than others."""

from collections.abc import Sequence

import numpy as np

from domain.indicators.candle_arrays import Floats
from domain.model.optimizations import ReturnMoments
from domain.performance.returns import NEGLIGIBLE


def bar_returns(index: Sequence[float]) -> Floats:
    """Return what each step of a growth index earned, as fractions; a step from nothing earns nothing."""
    values = np.array(index, dtype=np.float64)
    before, after = values[:-1], values[1:]
    return np.divide(after, before, out=np.ones_like(after), where=before > 0) - 1


def weighted_moments(returns: Floats, weights: Floats | None = None) -> ReturnMoments | None:
    """Return the moments; None if the returns don't differ, or there are less than two.

    `days` is the size of a sample of equal weights that says as much (L. Kish, Survey Sampling, 1965):
    the square of the sum of weights over the sum of their squares.
    """
    weights = np.ones(len(returns)) if weights is None else weights
    total = float(weights.sum())
    if len(returns) < 2 or total <= 0:  # noqa: PLR2004  # of one there is no deviation
        return None
    size = total**2 / float(np.square(weights).sum())
    mean = float(np.average(returns, weights=weights))
    spread = float(np.sqrt(np.average(np.square(returns - mean), weights=weights)))
    if spread <= NEGLIGIBLE or size <= 1:
        return None
    scaled = (returns - mean) / spread
    return ReturnMoments(
        days=int(size),
        sharpe=mean / spread,
        skewness=float(np.average(scaled**3, weights=weights)),
        kurtosis=float(np.average(scaled**4, weights=weights)),
    )
