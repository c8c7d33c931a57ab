"""The axes of a picture: where a value or a time lies, and the round values and times that are written beside them."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count, takewhile
from typing import Final

from domain.core.clock import from_milliseconds

MOST_TIMES: Final = 8
_LOGARITHMIC_FROM: Final = 4
"""Prices that differ by more than this factor are drawn in equal steps of percent."""
_FEW_POWERS: Final = 1_000
_STEPS: Final = (1.0, 2.0, 2.5, 5.0, 10.0)
_HOURS: Final = (1, 3, 6, 12, 24, 48, 168, 336)
_MONTHS: Final = (1, 3, 6, 12, 24, 60, 120)
_MONTHS_A_YEAR: Final = 12


@dataclass(frozen=True, slots=True)
class ValueAxis:
    """A vertical axis from `top` downwards, from the greatest to the least value; logarithmic for prices far apart."""

    top: float
    height: float
    low: float
    high: float
    is_logarithmic: bool = False

    def y(self, value: float) -> float:
        """Return where the value lies; one beyond an end lies at that end."""
        low, high, at = (self._scaled(each) for each in (self.low, self.high, min(max(value, self.low), self.high)))
        return round(self.top + (high - at) / (high - low or 1.0) * self.height, 1)

    def ticks(self) -> list[float]:
        """Return some round values on the axis, the least first."""
        return list(_powers(self.low, self.high) if self.is_logarithmic else _multiples(self.low, self.high))

    def _scaled(self, value: float) -> float:
        return math.log(value) if self.is_logarithmic else value


def price_axis(top: float, height: float, low: float, high: float) -> ValueAxis:
    """Return an axis of prices, with some room above the highest and below the lowest."""
    if low > 0 and high / low > _LOGARITHMIC_FROM:
        room = (high / low) ** 0.04
        return ValueAxis(top, height, low / room, high * room, is_logarithmic=True)
    return linear_axis(top, height, low, high)


def linear_axis(top: float, height: float, low: float, high: float) -> ValueAxis:
    """Return an axis with some room above the greatest and below the least value."""
    room = max((high - low) * 0.04, abs(high) * 1e-5, abs(low) * 1e-5) or 1.0
    return ValueAxis(top, height, low - room, high + room)


@dataclass(frozen=True, slots=True)
class TimeAxis:
    """A horizontal axis from `left` to `right`, in milliseconds since 1970."""

    left: float
    right: float
    start: int
    end: int

    def x(self, at: int) -> float:
        """Return where the time lies."""
        return round(self.left + (at - self.start) / max(self.end - self.start, 1) * (self.right - self.left), 1)

    def ticks(self) -> list[tuple[int, str]]:
        """Return the beginnings of some hours, days, months or years on the axis, and how they are written."""
        for hours in _HOURS:
            if (self.end - self.start) / (hours * 3_600_000) <= MOST_TIMES:
                return list(self._hours(hours))
        months = (self.end - self.start) / (30.5 * 86_400_000)
        return list(self._months(next((step for step in _MONTHS if months / step <= MOST_TIMES), _MONTHS[-1])))

    def _hours(self, step: int) -> Iterator[tuple[int, str]]:
        length = step * 3_600_000
        for at in range(-(-self.start // length) * length, self.end + 1, length):
            time = from_milliseconds(at)
            yield at, f"{time:%H:%M}" if time.hour else f"{time.day} {time:%b}"

    def _months(self, step: int) -> Iterator[tuple[int, str]]:
        first = from_milliseconds(self.start)
        since = (first.year * _MONTHS_A_YEAR + first.month - 1) // step * step
        for months in count(since, step):
            year, month = divmod(months, _MONTHS_A_YEAR)
            time = datetime(year, month + 1, 1, tzinfo=UTC)
            at = (time - from_milliseconds(0)) // timedelta(milliseconds=1)
            if at > self.end:
                return
            if at >= self.start:
                yield at, f"{time:%Y}" if month == 0 else f"{time:%b %Y}"


def written(value: float, axis: ValueAxis) -> str:
    """Return a value with as many decimals as tell the ticks of the axis apart."""
    ticks = axis.ticks()
    step = value if axis.is_logarithmic or len(ticks) < 2 else ticks[1] - ticks[0]  # noqa: PLR2004  # from one to another
    digits = f"{abs(step) or 1.0:.2e}".split("e")
    decimals = len(digits[0].rstrip("0").rstrip(".").partition(".")[2]) - int(digits[1])
    return f"{value:,.{max(decimals, 0)}f}"


def _multiples(low: float, high: float) -> Iterator[float]:
    """Yield the multiples of a round step, some four of them."""
    raw = (high - low) / 4
    size = 10.0 ** math.floor(math.log10(raw))
    step = next(step * size for step in _STEPS if step * size >= raw * (1 - 1e-9))
    first = math.ceil(low / step - 1e-9)
    yield from takewhile(lambda value: value <= high + step * 1e-9, (number * step for number in count(first)))


def _powers(low: float, high: float) -> Iterator[float]:
    """Yield powers of ten, and twice and five times each if there are few."""
    steps = (1, 2, 5) if high / low < _FEW_POWERS else (1,)
    for power in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1):
        yield from (step * 10.0**power for step in steps if low <= step * 10.0**power <= high)
