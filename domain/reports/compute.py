"""Reads a report's input (fills, transfers, stored candles) and computes it in a thread."""

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
    """What the report is about no longer exists; the message says what."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What a report is about: an account, which of its fills, and the trading session if it is about one."""

    account: Account
    filter: OrderFilter
    session: TradingSession | None = None


class ReportComputer:
    """Reads a report's input and computes the report.

    `markets` are all known markets; `graph` holds the currencies of the account's venue and the markets between them.
    Amounts are in `currency`, by default the account's.
    """

    def __init__(
        self,
        reading: UnitOfWork,
        markets: Mapping[MarketSymbol, Market],
        report: Report,
        graph: CurrencyGraph | None = None,
        currency: str | None = None,
    ) -> None:
        self._reading = reading
        self._markets = markets
        self._report = report
        self._graph = graph
        self._currency = currency
        self._unlisted: list[Fill] = []

    async def compute(self) -> ReportResult:
        """Return the result, without excursions; raises `EmptyReport`."""
        return await compute_in_thread(await self.read())

    async def read(self) -> ReportData:
        """Return the report's input, without excursions; raises `EmptyReport`.

        An account's report needs a snapshot: fills, transfers and balances of the same time.
        """
        report, subject = self._report, await self._subject()
        account, session = subject.account, subject.session
        into = self._currency or account.currency
        all_fills = await self._fills(subject.filter)
        earlier = [fill for fill in all_fills if fill.at < report.from_]
        fills = all_fills[len(earlier) :]
        transfers = [] if session else await self._reading.transfers.list_all(account.id)
        holdings = self._holdings(subject, earlier, transfers)
        traded = {fill.market for fill in fills} | (set(session.markets) if session else set())
        end = _end(report, session, all_fills)
        start = min(max(report.from_, _first_moment(subject, [*all_fills, *self._unlisted], transfers)), end)
        graph = self._graph or CurrencyGraph(
            market for market in self._markets.values() if market.symbol.venue == account.venue
        )
        paid = [transfer for transfer in transfers if report.from_ < transfer.at < report.to]
        prices = PriceSource(self._reading.prices, graph, start, end)
        currencies = self._currencies([*holdings, *(transfer.currency for transfer in transfers)], all_fills)
        moments: dict[str, set[datetime]] = {currency: set() for currency in currencies}
        for transfer in paid:
            moments[transfer.currency].add(transfer.at)
        orders = await self._reading.orders.get_many(list({fill.order_id for fill in all_fills}))
        in_period = replace(subject.filter, start=report.from_)
        return ReportData(
            venue=account.venue,
            currency=into,
            start=start,
            end=end,
            holdings=holdings,
            earlier=earlier,
            fills=fills,
            transfers=paid,
            marks=await prices.marks(traded, moments, into, {fill.market for fill in all_fills}),
            markets=self._markets,
            traded=frozenset(traded),
            exit_reasons={order.id: order.role for order in orders if order.role is not OrderRole.ENTRY},
            arrival_prices={order.id: order.arrival_price for order in orders if order.arrival_price is not None},
            order_counts=await self._reading.orders.count_by_status(report.user_id, in_period),
            graph=graph,
            notes=(*self._notes(subject, transfers), *await self._unexplained_notes(subject)),
        )

    async def _subject(self) -> Subject:
        report = self._report
        if report.scope is ReportScope.ACCOUNT:
            account = await self._account(report.scope_id)
            return Subject(account, OrderFilter(account_id=account.id, end=report.to))
        session = await self._reading.trading_sessions.get(report.user_id, report.scope_id)
        if session is None:
            raise EmptyReport("the trading session is gone")
        filter_ = OrderFilter(trading_session_id=session.id, end=report.to)
        return Subject(await self._account(session.account_id), filter_, session)

    async def _account(self, account_id: UUID) -> Account:
        account = await self._reading.accounts.get(self._report.user_id, account_id)
        if account is None:
            raise EmptyReport("the account is gone")
        return account

    async def _fills(self, filter: OrderFilter) -> list[Fill]:
        fills = await self._reading.orders.list_all_fills(self._report.user_id, filter)
        self._unlisted = [fill for fill in fills if fill.market not in self._markets]
        return [fill for fill in fills if fill.market in self._markets]

    def _holdings(
        self, subject: Subject, earlier: Sequence[Fill], transfers: Sequence[AccountTransfer]
    ) -> dict[str, Decimal]:
        """Return the holdings at the start of the period.

        A trading session started with its start equity. An account's follow from its transfers and fills, never from
        its balances now, which may have changes without a fill or transfer yet. Fills that are left out of the report
        count here, so that the currencies they moved are included.
        """
        if subject.session is not None:
            return replay({subject.account.currency: subject.session.start_equity or ZERO}, earlier, self._markets)
        held: dict[str, Decimal] = {}
        for transfer in transfers:
            if transfer.at <= self._report.from_:
                held[transfer.currency] = EXACT.add(held.get(transfer.currency, ZERO), transfer.amount)
        return replay(held, [*earlier, *self._unlisted], self._markets)

    async def _unexplained_notes(self, subject: Subject) -> list[ReportNote]:
        """Return a note for each currency whose balance now differs from the sum of transfers and fills.

        The difference doesn't belong to the period, which is over: either a fill or a balance is yet to arrive, or the
        balance audit is about to record an adjustment.
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
        """Return all currencies that have to be valued: of holdings, fills, transfers and fees."""
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
            message = "What the account was worth when the trading session began isn't known, so no return of it is."
            notes.append(ReportNote(ReportNoteCode.START_UNKNOWN, message))
        if any(transfer.reference.startswith("estimated:") for transfer in transfers):
            message = (
                "What came in and went out before transfers were recorded isn't known; what the fills don't explain "
                "counts as if it had been there since the account was opened."
            )
            notes.append(ReportNote(ReportNoteCode.OPENING_ESTIMATED, message))
        return tuple(notes)


async def with_excursions(prices: PriceRepository, data: ReportData) -> ReportData:
    """Return the data with the highest and lowest price during each round trip."""
    return replace(data, extremes=await prices.extremes(await asyncio.to_thread(trip_spans, data)))


async def compute_in_thread(data: ReportData) -> ReportResult:
    """Return the result; computed in a thread, since many fills would block the event loop."""
    return await asyncio.to_thread(compute_result, data)


def _first_moment(subject: Subject, fills: Iterable[Fill], transfers: Iterable[AccountTransfer]) -> datetime:
    """Return when the account or trading session began; its first fill or transfer may be dated before its creation."""
    created_at = subject.account.created_at if subject.session is None else subject.session.started_at
    return min([created_at, *(fill.at for fill in fills), *(transfer.at for transfer in transfers)])


def _end(report: Report, session: TradingSession | None, fills: Sequence[Fill]) -> datetime:
    """Return the end of the period: of a trading session when it stopped, or its last fill if that came later."""
    if session is None or session.stopped_at is None:
        return report.to
    ended = max([session.stopped_at, *(fill.at for fill in fills[-1:])])
    return min(report.to, max(ended, report.from_))
