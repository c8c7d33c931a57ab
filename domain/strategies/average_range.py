"""The average true range that exits and sizes are measured in: ATR(14), Wilder's."""

from decimal import Decimal
from functools import cache

import numpy as np

from domain.indicators.candle_arrays import CandleArrays, Floats
from domain.indicators.compute import compute_indicator, indicator_warm_up

ATR_PERIOD = 14
"""The bars of the average true range (Wilder's) that `atr_multiple` and `volatility_percent` are measured in."""


def average_true_range(candles: CandleArrays) -> Decimal | None:
    """Return ATR(14) at the newest candle, in quote per base; None if there are fewer than 15 candles.

    Its relative error is below 1e-9 after `atr_warm_up` candles, which a definition that needs it counts in its own.
    """
    if len(candles) <= ATR_PERIOD:
        return None
    values = compute_indicator("atr", {"timeperiod": ATR_PERIOD}, candles.last(atr_warm_up() + 1))["real"]
    return to_distance(float(values[-1]))


def to_distance(atr: float) -> Decimal | None:
    """Return an ATR as the number that distances are computed from: 8 significant digits; None if there is none."""
    if not np.isfinite(atr):
        return None
    return Decimal(np.format_float_positional(atr, precision=8, fractional=False, trim="-"))


def average_true_ranges(candles: CandleArrays) -> Floats:
    """Return ATR(14) at each bar, in quote per base; NaN at the first 14."""
    return compute_indicator("atr", {"timeperiod": ATR_PERIOD}, candles)["real"]


@cache
def atr_warm_up() -> int:
    """Return how many candles it takes until ATR(14) no longer depends on the first candle."""
    bars = indicator_warm_up("atr", {"timeperiod": ATR_PERIOD})
    assert bars is not None, "an average true range forgets its beginning"
    return bars
