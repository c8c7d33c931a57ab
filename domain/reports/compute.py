"""Reads a report's input (fills, transfers, stored candles) and computes it in a thread."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Final
from uuid import UUID

from domain.core.money import EXACT, ZERO, plain
from domain.model.conversion import CurrencyGraph
from domain.model.fill_lines import FillSums
from domain.model.markets import Market, MarketSymbol
from domain.model.orders import Fill, OrderRole
from domain.model.reports import Report, ReportNote, ReportNoteCode, ReportResult, ReportScope
from domain.model.trading import Account, AccountTransfer
from domain.performance.equity_curve import replay, replay_sums
from domain.performance.fills_ledger import ReportData, compute_result
from domain.portfolio.discrepancies import significant_differences
from domain.ports.orders import OrderFilter
from domain.ports.reports import FillSpan
from domain.ports.unit_of_work import UnitOfWork
from domain.reports.price_source import PriceSource
from domain.reports.subject import EmptyReport, Subject, end_after, end_of, first_moment, with_transfers

_INSTANT: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Window:
    """The input of a part of a report's time, and how many fills it has; `is_earlier` if it is before the period."""

    data: ReportData
    fills: int
    is_earlier: bool


@dataclass(frozen=True, slots=True)
class _Facts:
    """What all windows have in common: the markets traded in the period and ever, and the currencies of all fills."""

    traded: frozenset[MarketSymbol]
    markets: frozenset[MarketSymbol]
    currencies: frozenset[str]


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
        subject = await self._subject()
        return await self._whole(subject)

    async def windows(self, most_fills: int) -> AsyncIterator[Window]:
        """Yield the report's input in windows of about so many fills, oldest first; raises `EmptyReport`.

        A window from before the period has only `earlier` fills.
        """
        subject = await self._subject()
        span = await self._reading.reports.fill_span(self._report.user_id, subject.filter, most_fills)
        if span is None or span.count <= most_fills:
            yield Window(await self._whole(subject), 0 if span is None else span.count, is_earlier=False)
            return
        async for window in self._several(subject, span):
            yield window

    async def _several(self, subject: Subject, span: FillSpan) -> AsyncIterator[Window]:
        report, session = self._report, subject.session
        transfers = [] if session else await self._reading.transfers.list_all(subject.account.id)
        begun = subject.account.created_at if session is None else session.started_at
        start = max(report.from_, min([begun, span.first, *(transfer.at for transfer in transfers)]))
        end = max(end_after(report, session, span.last), start)
        currencies = await self._reading.reports.fill_currencies(report.user_id, subject.filter)
        in_period = await self._reading.reports.fill_currencies(
            report.user_id, replace(subject.filter, start=report.from_)
        )
        facts = _Facts(
            traded=frozenset({market for market, _ in in_period if market in self._markets})
            | (frozenset(session.markets) if session else frozenset()),
            markets=frozenset({market for market, _ in currencies if market in self._markets}),
            currencies=self._currencies_of(currencies),
        )
        holdings, newest = self._opening_holdings(subject), dict[MarketSymbol, Fill]()
        edges = sorted({span.first, start, *(cut for cut in span.cuts if cut < report.to), report.to})
        for after, before in pairwise(edges):
            selected = replace(subject.filter, start=after, end=before)
            read = await self._reading.orders.list_all_fills(report.user_id, selected)
            sums = await self._reading.reports.fill_sums(report.user_id, selected)
            fills, known = self._listed(read, sums), list(newest.values())
            newest |= _newest(fills, len(facts.markets))
            if before <= start:
                data = await self._window(subject, selected, facts, (start, start), {}, fills, [], [])
                yield Window(data, len(fills), is_earlier=True)
                holdings = replay_sums(holdings, sums, self._markets)
                continue
            if after == start:
                holdings = with_transfers(holdings, [each for each in transfers if each.at <= report.from_])
            since = report.from_ + _INSTANT if after == start else after
            paid = [each for each in transfers if since <= each.at < before]
            until = end if before == report.to else before
            data = await self._window(subject, selected, facts, (after, until), holdings, [], fills, paid)
            notes = self._notes(subject, transfers) if before == report.to else ()
            if before == report.to:
                notes = (*notes, *await self._unexplained_notes(subject))
            yield Window(replace(data, notes=notes, priced_by=known), len(fills), is_earlier=False)
            holdings = with_transfers(replay_sums(holdings, sums, self._markets), paid)

    async def _window(
        self,
        subject: Subject,
        selected: OrderFilter,
        facts: "_Facts",
        period: tuple[datetime, datetime],
        holdings: Mapping[str, Decimal],
        earlier: Sequence[Fill],
        fills: Sequence[Fill],
        paid: Sequence[AccountTransfer],
    ) -> ReportData:
        """Return the input of a part of the period; one that is over when it begins has `earlier` fills alone."""
        account, (start, end) = subject.account, period
        into, graph = self._currency or account.currency, self._graph_of(account)
        moments: dict[str, set[datetime]] = {currency: set() for currency in {*facts.currencies, *holdings}}
        for transfer in paid:
            moments.setdefault(transfer.currency, set()).add(transfer.at)
        marks = []
        if start < end:
            prices = PriceSource(self._reading.prices, graph, start, end)
            marks = await prices.marks(facts.traded, moments, into, facts.markets)
        orders = await self._reading.reports.order_facts(self._report.user_id, selected)
        after = end if fills else max((fill.at for fill in earlier), default=end) + _INSTANT
        in_period = replace(subject.filter, start=self._report.from_)
        return ReportData(
            venue=account.venue,
            currency=into,
            start=start,
            end=end,
            holdings=holdings,
            earlier=earlier,
            fills=fills,
            transfers=paid,
            marks=marks,
            markets=self._markets,
            traded=facts.traded,
            exit_reasons={order.id: order.role for order in orders if order.role is not OrderRole.ENTRY},
            arrival_prices={order.id: order.arrival_price for order in orders if order.arrival_price is not None},
            order_counts=await self._reading.orders.count_by_status(self._report.user_id, in_period),
            graph=graph,
            unfinished=await self._reading.reports.with_fills_from(
                self._report.user_id, selected, after, self._report.to
            ),
        )

    async def _whole(self, subject: Subject) -> ReportData:
        report, account, session = self._report, subject.account, subject.session
        into = self._currency or account.currency
        all_fills = await self._fills(subject.filter)
        earlier = [fill for fill in all_fills if fill.at < report.from_]
        fills = all_fills[len(earlier) :]
        transfers = [] if session else await self._reading.transfers.list_all(account.id)
        holdings = self._holdings(subject, earlier, transfers)
        traded = {fill.market for fill in fills} | (set(session.markets) if session else set())
        end = end_of(report, session, all_fills)
        start = min(max(report.from_, first_moment(subject, [*all_fills, *self._unlisted], transfers)), end)
        graph = self._graph_of(account)
        paid = [transfer for transfer in transfers if report.from_ < transfer.at < report.to]
        prices = PriceSource(self._reading.prices, graph, start, end)
        currencies = self._currencies([*holdings, *(transfer.currency for transfer in transfers)], all_fills)
        moments: dict[str, set[datetime]] = {currency: set() for currency in currencies}
        for transfer in paid:
            moments[transfer.currency].add(transfer.at)
        orders = await self._reading.reports.order_facts(report.user_id, subject.filter)
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

    def _graph_of(self, account: Account) -> CurrencyGraph:
        return self._graph or CurrencyGraph(
            market for market in self._markets.values() if market.symbol.venue == account.venue
        )

    def _opening_holdings(self, subject: Subject) -> dict[str, Decimal]:
        """Return the holdings before the first fill and transfer: what a trading session started with."""
        if subject.session is None:
            return {}
        return {subject.account.currency: subject.session.start_equity or ZERO}

    def _listed(self, fills: Sequence[Fill], sums: Iterable[FillSums]) -> Sequence[Fill]:
        """Return the fills on known markets, and remember the others for a note; `sums` are those of the fills."""
        if all(each.market in self._markets for each in sums):
            return fills
        unlisted = {fill.market: fill for fill in fills if fill.market not in self._markets}
        self._unlisted += unlisted.values()
        return [fill for fill in fills if fill.market not in unlisted]

    def _currencies_of(self, traded: Iterable[tuple[MarketSymbol, str]]) -> frozenset[str]:
        found: set[str] = set()
        for symbol, fee_currency in traded:
            market = self._markets.get(symbol)
            if market is not None:
                found |= {market.base, market.quote, fee_currency}
        return frozenset(found)

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


def _newest(fills: Sequence[Fill], markets: int) -> dict[MarketSymbol, Fill]:
    """Return the newest fill of each market, of which there are at most so many."""
    newest: dict[MarketSymbol, Fill] = {}
    for fill in reversed(fills):
        newest.setdefault(fill.market, fill)
        if len(newest) == markets:
            break
    return newest


async def compute_in_thread(data: ReportData) -> ReportResult:
    """Return the result; computed in a thread, since many fills would block the event loop."""
    return await asyncio.to_thread(compute_result, data)
