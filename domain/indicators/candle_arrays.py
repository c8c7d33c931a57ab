"""Candles as arrays: the form in which indicators and rules compute."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Protocol

import numpy as np
import numpy.typing as npt

from domain.model.markets import Candle, Timeframe

Floats = npt.NDArray[np.float64]
"""A one-dimensional series, one value a bar, oldest first; NaN where there is no value."""
Seconds = npt.NDArray[np.int64]
"""Points in time, in whole seconds since 1970 in UTC."""

PRICES = ("open", "high", "low", "close", "volume")
"""The names of a candle's series, as rules write them."""


@dataclass(frozen=True, slots=True)
class SeriesKey:
    """Which candles beside the evaluated ones: of another market, such as `BTC/USDT` at the same venue, or timeframe.

    None is the market, or the timeframe, of the evaluated candles.
    """

    market: str | None = None
    timeframe: Timeframe | None = None

    def __str__(self) -> str:
        parts = [f'market("{self.market}")'] if self.market else []
        return ".".join(parts + ([f'tf("{self.timeframe.venue_name}")'] if self.timeframe else []))


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
    are known to have no NaN, which saves a search for one. `opened_at` and `timeframe` are needed by rules that name
    the time or other candles; `others` are those candles, which may end later than these.
    """

    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    gapless: bool = field(default=False, kw_only=True)
    opened_at: Seconds | None = field(default=None, kw_only=True)
    timeframe: Timeframe | None = field(default=None, kw_only=True)
    others: Mapping[SeriesKey, "CandleArrays"] = field(default_factory=dict, kw_only=True)

    def __len__(self) -> int:
        return len(self.close)

    def series(self, name: str) -> Floats:
        """Return the series called `name`, one of `PRICES` or `COMBINED_PRICES`."""
        combine = COMBINED_PRICES.get(name)
        values: Floats = getattr(self, name) if combine is None else combine(self)
        return values

    @property
    def closed_at(self) -> Seconds:
        """When each candle closed; the arrays must have their times."""
        assert self.opened_at is not None, "the candles have no times"
        assert self.timeframe is not None, "the candles have no timeframe"
        return self.opened_at + self.timeframe.seconds

    def last(self, count: int) -> "CandleArrays":
        """Return the newest `count` candles, or all if there are fewer; the arrays are views."""
        return self.between(max(len(self) - count, 0), len(self))

    def first(self, count: int) -> "CandleArrays":
        """Return the oldest `count` candles; the arrays are views."""
        return self.between(0, count)

    def between(self, start: int, end: int) -> "CandleArrays":
        """Return the candles from index `start` up to, not including, `end`; the arrays are views."""
        return CandleArrays(
            *(self.series(name)[start:end] for name in PRICES),
            gapless=self.gapless,
            opened_at=None if self.opened_at is None else self.opened_at[start:end],
            timeframe=self.timeframe,
            others=self.others,
        )


COMBINED_PRICES: Mapping[str, Callable[[CandleArrays], Floats]] = {
    "hl2": lambda candles: (candles.high + candles.low) / 2,
    "hlc3": lambda candles: (candles.high + candles.low + candles.close) / 3,
    "ohlc4": lambda candles: (candles.open + candles.high + candles.low + candles.close) / 4,
}
"""Averages of a candle's prices, by the names that rules write."""
SERIES = (*PRICES, *COMBINED_PRICES)
"""The names of all series of a candle, as rules write them."""


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


def timed_candle_arrays(candles: Sequence[Candle], timeframe: Timeframe) -> CandleArrays:
    """Return the arrays of closed candles of one timeframe, given oldest first, with their times."""
    times = np.fromiter((int(candle.open_time.timestamp()) for candle in candles), dtype=np.int64, count=len(candles))
    return replace(candle_arrays(candles), opened_at=times, timeframe=timeframe)


def _floats(values: Iterable[Decimal]) -> Floats:
    return np.fromiter((float(value) for value in values), dtype=np.float64)
