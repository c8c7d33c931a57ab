"""Candles as arrays of how far a market's price went."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class PriceRanges:
    """Candles of one market and timeframe, oldest first: the times in seconds since 1970, and the highs and lows."""

    opened: Floats
    closed: Floats
    high: Floats
    low: Floats
