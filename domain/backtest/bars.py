"""The candles of a backtest as arrays: floats for the rules' signals, whole ticks for the prices of fills."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import numpy.typing as npt

from domain.indicators.candle_arrays import PRICES, CandleArrays, Floats
from domain.model.markets import Market, Timeframe

Ticks = npt.NDArray[np.int64]
"""A one-dimensional series of prices in whole ticks, one a bar, oldest first."""

MOST_TICKS = 2**53
"""Up to this a float64 has every whole number."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ON_GRID = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class Bars:
    """Closed candles of one market, oldest first; `opened` are their open times in milliseconds since 1970 (UTC)."""

    timeframe: Timeframe
    opened: npt.NDArray[np.int64]
    candles: CandleArrays

    def __post_init__(self) -> None:
        if self.candles.opened_at is None:
            # Rules may name the time, and candles of longer timeframes, which are made of these.
            timed = replace(self.candles, opened_at=self.opened // 1000, timeframe=self.timeframe)
            object.__setattr__(self, "candles", timed)

    def __len__(self) -> int:
        return len(self.opened)

    @property
    def milliseconds(self) -> int:
        """The length of a bar."""
        return self.timeframe.seconds * 1000

    def index_of(self, at: datetime) -> int:
        """Return the index of the first bar that opens at that time or later; the count of bars if none does."""
        return int(np.searchsorted(self.opened, (at - _EPOCH) // timedelta(milliseconds=1)))

    def first(self, count: int) -> "Bars":
        """Return the oldest `count` bars; the arrays are views."""
        return self.between(0, count)

    def between(self, start: int, end: int) -> "Bars":
        """Return the bars from index `start` up to, not including, `end`; the arrays are views."""
        return Bars(self.timeframe, self.opened[start:end], self.candles.between(start, end))


@dataclass(frozen=True, slots=True, eq=False)
class PriceTicks:
    """The prices of bars in ticks of the market's price increment.

    A price between two ticks, as venues had them before they changed an increment, is rounded: a low up and a high
    down, so that nothing is reached that wasn't, and an open and a close to the nearer one. The open and the close
    stay between them.
    """

    open: Ticks
    high: Ticks
    low: Ticks
    close: Ticks
    tick: Decimal


def price_ticks(candles: CandleArrays, tick: Decimal) -> PriceTicks:
    """Return the prices of the candles as counts of `tick`."""
    opened, high, low, close = (candles.series(name) / float(tick) for name in PRICES[:4])
    highs, lows = _rounded(high, np.floor), _rounded(low, np.ceil)
    highs, lows = np.maximum(highs, lows), np.minimum(highs, lows)
    return PriceTicks(
        open=np.clip(np.rint(opened).astype(np.int64), lows, highs),
        high=highs,
        low=lows,
        close=np.clip(np.rint(close).astype(np.int64), lows, highs),
        tick=tick,
    )


def with_known_tick(market: Market, candles: CandleArrays) -> Market:
    """Return the market with a price increment whose counts fit into a float: finer prices aren't known anyway."""
    highest = float(np.max(candles.high, initial=0.0))
    tick = market.price_increment or Decimal("1E-18")
    while highest / float(tick) >= MOST_TICKS:
        tick = tick.scaleb(1)
    return replace(market, price_increment=tick)


def _rounded(counts: Floats, beyond: np.ufunc) -> Ticks:
    nearest = np.rint(counts)
    distance = counts - nearest
    np.abs(distance, out=distance)
    if np.fmax.reduce(distance, initial=0.0) > _ON_GRID:  # which leaves NaN out
        off_grid = distance > _ON_GRID
        nearest[off_grid] = beyond(counts[off_grid])
    return nearest.astype(np.int64)
