"""The parts of a report about several accounts or trading sessions, and the currency that they have in common."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

from domain.model.conversion import CurrencyGraph
from domain.model.markets import Market, MarketSymbol
from domain.model.reports import Report, ReportPart, ReportResult, ReportScope
from domain.model.trading import Account
from domain.performance.combining import combined
from domain.ports.unit_of_work import UnitOfWork
from domain.reports.subject import EmptyReport

MOST_PARTS: Final = 500
"""More accounts or trading sessions than this are more than a report is for."""


@dataclass(frozen=True, slots=True)
class PartOfReport:
    """An account or a trading session as a report of its own, and the name of what it belongs to."""

    name: str
    report: Report
    account_id: UUID


async def parts_of(reading: UnitOfWork, report: Report) -> list[PartOfReport]:
    """Return the parts of a report about a strategy or a user; raises `EmptyReport`."""
    most = MOST_PARTS + 1
    if report.scope is ReportScope.STRATEGY:
        sessions = await reading.reports.sessions_of_strategy(
            report.user_id, report.scope_id, report.from_, report.to, most
        )
        parts = [
            PartOfReport(f"Version {number}", _about(report, ReportScope.TRADING_SESSION, session_id), account_id)
            for session_id, account_id, number in sessions
        ]
        missing = "No trading session of the strategy was live in this period."
    else:
        ids = await reading.reports.accounts_of_user(report.user_id, report.to, most)
        names = {account.id: account.name for account in await reading.accounts.get_many(ids)}
        parts = [
            PartOfReport(names[account_id], _about(report, ReportScope.ACCOUNT, account_id), account_id)
            for account_id in ids
        ]
        missing = "There was no account in this period."
    if not parts:
        raise EmptyReport(missing)
    if len(parts) > MOST_PARTS:
        raise EmptyReport(f"These are more than {MOST_PARTS} parts, which is the most; ask for a shorter period.")
    return parts


async def common_currency(
    reading: UnitOfWork, report: Report, parts: Sequence[PartOfReport], markets: Mapping[MarketSymbol, Market]
) -> str:
    """Return the user's report currency if markets lead to it from every account's, else the accounts' most frequent.

    Where markets don't lead to that one either, a note of the report says so.
    """
    accounts = await reading.accounts.get_many(list({part.account_id for part in parts}))
    user = await reading.users.get(report.user_id)
    frequent = Counter(account.currency for account in accounts).most_common()
    candidates = [currency for currency, _ in frequent]
    if user is not None and user.report_currency is not None:
        candidates.insert(0, user.report_currency)
    graphs = {venue: _graph(venue, markets) for venue in {account.venue for account in accounts}}
    return next((each for each in candidates if _reaches(accounts, graphs, each)), frequent[0][0])


def combined_parts(parts: Iterable[tuple[str, ReportResult]], currency: str) -> ReportResult:
    """Return the result of all parts together, with those of each name side by side."""
    results: dict[str, list[ReportResult]] = {}
    for name, result in parts:
        results.setdefault(name, []).append(result)
    named = tuple(ReportPart(name, combined(group, currency).metrics) for name, group in results.items())
    return replace(combined([result for group in results.values() for result in group], currency), parts=named)


def _about(report: Report, scope: ReportScope, scope_id: UUID) -> Report:
    return replace(report, scope=scope, scope_id=scope_id)


def _graph(venue: str, markets: Mapping[MarketSymbol, Market]) -> CurrencyGraph:
    return CurrencyGraph(market for market in markets.values() if market.symbol.venue == venue)


def _reaches(accounts: Sequence[Account], graphs: Mapping[str, CurrencyGraph], currency: str) -> bool:
    return all(
        account.currency == currency or graphs[account.venue].connects(account.currency, currency)
        for account in accounts
    )
