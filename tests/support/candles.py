"""Candles that look like a market, made from a seed."""

from dataclasses import replace

import numpy as np

from domain.indicators.candle_arrays import CandleArrays
from domain.model.markets import Timeframe

MIDNIGHT = 1_767_225_600
"""The beginning of a day, a Thursday."""


def random_candles(
    count: int, seed: int, *, volatility: float = 0.002, drift: float = 0.0, tick: float = 0.0, gap: float = 0.0
) -> CandleArrays:
    """Return a random walk from 1000.

    With a `tick` prices lie on its grid, so that many of them are equal; with a `gap` a candle doesn't open where the
    one before closed.
    """
    random = np.random.default_rng(seed)
    close = 1000 * np.exp(np.cumsum(random.normal(drift, volatility, count)))
    open_ = np.concatenate([[1000.0], close[:-1]]) * np.exp(gap * random.normal(0, volatility, count))
    high = np.maximum(open_, close) * (1 + np.abs(random.normal(0, volatility / 2, count)))
    low = np.minimum(open_, close) * (1 - np.abs(random.normal(0, volatility / 2, count)))
    volume = np.round(random.lognormal(0, 1, count) * 10, 3)
    prices = [open_, high, low, close]
    if tick:
        prices = [np.round(series / tick) * tick for series in prices]
    return CandleArrays(*(np.ascontiguousarray(series[:count]) for series in prices), volume)


def flat_candles(count: int, price: float = 100.1) -> CandleArrays:
    """Return candles of a market that doesn't move."""
    series = np.full(count, price)
    return CandleArrays(series, series.copy(), series.copy(), series.copy(), np.full(count, 0.3))


def timed(candles: CandleArrays, timeframe: Timeframe, end: int = MIDNIGHT) -> CandleArrays:
    """Return the candles with times: one after the other without a gap, the last of them closed at `end`."""
    count = len(candles)
    times = end - timeframe.seconds * np.arange(count, 0, -1)
    return replace(candles, opened_at=times, timeframe=timeframe)
