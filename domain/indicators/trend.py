"""The trend of a market and timeframe: its direction, its strength, and how much prices swing.

Direction and strength are J. Welles Wilder's directional movement system ("New Concepts in Technical Trading Systems",
1978): +DI and -DI of 14 bars give the direction, their ADX the strength. Below an ADX of 20 a market is commonly read
as without trend. The swing is Wilder's average true range of 14 bars in percent of the close, ranked among its own
newest 100 values: below the lower quartile it is low, above the upper one high. That ranking is this engine's choice,
since no absolute value fits all markets and timeframes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from domain.indicators.candle_arrays import Bar, CandleArrays, candle_arrays
from domain.indicators.trend_series import (
    direction_bars,
    trend_directions,
    trend_strengths,
    volatility_bars,
    volatility_regimes,
)
from domain.model.markets import Timeframe


class TrendDirection(StrEnum):
    """The direction of prices."""

    UP = "UP"
    DOWN = "DOWN"
    SIDEWAYS = "SIDEWAYS"


class VolatilityRegime(StrEnum):
    """How much prices swing, compared with how much they did lately."""

    LOW = "LOW"
    NORMAL = "NORMAL"
    HIGH = "HIGH"


@dataclass(frozen=True, slots=True)
class TrendReading:
    """The trend of some candles; `strength` is the ADX, from 0 to 100."""

    direction: TrendDirection
    strength: float
    volatility: VolatilityRegime


@dataclass(frozen=True, slots=True)
class Trend:
    """The trend when the newest candle closed, at `at`."""

    timeframe: Timeframe
    at: datetime
    direction: TrendDirection
    strength: float
    volatility: VolatilityRegime


_DIRECTIONS = {-1.0: TrendDirection.DOWN, 0.0: TrendDirection.SIDEWAYS, 1.0: TrendDirection.UP}
_REGIMES = {-1.0: VolatilityRegime.LOW, 0.0: VolatilityRegime.NORMAL, 1.0: VolatilityRegime.HIGH}


class TimedBar(Bar, Protocol):
    """A candle with its time; `domain.model.markets.Candle` is one."""

    @property
    def open_time(self) -> datetime: ...  # noqa: D102  # the candle's own documentation holds
    @property
    def close_time(self) -> datetime: ...  # noqa: D102


def bars_needed() -> int:
    """Return the number of candles needed; with fewer, the averages would still depend on their start."""
    return max(direction_bars(), volatility_bars())


def latest_trend(candles: Sequence[TimedBar], timeframe: Timeframe) -> Trend | None:
    """Return the trend at the close of the last of `candles`, given oldest first; None if there are too few.

    Only those after the last gap are used.
    """
    contiguous = _after_last_gap(candles)
    reading = compute_trend(candle_arrays(contiguous))
    if reading is None:
        return None
    return Trend(timeframe, contiguous[-1].close_time, reading.direction, reading.strength, reading.volatility)


def compute_trend(candles: CandleArrays) -> TrendReading | None:
    """Return the trend of contiguous candles; None if there are fewer than `bars_needed`."""
    if len(candles) < bars_needed():
        return None
    direction, volatility = trend_directions(candles)[-1], volatility_regimes(candles)[-1]
    return TrendReading(_DIRECTIONS[direction], float(trend_strengths(candles)[-1]), _REGIMES[volatility])


def _after_last_gap(candles: Sequence[TimedBar]) -> Sequence[TimedBar]:
    first = len(candles) - 1
    while first > 0 and candles[first - 1].close_time == candles[first].open_time:
        first -= 1
    return candles[max(first, 0) :]
