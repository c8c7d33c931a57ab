"""When a schedule's reports are made, and of which period: days, weeks and months by the clock on the user's wall."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Final

from domain.model.report_schedules import Recurrence, ReportCadence, Weekday

_DAY: Final = timedelta(days=1)
_INSTANT: Final = timedelta(microseconds=1)
_WEEKDAYS: Final = tuple(Weekday)


@dataclass(frozen=True, slots=True)
class ScheduledRun:
    """A report that is made at a time, of the period from `start` to before `end`, the one that was over last.

    `key` names the period by its first local day: it is the same whatever time zone the user has by then.
    """

    at: datetime
    start: datetime
    end: datetime
    key: str


def next_run(recurrence: Recurrence, zone: tzinfo, after: datetime) -> ScheduledRun:
    """Return the first run after a time."""
    # A day earlier, since a time that a change of the clocks skips may be on the next day.
    return next(run for run in _runs(recurrence, zone, _local_date(zone, after) - _DAY, 1) if run.at > after)


def moved_run(recurrence: Recurrence, before: tzinfo, zone: tzinfo, at: datetime) -> ScheduledRun:
    """Return the first run from a time on by the zone `before`, as it is by another zone, where it may be over."""
    asked = next_run(recurrence, before, at - _INSTANT)
    runs = _runs(recurrence, zone, _local_date(before, asked.at) - _DAY, 1)
    return next(run for run in runs if run.key >= asked.key)


def latest_run(recurrence: Recurrence, zone: tzinfo, until: datetime) -> ScheduledRun:
    """Return the last run until a time, that time included."""
    return next(run for run in _runs(recurrence, zone, _local_date(zone, until) + _DAY, -1) if run.at <= until)


def runs_between(recurrence: Recurrence, zone: tzinfo, first: datetime, before: datetime) -> int:
    """Return how many runs there are from a time, included, to before another one."""
    count = 0
    for run in _runs(recurrence, zone, _local_date(zone, first) - _DAY, 1):
        if run.at >= before:
            return count
        count += run.at >= first
    return count


def _runs(recurrence: Recurrence, zone: tzinfo, day: date, step: int) -> Iterator[ScheduledRun]:
    """Yield the runs of that local day and after it, or before it with the step -1."""
    while True:
        if _is_run_day(recurrence, day):
            first, last = _period(recurrence.cadence, day)
            at, start, end = _instant(zone, day, recurrence.hour), _instant(zone, first), _instant(zone, last)
            # Samoa had no 30 December 2011, of which there is no report.
            if start < end:
                yield ScheduledRun(max(at, end), start, end, f"{recurrence.cadence}:{first}")
        day += step * _DAY


def _is_run_day(recurrence: Recurrence, day: date) -> bool:
    if recurrence.cadence is ReportCadence.WEEKLY:
        return _WEEKDAYS[day.weekday()] is recurrence.weekday
    if recurrence.cadence is ReportCadence.MONTHLY:
        asked = recurrence.day_of_month or 1
        return day.day == asked or (day.day < asked and (day + _DAY).day == 1)
    return True


def _period(cadence: ReportCadence, day: date) -> tuple[date, date]:
    """Return the day, the week from Monday on, or the month before the one of a day, and the day after it."""
    if cadence is ReportCadence.WEEKLY:
        monday = day - day.weekday() * _DAY
        return monday - 7 * _DAY, monday
    if cadence is ReportCadence.MONTHLY:
        first = day.replace(day=1)
        return (first - _DAY).replace(day=1), first
    return day - _DAY, day


def _instant(zone: tzinfo, day: date, hour: int = 0) -> datetime:
    """Return when the clock on the wall shows that hour; the first time if it does twice, later by as much if never."""
    return datetime.combine(day, time(hour), zone).astimezone(UTC)


def _local_date(zone: tzinfo, at: datetime) -> date:
    return at.astimezone(zone).date()
