"""Nodes of the candles as such: their clock, their day's average price, their trend, and candles of other series."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from domain.indicators.candle_arrays import Floats, SeriesKey
from domain.indicators.trend_series import (
    direction_bars,
    trend_directions,
    trend_strengths,
    volatility_bars,
    volatility_regimes,
)
from domain.strategies.expressions import EvaluationContext, Node

DAY_SECONDS = 86_400
_FIRST_WEEKDAY = 3
"""The weekday of 1 January 1970, a Thursday, counted from Monday as 0."""


class ClockPart(StrEnum):
    """A part of the time at which a candle opened, in UTC."""

    HOUR = "hour"
    MINUTE = "minute"
    WEEKDAY = "weekday"


@dataclass(frozen=True, slots=True)
class Clock(Node):
    """A part of the time at which each candle opened."""

    part: ClockPart

    def compute(self, evaluation: EvaluationContext) -> Floats:
        """Return it at each bar."""
        opened_at = evaluation.candles.opened_at
        assert opened_at is not None, "the candles have no times"
        match self.part:
            case ClockPart.HOUR:
                values = opened_at % DAY_SECONDS // 3_600
            case ClockPart.MINUTE:
                values = opened_at % 3_600 // 60
            case ClockPart.WEEKDAY:
                values = (opened_at // DAY_SECONDS + _FIRST_WEEKDAY) % 7
        return values.astype(np.float64)


@dataclass(frozen=True, slots=True)
class DayAverage(Node):
    """The average price of the day so far, weighted by volume: the sum of hlc3 times volume over that of volume.

    It begins again with each day of UTC; `bars` is the most candles that a day has.
    """

    bars: int

    @property
    def own_warm_up(self) -> int:
        """A day less the candle itself, so that the beginning of its day is known."""
        return self.bars - 1

    def compute(self, evaluation: EvaluationContext) -> Floats:
        """Return it at each bar, NaN while nothing has traded that day."""
        candles = evaluation.candles
        assert candles.opened_at is not None, "the candles have no times"
        typical = candles.series("hlc3")
        starts = np.flatnonzero(np.diff(candles.opened_at // DAY_SECONDS, prepend=-1))
        if len(starts) == len(candles):
            return np.where(candles.volume > 0, typical, np.nan)
        return _restarted_average(typical, candles.volume, starts.tolist())


def _restarted_average(values: Floats, weights: Floats, starts: list[int]) -> Floats:
    # Each day is summed by itself: the difference of two long sums would lose the digits that a comparison needs.
    sums, totals = np.empty(len(values)), np.empty(len(values))
    for start, end in zip(starts, [*starts[1:], len(values)], strict=True):
        np.cumsum(values[start:end] * weights[start:end], out=sums[start:end])
        np.cumsum(weights[start:end], out=totals[start:end])
    averages = np.full(len(values), np.nan)
    np.divide(sums, totals, out=averages, where=totals > 0)
    return averages


class TrendPart(StrEnum):
    """A part of the market's trend."""

    DIRECTION = "direction"
    STRENGTH = "strength"
    VOLATILITY = "volatility"


@dataclass(frozen=True, slots=True)
class TrendValue(Node):
    """A part of the trend as a number: 1, 0 or -1 of the direction and the volatility, 0 to 100 of the strength."""

    part: TrendPart

    @property
    def own_warm_up(self) -> int:
        """The candles before those of the trend's first value."""
        return (volatility_bars() if self.part is TrendPart.VOLATILITY else direction_bars()) - 1

    def compute(self, evaluation: EvaluationContext) -> Floats:
        """Return it at each bar, NaN until it is right."""
        values = _TREND[self.part](evaluation.candles)
        values[: self.own_warm_up] = np.nan
        return values


_TREND = {
    TrendPart.DIRECTION: trend_directions,
    TrendPart.STRENGTH: trend_strengths,
    TrendPart.VOLATILITY: volatility_regimes,
}


@dataclass(frozen=True, slots=True)
class Elsewhere(Node):
    """A node over other candles than the evaluated ones; a value counts from the close of its candle on."""

    key: SeriesKey
    node: Node

    @property
    def is_condition(self) -> bool:
        """As the node."""
        return self.node.is_condition

    def compute(self, evaluation: EvaluationContext) -> Floats:
        """Return at each bar the value at the last of the other candles that had closed; NaN if that one is missing."""
        return evaluation.aligned(self.key, self.node)
