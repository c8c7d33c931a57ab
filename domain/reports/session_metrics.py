"""The metrics of a trading session so far, by the same computation as a report's."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from domain.model.conversion import CurrencyGraph
from domain.model.markets import Market
from domain.model.reports import PerformanceMetrics, Report, ReportScope
from domain.model.trading import TradingSession
from domain.ports.unit_of_work import UnitOfWork
from domain.reports.compute import ReportComputer
from domain.reports.subject import EmptyReport

CLOCK_SLACK = timedelta(minutes=1)
"""How much later than a trading session's end its last fill may be dated, by the venue's clock."""


@dataclass(frozen=True, slots=True)
class MetricsRequest:
    """A trading session, the markets that it trades, and the time up to which its metrics are computed.

    `graph` holds the markets that convert the currencies of the session's fills and fees.
    """

    session: TradingSession
    markets: tuple[Market, ...]
    now: datetime
    graph: CurrencyGraph | None = field(default=None, compare=False)


async def session_metrics(reading: UnitOfWork, request: MetricsRequest) -> PerformanceMetrics | None:
    """Return the metrics, from the account's equity at the start; None before the first round trip."""
    session = request.session
    end = request.now if session.stopped_at is None else min(request.now, session.stopped_at + CLOCK_SLACK)
    if end <= session.started_at:
        return None
    period = Report(
        id=session.id,
        user_id=session.user_id,
        scope=ReportScope.TRADING_SESSION,
        scope_id=session.id,
        from_=session.started_at,
        to=end,
        created_at=request.now,
        job_id=session.id,
    )
    markets = {market.symbol: market for market in request.markets}
    try:
        result = await ReportComputer(reading, markets, period, request.graph).compute()
    except EmptyReport:
        return None
    return result.metrics if result.metrics.round_trips else None
