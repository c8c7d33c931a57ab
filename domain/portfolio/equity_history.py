"""An account's equity by minute, hour or day, from its stored points; where it isn't known there is a gap."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from domain.core.errors import FaultCode, RequestFault
from domain.core.money import rounded
from domain.model.equity import EquityGap, EquityHistory, EquityInterval, HistoryPoint, StoredEquity

MAX_INTERVALS: Final = 1_000
DEFAULT_INTERVALS: Final = 365

HOLDS_FOR: Final = timedelta(minutes=3)
"""A point is stored every minute or a little later; so long the last one holds without another."""

_FIRST_MOMENT: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_MOMENT: Final = datetime(2200, 1, 1, tzinfo=UTC)

Interval = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class HistoryPeriod:
    """A period by intervals: `start` belongs to it, `end` does not. The first and the last interval may be cut."""

    interval: EquityInterval
    start: datetime
    end: datetime

    @property
    def intervals(self) -> list[Interval]:
        """The intervals of the period, oldest first."""
        return list(self._intervals())

    def _intervals(self) -> Iterator[Interval]:
        begins, length = self.start, self.interval.duration
        while begins < self.end:
            ends = min(_interval_start(begins, length) + length, self.end)
            yield begins, ends
            begins = ends


def history_period(
    interval: EquityInterval, start: datetime | None, end: datetime | None, opened_at: datetime, now: datetime
) -> HistoryPeriod:
    """Return the part of the period at which the account existed; it is empty if that is none.

    Without `end` the period ends now, and without `start` it has `DEFAULT_INTERVALS`. Raises `RequestFault` (INVALID)
    if it ends before it begins, or has more than `MAX_INTERVALS`.
    """
    length = interval.duration
    until = min(max(end or now, _FIRST_MOMENT), _LAST_MOMENT)
    if start is None:
        start = _interval_start(until - timedelta(microseconds=1), length) - (DEFAULT_INTERVALS - 1) * length
    if end is not None and start >= end:
        raise RequestFault(FaultCode.INVALID, "`from` must be before `to`.")
    count = -((_interval_start(start, length) - until) // length)
    if count > MAX_INTERVALS:
        longer = "" if interval is EquityInterval.DAY else "a longer `interval` or "
        message = (
            f"Between `from` and `to` there are {count:,} {interval.value.lower()}s; there may be at most "
            f"{MAX_INTERVALS:,}. Ask for {longer}a shorter period."
        )
        raise RequestFault(FaultCode.INVALID, message)
    begins = max(start, _interval_start(min(opened_at, now), length))
    return HistoryPeriod(interval, begins, max(min(until, now), begins))


def equity_history(
    currency: str, period: HistoryPeriod, before: StoredEquity | None, points: Sequence[StoredEquity]
) -> EquityHistory:
    """Return the history of a period, given the last point before it and the last point of each interval."""
    known: list[tuple[datetime, StoredEquity]] = []
    gaps: list[EquityGap] = []
    last, left = before, list(reversed(points))
    for begins, ends in period.intervals:
        if left and left[-1].at < ends:
            last = left.pop()
        if last is not None and (last.at >= begins or _holds(last, ends)):
            known.append((begins, last))
        elif gaps and gaps[-1].end == begins:
            gaps[-1] = EquityGap(gaps[-1].start, ends)
        else:
            gaps.append(EquityGap(begins, ends))
    shown = tuple(_history_point(begins, point) for begins, point in known)
    start = before if before is not None and _holds(before, period.start) else known[0][1] if known else None
    change = None if start is None or not known else _return_percent(start, known[-1][1])
    return EquityHistory(currency, period.interval, period.start, period.end, shown, tuple(gaps), change)


def _history_point(begins: datetime, point: StoredEquity) -> HistoryPoint:
    return HistoryPoint(
        at=begins,
        recorded_at=point.at,
        equity=rounded(point.equity),
        net_deposits=rounded(point.deposited),
        profit=rounded(point.profit),
        return_percent=point.return_percent,
        drawdown_percent=point.drawdown_percent,
        unpriced=point.unpriced,
    )


def _holds(point: StoredEquity, until: datetime) -> bool:
    """Return whether the point was still right at `until`, when no later one was stored."""
    return point.rests or until - point.at <= HOLDS_FOR


def _return_percent(first: StoredEquity, last: StoredEquity) -> float | None:
    return (last.growth / first.growth - 1) * 100 if first.growth > 0 and first.at < last.at else None


def _interval_start(moment: datetime, length: timedelta) -> datetime:
    return moment - (moment - _FIRST_MOMENT) % length
