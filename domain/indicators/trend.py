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
from typing import Final, Protocol

import numpy as np

from domain.indicators.candle_arrays import Bar, CandleArrays, candle_arrays
from domain.indicators.compute import compute_indicator, indicator_warm_up
from domain.model.markets import Timeframe

PERIOD: Final = 14
TRENDING: Final = 20.0
"""The least ADX of a market that has a direction."""
RANKED_BARS: Final = 100
LOW_RANK: Final = 0.25
HIGH_RANK: Final = 0.75


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


class TimedBar(Bar, Protocol):
    """A candle with its time; `domain.model.markets.Candle` is one."""

    @property
    def open_time(self) -> datetime: ...  # noqa: D102  # the candle's own documentation holds
    @property
    def close_time(self) -> datetime: ...  # noqa: D102


def bars_needed() -> int:
    """Return the number of candles needed; with fewer, the averages would still depend on their start."""
    directional = indicator_warm_up("adx", {"timeperiod": PERIOD})
    swing = indicator_warm_up("natr", {"timeperiod": PERIOD})
    assert directional is not None, "an ADX forgets its beginning"
    assert swing is not None, "an average true range forgets its beginning"
    return max(directional + 1, swing + RANKED_BARS)


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
    strength = _newest("adx", candles)
    rising = _newest("plus_di", candles) > _newest("minus_di", candles)
    direction = TrendDirection.UP if rising else TrendDirection.DOWN
    return TrendReading(
        direction if strength >= TRENDING else TrendDirection.SIDEWAYS, strength, _volatility_regime(candles)
    )


def _volatility_regime(candles: CandleArrays) -> VolatilityRegime:
    swings = compute_indicator("natr", {"timeperiod": PERIOD}, candles)["real"][-RANKED_BARS:]
    # Equal values count half, so that a market without any change is neither low nor high.
    below, equal = np.count_nonzero(swings < swings[-1]), np.count_nonzero(swings == swings[-1])
    rank = (below + equal / 2) / len(swings)
    if rank < LOW_RANK:
        return VolatilityRegime.LOW
    return VolatilityRegime.HIGH if rank > HIGH_RANK else VolatilityRegime.NORMAL


def _newest(name: str, candles: CandleArrays) -> float:
    value = float(compute_indicator(name, {"timeperiod": PERIOD}, candles)["real"][-1])
    return value if np.isfinite(value) else 0.0  # nothing moved at all


def _after_last_gap(candles: Sequence[TimedBar]) -> Sequence[TimedBar]:
    first = len(candles) - 1
    while first > 0 and candles[first - 1].close_time == candles[first].open_time:
        first -= 1
    return candles[max(first, 0) :]
