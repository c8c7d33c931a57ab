"""The candles that all engines are given, and the strategy's figures."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

FEE, STOP = 0.001, 0.02
TICK, LOT = 0.01, 0.00001
STAKE, CASH = 1_000, 1_000_000
FAST, SLOW = 12, 26
MARKETS = 10
START = 500
"""The first bar that may signal an entry: after the warm-up that this engine takes and the others don't."""

Floats = npt.NDArray[np.float64]


class Series(NamedTuple):
    """Minute candles; `opened` in milliseconds since 1970."""

    opened: npt.NDArray[np.int64]
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats


def random_walk(candles: int, seed: int = 1) -> Series:
    """Return candles of a random walk on a grid of hundredths, each of which opens at the close before."""
    random = np.random.default_rng(seed)
    close = np.round(60_000 * np.exp(np.cumsum(random.normal(0, 4e-4, candles))), 2)
    opened = np.concatenate([[60_000.0], close[:-1]])
    high = np.round(np.maximum(opened, close) + random.lognormal(0, 1, candles), 2)
    low = np.round(np.minimum(opened, close) - random.lognormal(0, 1, candles), 2)
    volume = np.round(random.lognormal(1, 1, candles), 5)
    times = 1_600_000_020_000 // 60_000 * 60_000 + np.arange(candles, dtype=np.int64) * 60_000
    return Series(times, opened, high, low, close, volume)


def save(series: Series, path: Path) -> None:
    """Write the candles to a file, for other programs."""
    np.savez(path, **series._asdict())


def load(path: str) -> Series:
    """Return the candles of a file."""
    with np.load(path) as arrays:
        return Series(**{name: np.ascontiguousarray(arrays[name]) for name in Series._fields})


def crossed_above(fast: Floats, slow: Floats) -> npt.NDArray[np.bool_]:
    """Return at which closes one series has crossed above another."""
    crossed = np.zeros(len(fast), np.bool_)
    crossed[1:] = (fast > slow)[1:] & (fast <= slow)[:-1]
    return crossed


def entries(fast: Floats, slow: Floats) -> npt.NDArray[np.bool_]:
    """Return at which closes the strategy wants to enter."""
    crossed = crossed_above(fast, slow)
    crossed[:START] = False
    return crossed


def stop_below(price: Floats) -> Floats:
    """Return the stop of entries at a price, on the grid of ticks."""
    return np.ceil(np.round(price * (1 - STOP) / TICK, 6)) * TICK
