"""The drawdowns of an equity curve one by one: when each began, was deepest, and was over."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from domain.model.reports import EquityPoint
from domain.performance.returns import drawdowns


@dataclass(frozen=True, slots=True)
class DrawdownPeriod:
    """A time below the highest value so far; `until` is its end, or the curve's while `recovered_at` is None."""

    started_at: datetime
    lowest_at: datetime
    recovered_at: datetime | None
    until: datetime
    depth_percent: float

    @property
    def days(self) -> float:
        """Its length."""
        return (self.until - self.started_at) / timedelta(days=1)


def drawdown_periods(curve: Sequence[EquityPoint], index: Sequence[float]) -> list[DrawdownPeriod]:
    """Return all drawdowns of the time-weighted return, oldest first; `index` is the curve's `growth_index`."""
    return list(_periods(curve, drawdowns(index)))


def deepest(periods: Sequence[DrawdownPeriod], count: int) -> list[DrawdownPeriod]:
    """Return the deepest drawdowns, the deepest first."""
    return sorted(periods, key=lambda period: -period.depth_percent)[:count]


def _periods(curve: Sequence[EquityPoint], falls: Sequence[float]) -> Iterator[DrawdownPeriod]:
    high_at: datetime | None = None
    lowest_at, depth = None, 0.0
    for point, fall in zip(curve, falls, strict=True):
        if fall > 0:
            if fall > depth:
                lowest_at, depth = point.at, fall
        else:
            if lowest_at is not None and high_at is not None:
                yield DrawdownPeriod(high_at, lowest_at, point.at, point.at, depth)
            high_at, lowest_at, depth = point.at, None, 0.0
    if lowest_at is not None and high_at is not None:
        yield DrawdownPeriod(high_at, lowest_at, None, curve[-1].at, depth)
