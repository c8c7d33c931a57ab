"""The equity of accounts over time."""

from datetime import datetime

from domain.model.equity import EquityHistory, EquityInterval
from domain.model.trading import Account
from domain.portfolio.equity_history import equity_history, history_period
from resolvers.context import RequestContext


async def account_history(
    context: RequestContext, account: Account, interval: EquityInterval, start: datetime | None, end: datetime | None
) -> EquityHistory:
    """Return the account's equity by interval; raises `RequestFault` (INVALID) for a period that can't be served."""
    until = account.archived_at or context.services.clock.now()
    period = history_period(interval, start, end, account.created_at, until)
    intervals = period.intervals
    if not intervals:
        return equity_history(account.currency, period, None, ())
    async with context.services.database.read_only() as reading:
        before, points = await reading.equity.history(account.id, intervals)
    return equity_history(account.currency, period, before, points)
