"""What a report is called on its page: what it is about, by the names that the user gave."""

from collections.abc import Sequence

from domain.model.markets import MarketSymbol
from domain.model.reports import Report, ReportScope
from domain.ports.unit_of_work import UnitOfWork


async def report_title(reading: UnitOfWork, report: Report) -> str:
    """Return the title of a report, whose subject may be gone."""
    if report.scope is ReportScope.ACCOUNT:
        account = await reading.accounts.get(report.user_id, report.scope_id)
        return "Account" if account is None else f"Account {account.name}"
    if report.scope is ReportScope.TRADING_SESSION:
        session = await reading.trading_sessions.get(report.user_id, report.scope_id)
        return "Trading session" if session is None else f"Trading session on {_listed(session.markets)}"
    if report.scope is ReportScope.BACKTEST:
        backtest = await reading.backtests.get(report.user_id, report.scope_id)
        return "Backtest" if backtest is None else f"Backtest of {_listed(backtest.markets)}, {backtest.timeframe}"
    if report.scope is ReportScope.STRATEGY:
        strategies = await reading.strategies.get_many([report.scope_id])
        return f"Strategy {strategies[0].name}" if strategies else "Strategy"
    return "All accounts"


def _listed(markets: Sequence[MarketSymbol]) -> str:
    few = 3
    more = f" and {len(markets) - few} more" if len(markets) > few else ""
    return ", ".join(str(market) for market in markets[:few]) + more
