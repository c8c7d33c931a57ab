"""Reads the numbers of a period over all users, for operators: whole days (UTC), so that none is of one action."""

from collections import Counter
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from domain.core.errors import FaultCode, RequestFault
from domain.model.operator_reports import OperatorReport, UserActivity
from domain.model.orders import OrderStatus
from domain.ports.unit_of_work import UnitOfWork

DEFAULT_DAYS: Final = 30
MOST_DAYS: Final = 92
"""A quarter: more would be counted for too long."""

LATENCY_ORDERS: Final = 10_000
"""The latency is that of about so many orders at most, by chance: to read the log of all would take minutes."""

_DAY: Final = timedelta(days=1)
_INSTANT: Final = timedelta(microseconds=1)


def report_period(start: datetime | None, end: datetime | None, now: datetime) -> tuple[datetime, datetime]:
    """Return the whole days (UTC) that the period from `start` to before `end` touches.

    By default these are the 30 days until yesterday. Raises `RequestFault` (INVALID) if there is none, or if they are
    more than a quarter.
    """
    try:
        last = (end - _INSTANT if end is not None else now - _DAY).astimezone(UTC).date()
        first = start.astimezone(UTC).date() if start is not None else last - (DEFAULT_DAYS - 1) * _DAY
        days, period = (last - first).days + 1, (_beginning(first), _beginning(last + _DAY))
    except OverflowError:
        raise RequestFault(FaultCode.INVALID, "The period reaches beyond the calendar.") from None
    if not 1 <= days <= MOST_DAYS:
        message = f"The period has {max(days, 0)} days (UTC); it must have from 1 to {MOST_DAYS}."
        raise RequestFault(FaultCode.INVALID, message)
    return period


async def read_operator_report(reading: UnitOfWork, start: datetime, end: datetime) -> OperatorReport:
    """Return the numbers of a period, as the snapshot has them."""
    reads = reading.operator_reports
    orders = await reads.orders(start, end)
    users = {user_id for user_id, _ in orders}
    statuses: Counter[OrderStatus] = Counter()
    for (_, status), count in orders.items():
        statuses[status] += count
    return OperatorReport(
        from_=start,
        to=end,
        users=UserActivity(await reads.registered(start, end), await reads.active(start, end), len(users)),
        orders=dict(statuses.most_common()),
        denials=await reads.denials(start, end),
        fills=await reads.fills(start, end),
        latency=await reads.latency(start, end, one_of=max(-(-statuses.total() // LATENCY_ORDERS), 1)),
        errors=await reads.errors(start, end),
    )


def _beginning(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
