"""Makes candles of a longer timeframe from shorter ones, as arrays."""

import numpy as np
import numpy.typing as npt

from domain.indicators.candle_arrays import CandleArrays, Floats
from domain.model.markets import Timeframe

_FIRST_MONDAY_SECONDS = 4 * 86_400
"""Weeks begin on Mondays; the first one after the beginning of 1970 is the 5 January."""

Indexes = npt.NDArray[np.intp]


def resample(candles: CandleArrays, timeframe: Timeframe) -> CandleArrays:
    """Return the candles of a longer timeframe; those of which a part is missing are left out."""
    assert candles.opened_at is not None, "the candles have no times"
    assert candles.timeframe is not None, "the candles have no timeframe"
    seconds = timeframe.seconds
    offset = _FIRST_MONDAY_SECONDS if timeframe is Timeframe.W1 else 0
    groups = (candles.opened_at - offset) // seconds
    starts = np.flatnonzero(np.diff(groups, prepend=groups[:1] - 1))
    ends = np.append(starts[1:], len(groups))[: len(starts)]
    whole = (ends - starts) * candles.timeframe.seconds == seconds
    starts, ends = starts[whole], ends[whole]
    return CandleArrays(
        candles.open[starts],
        _reduced(np.maximum, candles.high, starts, ends),
        _reduced(np.minimum, candles.low, starts, ends),
        candles.close[ends - 1],
        _reduced(np.add, candles.volume, starts, ends),
        opened_at=groups[starts] * seconds + offset,
        timeframe=timeframe,
    )


def _reduced(function: np.ufunc, values: Floats, starts: Indexes, ends: Indexes) -> Floats:
    if not len(starts):
        return np.empty(0)
    bounds = np.column_stack((starts, ends)).ravel()
    padded = np.append(values, values[-1])  # the last end is one beyond the values
    reduced: Floats = function.reduceat(padded, bounds)[::2]
    return reduced
