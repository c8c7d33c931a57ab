"""Realised profit by period and group: where the periods begin in a time zone, and the sums of round trips."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

from domain.core.errors import FaultCode, RequestFault
from domain.core.money import EXACT, ZERO
from domain.model.profit import CurrencyAmount, GroupKey, ProfitGroup, ProfitGrouping, ProfitPeriod, ProfitRow

MAX_PARTS: Final = 1_000
DEFAULT_PARTS: Final = 31
MAX_GROUPS: Final = 1_000

FIRST_MOMENT: Final = datetime(1970, 1, 1, tzinfo=UTC)

Rate = Callable[[ProfitRow], Decimal | None]
"""Returns what one unit of a row's quote currency is in the currency of the summary; None if it isn't known."""


@dataclass(frozen=True, slots=True)
class ProfitQuery:
    """Which round trips to sum up: those that closed from `start`, included, to `end`, and how they are grouped."""

    start: datetime | None
    end: datetime
    period: ProfitPeriod | None
    grouping: ProfitGrouping | None
    zone: ZoneInfo

    @property
    def starts(self) -> list[datetime]:
        """Where the parts of the period begin, oldest first; at most `MAX_PARTS`."""
        first = self.start or FIRST_MOMENT
        return [first] if self.period is None else _part_starts(first, self.end, self.period, self.zone)


def profit_query(
    start: datetime | None,
    end: datetime | None,
    period: ProfitPeriod | None,
    grouping: ProfitGrouping | None,
    zone: ZoneInfo,
    now: datetime,
) -> ProfitQuery:
    """Return a query; without `start` it has `DEFAULT_PARTS` parts, and goes back to the first if it isn't divided.

    Raises `RequestFault` (INVALID) if it ends before it begins, or has more than `MAX_PARTS` parts.
    """
    until = min(max(end or now, FIRST_MOMENT + timedelta(microseconds=1)), now)
    if start is not None and end is not None and start >= end:
        raise RequestFault(FaultCode.INVALID, "`from` must be before `to`.")
    begins = start
    if begins is None and period is not None:
        begins = until - (DEFAULT_PARTS - 1) * _SHORTEST[period]
        begins = _midnight(_first_day(begins.astimezone(zone).date(), period), zone)
    if begins is not None:
        begins = min(max(begins, FIRST_MOMENT), until)
    if period is not None and begins is not None and (until - begins) / _SHORTEST[period] > MAX_PARTS:
        message = (
            f"Between `from` and `to` there are more than {MAX_PARTS:,} {period.value.lower()}s. "
            "Ask for a shorter time, or for a longer `period`."
        )
        raise RequestFault(FaultCode.INVALID, message)
    return ProfitQuery(begins, until, period, grouping, zone)


def profit_groups(query: ProfitQuery, rows: Iterable[ProfitRow], rate: Rate) -> tuple[ProfitGroup, list[ProfitGroup]]:
    """Return the sum of all rows, and that of each part and group that has any, oldest first and the greatest first."""
    every, starts = list(rows), query.starts
    ends = [*starts[1:], query.end]
    by_group: defaultdict[tuple[int, GroupKey], list[ProfitRow]] = defaultdict(list)
    for row in every:
        by_group[row.part, row.key].append(row)
    if len(by_group) > MAX_GROUPS:
        message = f"There are {len(by_group):,} groups, more than {MAX_GROUPS:,}. Ask for a shorter time."
        raise RequestFault(FaultCode.INVALID, message)
    cut = query.start is None
    groups = [
        (part, _group(None if cut and part == 0 else starts[part], ends[part], key, members, rate))
        for (part, key), members in by_group.items()
    ]
    ordered = sorted(groups, key=lambda each: (each[0], -(each[1].profit or ZERO), str(each[1].key)))
    return _group(query.start, query.end, None, every, rate), [group for _, group in ordered]


def _group(start: datetime | None, end: datetime, key: GroupKey, rows: Sequence[ProfitRow], rate: Rate) -> ProfitGroup:
    profit, fees, is_priced = ZERO, ZERO, False
    unpriced: defaultdict[str, Decimal] = defaultdict(Decimal)
    for row in rows:
        price = rate(row)
        if price is None:
            unpriced[row.quote] = EXACT.add(unpriced[row.quote], row.profit)
        else:
            is_priced = True
            profit = EXACT.add(profit, EXACT.multiply(row.profit, price))
            fees = EXACT.add(fees, EXACT.multiply(row.fees, price))
    known = is_priced or not rows
    return ProfitGroup(
        start=start,
        end=end,
        key=key,
        profit=profit if known else None,
        fees=fees if known else None,
        round_trips=sum(row.round_trips for row in rows),
        wins=sum(row.wins for row in rows),
        losses=sum(row.losses for row in rows),
        unpriced=tuple(CurrencyAmount(currency, unpriced[currency]) for currency in sorted(unpriced)),
        unpriced_fees=tuple(sorted(frozenset().union(*(row.unpriced_fees for row in rows)))),
    )


_SHORTEST: Final = {
    ProfitPeriod.DAY: timedelta(days=1),
    ProfitPeriod.WEEK: timedelta(weeks=1),
    ProfitPeriod.MONTH: timedelta(days=28),
}


def shortest(period: ProfitPeriod) -> timedelta:
    """Return how long a part of a period is at least, but for the hour that daylight-saving time takes of a day."""
    return _SHORTEST[period]


def _part_starts(start: datetime, end: datetime, period: ProfitPeriod, zone: ZoneInfo) -> list[datetime]:
    starts, day = [start], _next_day(start.astimezone(zone).date(), period)
    while (following := _midnight(day, zone)) < end:
        if following > start:
            starts.append(following)
        day = _next_day(day, period)
    return starts


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    """Return when a day begins; where clocks go forward at midnight, that is an hour later by the clock."""
    return datetime.combine(day, time(), zone).astimezone(UTC)


def _first_day(day: date, period: ProfitPeriod) -> date:
    """Return the first day of the period that contains `day`; weeks begin on Monday (ISO 8601)."""
    if period is ProfitPeriod.MONTH:
        return day.replace(day=1)
    return day - timedelta(days=day.weekday()) if period is ProfitPeriod.WEEK else day


def _next_day(day: date, period: ProfitPeriod) -> date:
    """Return the first day of the period after the one that contains `day`."""
    first = _first_day(day, period)
    if period is ProfitPeriod.MONTH:
        return (first + timedelta(days=31)).replace(day=1)
    return first + (timedelta(weeks=1) if period is ProfitPeriod.WEEK else timedelta(days=1))
