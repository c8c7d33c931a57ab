"""Tables of a report: returns by month, and round trips by market, side and exit reason."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from domain.core.money import EXACT, ZERO
from domain.model.reports import RoundTrip
from domain.performance.returns import DailyReturn

_YEAR = 0


@dataclass(frozen=True, slots=True)
class TripGroup:
    """The closed round trips that have something in common."""

    name: str
    count: int
    wins: int
    profit: Decimal
    fees: Decimal


def monthly_returns(days: Sequence[DailyReturn]) -> dict[int, dict[int, float]]:
    """Return the compounded return, as a fraction, by year and month; month 0 is the whole year."""
    values: defaultdict[tuple[int, int], list[float]] = defaultdict(list)
    for day in days:
        values[day.date.year, day.date.month].append(day.value)
        values[day.date.year, _YEAR].append(day.value)
    table: dict[int, dict[int, float]] = {}
    for (year, month), returns in sorted(values.items()):
        table.setdefault(year, {})[month] = float(np.prod(1 + np.array(returns)) - 1)
    return table


def trips_by(trips: Iterable[RoundTrip], name_of: Callable[[RoundTrip], str]) -> list[TripGroup]:
    """Return the groups of closed round trips that have the same name, the most profitable first."""
    groups: defaultdict[str, list[RoundTrip]] = defaultdict(list)
    for trip in trips:
        if trip.closed_at is not None:
            groups[name_of(trip)].append(trip)
    found = [
        TripGroup(
            name,
            len(members),
            sum(trip.profit > 0 for trip in members),
            _sum(trip.profit for trip in members),
            _sum(trip.fees for trip in members),
        )
        for name, members in groups.items()
    ]
    return sorted(found, key=lambda group: (-group.profit, group.name))


def _sum(amounts: Iterable[Decimal]) -> Decimal:
    total = ZERO
    for amount in amounts:
        total = EXACT.add(total, amount)
    return total
