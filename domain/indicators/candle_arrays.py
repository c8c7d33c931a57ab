"""Candles as arrays: the form in which indicators and rules compute."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Protocol

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
"""A one-dimensional series, one value a bar, oldest first; NaN where there is no value."""

PRICES = ("open", "high", "low", "close", "volume")
"""The names of a candle's series, as rules write them."""


class Bar(Protocol):
    """The part of a candle that the arrays are built from; `domain.model.markets.Candle` is one."""

    @property
    def open(self) -> Decimal: ...  # noqa: D102  # the candle's own documentation holds
    @property
    def high(self) -> Decimal: ...  # noqa: D102
    @property
    def low(self) -> Decimal: ...  # noqa: D102
    @property
    def close(self) -> Decimal: ...  # noqa: D102
    @property
    def volume(self) -> Decimal: ...  # noqa: D102


@dataclass(frozen=True, slots=True, eq=False)
class CandleArrays:
    """Closed candles of one market and timeframe, oldest first; five float64 arrays of one length.

    Prices are in quote per base and volume in base. Floats are only for signals: money stays decimal. `gapless` arrays
    are known to have no NaN, which saves a search for one.
    """

    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    gapless: bool = field(default=False, kw_only=True)

    def __len__(self) -> int:
        return len(self.close)

    def series(self, name: str) -> Floats:
        """Return the series called `name`, one of `PRICES`."""
        values: Floats = getattr(self, name)
        return values

    def last(self, count: int) -> "CandleArrays":
        """Return the newest `count` candles, or all if there are fewer; the arrays are views."""
        start = max(len(self) - count, 0)
        return CandleArrays(*(self.series(name)[start:] for name in PRICES), gapless=self.gapless)

    def first(self, count: int) -> "CandleArrays":
        """Return the oldest `count` candles; the arrays are views."""
        return CandleArrays(*(self.series(name)[:count] for name in PRICES), gapless=self.gapless)


def candle_arrays(candles: Sequence[Bar]) -> CandleArrays:
    """Return the arrays of closed candles given oldest first."""
    return CandleArrays(
        open=_floats(candle.open for candle in candles),
        high=_floats(candle.high for candle in candles),
        low=_floats(candle.low for candle in candles),
        close=_floats(candle.close for candle in candles),
        volume=_floats(candle.volume for candle in candles),
        gapless=True,
    )


def _floats(values: Iterable[Decimal]) -> Floats:
    return np.fromiter((float(value) for value in values), dtype=np.float64)
