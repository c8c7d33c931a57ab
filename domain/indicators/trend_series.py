"""The trend of candles as series of numbers, one a bar: what `domain.indicators.trend` names at the newest one."""

from functools import cache
from typing import Final

import numpy as np

from domain.indicators.candle_arrays import CandleArrays, Floats
from domain.indicators.compute import compute_indicator, indicator_warm_up

PERIOD: Final = 14
TRENDING: Final = 20.0
"""The least ADX of a market that has a direction."""
RANKED_BARS: Final = 100
LOW_RANK: Final = 0.25
HIGH_RANK: Final = 0.75
_TOLERANCE = 1e-9
"""The fraction by which a value may differ between a window and a long history: nearer numbers count as equal."""


@cache
def direction_bars() -> int:
    """Return the candles needed for the direction and the strength."""
    bars = indicator_warm_up("adx", {"timeperiod": PERIOD})
    assert bars is not None, "an ADX forgets its beginning"
    return bars + 1


@cache
def volatility_bars() -> int:
    """Return the candles needed for the volatility."""
    bars = indicator_warm_up("natr", {"timeperiod": PERIOD})
    assert bars is not None, "an average true range forgets its beginning"
    return bars + RANKED_BARS


def trend_strengths(candles: CandleArrays) -> Floats:
    """Return the ADX, 0 where nothing moved at all; the first values depend on where the candles begin."""
    return np.nan_to_num(_values("adx", candles), nan=0.0)


def trend_directions(candles: CandleArrays) -> Floats:
    """Return 1 up, -1 down, 0 sideways; the first values depend on where the candles begin."""
    rising = _order(_values("plus_di", candles), _values("minus_di", candles)) > 0
    trending = trend_strengths(candles) >= TRENDING * (1 - _TOLERANCE)
    return np.where(trending, np.where(rising, 1.0, -1.0), 0.0)


def volatility_regimes(candles: CandleArrays) -> Floats:
    """Return 1 high, -1 low, 0 normal, by the rank of each average true range among the newest `RANKED_BARS`."""
    swings = _values("natr", candles)
    ranks = np.zeros(len(swings))
    for bars in range(RANKED_BARS):
        before = np.full(len(swings), np.nan)
        before[bars:] = swings[: max(len(swings) - bars, 0)]
        # Equal values count half, so that a market without any change is neither low nor high.
        ranks += (1 + _order(swings, before)) / 2
    ranks /= RANKED_BARS
    return np.where(ranks < LOW_RANK, -1.0, np.where(ranks > HIGH_RANK, 1.0, 0.0))


def _values(name: str, candles: CandleArrays) -> Floats:
    return compute_indicator(name, {"timeperiod": PERIOD}, candles)["real"]


def _order(left: Floats, right: Floats) -> Floats:
    close = np.abs(left - right) <= _TOLERANCE * np.maximum(np.abs(left), np.abs(right))
    return np.where(close, 0.0, np.sign(left - right))
