"""What a report is about, and when that begins and ends."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from domain.core.money import EXACT, ZERO
from domain.model.orders import Fill
from domain.model.reports import Report
from domain.model.trading import Account, AccountTransfer, TradingSession
from domain.ports.orders import OrderFilter


class EmptyReport(Exception):
    """What the report is about no longer exists; the message says what."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What a report is about: an account, which of its fills, and the trading session if it is about one."""

    account: Account
    filter: OrderFilter
    session: TradingSession | None = None


def first_moment(subject: Subject, fills: Iterable[Fill], transfers: Iterable[AccountTransfer]) -> datetime:
    """Return when the account or trading session began; its first fill or transfer may be dated before its creation."""
    created_at = subject.account.created_at if subject.session is None else subject.session.started_at
    return min([created_at, *(fill.at for fill in fills), *(transfer.at for transfer in transfers)])


def end_of(report: Report, session: TradingSession | None, fills: Sequence[Fill]) -> datetime:
    """Return the end of the period, given its fills; see `end_after`."""
    return end_after(report, session, fills[-1].at if fills else None)


def end_after(report: Report, session: TradingSession | None, last_fill_at: datetime | None) -> datetime:
    """Return the end of the period: of a trading session when it stopped, or its last fill if that came later."""
    if session is None or session.stopped_at is None:
        return report.to
    ended = max(session.stopped_at, last_fill_at or session.stopped_at)
    return min(report.to, max(ended, report.from_))


def with_transfers(holdings: Mapping[str, Decimal], transfers: Iterable[AccountTransfer]) -> dict[str, Decimal]:
    """Return the holdings after the transfers."""
    held = dict(holdings)
    for transfer in transfers:
        held[transfer.currency] = EXACT.add(held.get(transfer.currency, ZERO), transfer.amount)
    return held
