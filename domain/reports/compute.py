"""Reads what a report needs, the fill ledger and the stored candles, and has it computed beside the event loop."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from domain.core.money import EXACT, ZERO, plain
from domain.model.conversion import CurrencyGraph
from domain.model.markets import Market, MarketSymbol
from domain.model.orders import Fill, OrderRole
from domain.model.reports import Report, ReportNote, ReportNoteCode, ReportResult, ReportScope
from domain.model.trading import Account, AccountTransfer, TradingSession
from domain.performance.equity_curve import replay
from domain.performance.fills_ledger import ReportData, compute_result, trip_spans
from domain.portfolio.discrepancies import significant_differences
from domain.ports.orders import OrderFilter
from domain.ports.reports import PriceRepository
from domain.ports.unit_of_work import UnitOfWork
from domain.reports.price_source import PriceSource


class EmptyReport(Exception):
    """What the report is about is gone."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What a report is about: its account, the fills that count up to its end, and the trading session if it is one."""

    account: Account
    wanted: OrderFilter
    session: TradingSession | None = None


class ReportComputer:
    """Reads what a report needs and computes it.

    `markets` are all that are known, `graph` the currencies of the account's venue and the markets between them.
    """

    def __init__(
        self,
        reading: UnitOfWork,
        markets: Mapping[MarketSymbol, Market],
        report: Report,
        graph: CurrencyGraph | None = None,
    ) -> None:
        self._reading = reading
        self._markets = markets
        self._report = report
        self._graph = graph
        self._unlisted: list[Fill] = []

    async def compute(self) -> ReportResult:
        """Return what the report says, but for excursions; raises `EmptyReport`."""
        return await compute_in_thread(await self.read())

    async def read(self) -> ReportData:
        """Return all that the report follows from, but for excursions; raises `EmptyReport`.

        What an account's report reads must be of one moment, which is so in a snapshot.
        """
        report, subject = self._report, await self._subject()
        account, session = subject.account, subject.session
        known = await self._fills(subject.wanted)
        earlier = [fill for fill in known if fill.at < report.from_]
        fills = known[len(earlier) :]
        transfers = [] if session else await self._reading.transfers.list_all(account.id)
        holdings = self._holdings(subject, earlier, transfers)
        traded = {fill.market for fill in fills} | ({session.market} if session else set())
        end = _end(report, session, known)
        start = min(max(report.from_, _first_moment(subject, [*known, *self._unlisted], transfers)), end)
        graph = self._graph or CurrencyGraph(one for one in self._markets.values() if one.symbol.venue == account.venue)
        paid = [transfer for transfer in transfers if report.from_ < transfer.at < report.to]
        prices = PriceSource(self._reading.prices, graph, start, end)
        currencies = self._currencies([*holdings, *(one.currency for one in transfers)], known)
        moments: dict[str, set[datetime]] = {currency: set() for currency in currencies}
        for transfer in paid:
            moments[transfer.currency].add(transfer.at)
        orders = await self._reading.orders.get_many(list({fill.order_id for fill in known}))
        in_period = replace(subject.wanted, start=report.from_)
        return ReportData(
            venue=account.venue,
            currency=account.currency,
            start=start,
            end=end,
            holdings=holdings,
            earlier=earlier,
            fills=fills,
            transfers=paid,
            marks=await prices.marks(traded, moments, account.currency, {fill.market for fill in known}),
            markets=self._markets,
            traded=frozenset(traded),
            exit_reasons={one.id: one.role for one in orders if one.role is not OrderRole.ENTRY},
            arrival_prices={one.id: one.arrival_price for one in orders if one.arrival_price is not None},
            order_counts=await self._reading.orders.count_by_status(report.user_id, in_period),
            graph=graph,
            notes=(*self._notes(subject, transfers), *await self._unexplained(subject)),
        )

    async def _subject(self) -> Subject:
        report = self._report
        if report.scope is ReportScope.ACCOUNT:
            account = await self._account(report.scope_id)
            return Subject(account, OrderFilter(account_id=account.id, end=report.to))
        session = await self._reading.trading_sessions.get(report.user_id, report.scope_id)
        if session is None:
            raise EmptyReport("the trading session is gone")
        wanted = OrderFilter(trading_session_id=session.id, end=report.to)
        return Subject(await self._account(session.account_id), wanted, session)

    async def _account(self, account_id: UUID) -> Account:
        account = await self._reading.accounts.get(self._report.user_id, account_id)
        if account is None:
            raise EmptyReport("the account is gone")
        return account

    async def _fills(self, wanted: OrderFilter) -> list[Fill]:
        fills = await self._reading.orders.list_all_fills(self._report.user_id, wanted)
        self._unlisted = [fill for fill in fills if fill.market not in self._markets]
        return [fill for fill in fills if fill.market in self._markets]

    def _holdings(
        self, subject: Subject, earlier: Sequence[Fill], transfers: Sequence[AccountTransfer]
    ) -> dict[str, Decimal]:
        """Return what was held when the period began.

        A session began with its start equity; an account had what transfers and fills had come to, never what its
        balances say now: those may hold what nothing explains yet. Fills that are left out of the report count here,
        so that what they moved is there, though not when they moved it.
        """
        if subject.session is not None:
            return replay({subject.account.currency: subject.session.start_equity or ZERO}, earlier, self._markets)
        held: dict[str, Decimal] = {}
        for transfer in transfers:
            if transfer.at <= self._report.from_:
                held[transfer.currency] = EXACT.add(held.get(transfer.currency, ZERO), transfer.amount)
        return replay(held, [*earlier, *self._unlisted], self._markets)

    async def _unexplained(self, subject: Subject) -> list[ReportNote]:
        """Return a note for each currency whose balance now isn't what transfers and fills have come to.

        The period is over by now, so the difference is none of it: either its fill or its balance is still under way,
        or the audit is about to record it as an adjustment.
        """
        if subject.session is not None:
            return []
        account_id = subject.account.id
        balances = await self._reading.accounts.balances([account_id])
        differences = significant_differences(
            await self._reading.transfers.unexplained(account_id), balances.get(account_id, [])
        )
        return [
            ReportNote(
                ReportNoteCode.BALANCE_UNEXPLAINED,
                f"The balance of {currency} is now {plain(abs(amount))} {'above' if amount > 0 else 'below'} what "
                "transfers and fills come to. The report doesn't count that; if it lasts, it is recorded as an "
                "adjustment at the time at which it was noticed.",
                currency,
            )
            for currency, amount in differences.items()
        ]

    def _currencies(self, held: Iterable[str], fills: Iterable[Fill]) -> set[str]:
        """Return what is held, traded, paid in or taken as a fee, and is to be valued in the account's currency."""
        currencies = set(held)
        for fill in fills:
            currencies |= {self._markets[fill.market].base, self._markets[fill.market].quote, fill.fee_currency}
        return currencies

    def _notes(self, subject: Subject, transfers: Sequence[AccountTransfer]) -> tuple[ReportNote, ...]:
        notes = [
            ReportNote(
                ReportNoteCode.MARKET_UNKNOWN, f"{market} isn't listed any more; its fills are left out.", market
            )
            for market in sorted({str(fill.market) for fill in self._unlisted})
        ]
        if subject.session is not None and subject.session.start_equity is None:
            message = "What the account was worth when the session began isn't known, so no return of it is."
            notes.append(ReportNote(ReportNoteCode.START_UNKNOWN, message))
        if any(transfer.reference.startswith("estimated:") for transfer in transfers):
            message = (
                "What came in and went out before transfers were recorded isn't known; what the fills don't explain "
                "counts as if it had been there since the account was opened."
            )
            notes.append(ReportNote(ReportNoteCode.OPENING_ESTIMATED, message))
        return tuple(notes)


async def with_excursions(prices: PriceRepository, data: ReportData) -> ReportData:
    """Return the data with the extremes of prices during each round trip, which are found in a thread."""
    return replace(data, extremes=await prices.extremes(await asyncio.to_thread(trip_spans, data)))


async def compute_in_thread(data: ReportData) -> ReportResult:
    """Return what the report says; it is computed in a thread, so that a big ledger holds nobody up."""
    return await asyncio.to_thread(compute_result, data)


def _first_moment(subject: Subject, fills: Iterable[Fill], transfers: Iterable[AccountTransfer]) -> datetime:
    """Return when what the report is about began; its first fill or transfer may be dated before it was created."""
    created_at = subject.account.created_at if subject.session is None else subject.session.started_at
    return min([created_at, *(fill.at for fill in fills), *(transfer.at for transfer in transfers)])


def _end(report: Report, session: TradingSession | None, fills: Sequence[Fill]) -> datetime:
    """Return until when things are valued: no longer than a session lasts, whose last fill may come just after it."""
    if session is None or session.stopped_at is None:
        return report.to
    ended = max([session.stopped_at, *(fill.at for fill in fills[-1:])])
    return min(report.to, max(ended, report.from_))
