"""Sums up what closed positions have earned, in one currency."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from domain.core.errors import FaultCode, RequestFault
from domain.model.profit import ProfitRow, ProfitSummary
from domain.performance.profit_groups import ProfitQuery, profit_groups
from domain.ports.unit_of_work import UnitOfWork
from domain.reports.past_rates import PastRates

MAX_ROWS: Final = 20_000


async def profit_summary(
    reading: UnitOfWork, account_ids: Sequence[UUID], query: ProfitQuery, rates: PastRates
) -> ProfitSummary:
    """Return the summary of the accounts in the currency of `rates`.

    A profit in another currency is converted at the end of the day (UTC) on which its position closed. Raises
    `RequestFault` (INVALID) if there are too many groups to be served.
    """
    rows = await reading.profit.rows(account_ids, query.starts, query.end, query.grouping, MAX_ROWS + 1)
    if len(rows) > MAX_ROWS:
        raise RequestFault(FaultCode.INVALID, "There are too many days and groups to sum up; ask for a shorter time.")
    moments: defaultdict[tuple[str, str], set[datetime]] = defaultdict(set)
    for row in rows:
        moments[row.venue, row.quote].add(_end_of_day(row, query.end))
    await rates.load(reading.prices, moments)
    total, groups = profit_groups(
        query, rows, lambda row: rates.rate(row.venue, row.quote, _end_of_day(row, query.end))
    )
    return ProfitSummary(
        currency=rates.currency,
        time_zone=query.zone.key,
        start=query.start,
        end=query.end,
        period=query.period,
        grouping=query.grouping,
        total=total,
        groups=() if query.period is None and query.grouping is None else tuple(groups),
    )


def _end_of_day(row: ProfitRow, end: datetime) -> datetime:
    return min(row.day + timedelta(days=1), max(end, row.day))
