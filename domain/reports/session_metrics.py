"""How a trading session has gone so far, from the same computation as a report."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from domain.model.conversion import CurrencyGraph
from domain.model.markets import Market
from domain.model.reports import PerformanceMetrics, Report, ReportScope
from domain.model.trading import TradingSession
from domain.ports.unit_of_work import UnitOfWork
from domain.reports.compute import EmptyReport, ReportComputer

CLOCK_SLACK = timedelta(minutes=1)
"""How much later than a session's end its last fill may be dated, by the venue's clock."""


@dataclass(frozen=True, slots=True)
class MetricsRequest:
    """A session, the market that it trades, and the moment up to which it is looked at.

    `graph` holds the markets that convert what the session's fills and fees are in.
    """

    session: TradingSession
    market: Market
    now: datetime
    graph: CurrencyGraph | None = field(default=None, compare=False)


async def session_metrics(reading: UnitOfWork, wanted: MetricsRequest) -> PerformanceMetrics | None:
    """Return the figures from the account's equity at the start; None before the first round trip."""
    session = wanted.session
    end = wanted.now if session.stopped_at is None else min(wanted.now, session.stopped_at + CLOCK_SLACK)
    if end <= session.started_at:
        return None
    period = Report(
        id=session.id,
        user_id=session.user_id,
        scope=ReportScope.TRADING_SESSION,
        scope_id=session.id,
        from_=session.started_at,
        to=end,
        created_at=wanted.now,
        job_id=session.id,
    )
    try:
        result = await ReportComputer(reading, {session.market: wanted.market}, period, wanted.graph).compute()
    except EmptyReport:
        return None
    return result.metrics if result.metrics.round_trips else None
