"""Reads what a report needs, the fill ledger and the stored candles, and has it computed beside the event loop."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from domain.keyset import TimeWindow
from domain.markets.types import VENUE_TIMEFRAMES, Candle, Market, MarketSymbol, Timeframe
from domain.money import EXACT, ZERO
from domain.orders.ports import OrderFilter
from domain.orders.types import Fill, OrderRole
from domain.reports.equity_curve import redo, undo
from domain.reports.ledger import ReportData, result_of
from domain.reports.prices import Mark, marks_of
from domain.reports.types import Report, ReportResult, ReportScope
from domain.storage import Transaction
from domain.trading.types import Account, AccountTransfer, TradingSession

MARKS_A_MARKET = 1_500
LOOK_BACK = timedelta(days=1)
"""How old the last price before a moment may be."""

_TICK = timedelta(microseconds=1)


class NothingToReport(Exception):  # noqa: N818  # told to the user as the job's message
    """What the report is about is gone."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What a report is about: its account, the fills that count up to its end, and the trading session if it is one."""

    account: Account
    wanted: OrderFilter
    session: TradingSession | None = None


class ReportComputer:
    """Reads what a report needs and computes it; `markets` are all that are known."""

    def __init__(self, reading: Transaction, markets: Mapping[MarketSymbol, Market], report: Report) -> None:
        self._reading = reading
        self._markets = markets
        self._report = report

    async def compute(self) -> ReportResult:
        """Return what the report says; raises `NothingToReport`."""
        return await computed(await self.read())

    async def read(self) -> ReportData:
        """Return all that the report follows from; raises `NothingToReport`."""
        report, subject = self._report, await self._subject()
        known = await self._fills(subject.wanted)
        earlier = [fill for fill in known if fill.at < report.from_]
        fills = known[len(earlier) :]
        transfers = [] if subject.session else await self._reading.transfers.of_account(subject.account.id)
        holdings = await self._holdings(subject, earlier, fills, transfers)
        traded = {fill.market for fill in fills} | ({subject.session.market} if subject.session else set())
        priced = traded | self._conversions(subject.account, [*holdings, *(one.currency for one in transfers)], known)
        in_period = replace(subject.wanted, start=report.from_)
        return ReportData(
            venue=subject.account.venue,
            currency=subject.account.currency,
            start=report.from_,
            end=report.to,
            holdings=holdings,
            earlier=earlier,
            fills=fills,
            transfers=[transfer for transfer in transfers if report.from_ < transfer.at < report.to],
            marks=await self._marks(sorted(priced)),
            markets=self._markets,
            traded=frozenset(traded),
            exit_reasons=await self._exit_reasons(known),
            order_counts=await self._reading.orders.outcome_counts(report.user_id, in_period),
        )

    async def _subject(self) -> Subject:
        report = self._report
        if report.scope is ReportScope.ACCOUNT:
            account = await self._account(report.scope_id)
            return Subject(account, OrderFilter(account_id=account.id, end=report.to))
        session = await self._reading.trading_sessions.get(report.user_id, report.scope_id)
        if session is None:
            raise NothingToReport("the trading session is gone")
        wanted = OrderFilter(trading_session_id=session.id, end=report.to)
        return Subject(await self._account(session.account_id), wanted, session)

    async def _account(self, account_id: UUID) -> Account:
        account = await self._reading.accounts.get(self._report.user_id, account_id)
        if account is None:
            raise NothingToReport("the account is gone")
        return account

    async def _fills(self, wanted: OrderFilter) -> list[Fill]:
        fills = await self._reading.orders.ledger(self._report.user_id, wanted)
        return [fill for fill in fills if fill.market in self._markets]

    async def _holdings(
        self,
        subject: Subject,
        earlier: Sequence[Fill],
        fills: Sequence[Fill],
        transfers: Sequence[AccountTransfer],
    ) -> dict[str, Decimal]:
        """Return what was held when the period began.

        A session began with its start equity; an account has its balances now, with all fills and transfers since
        undone.
        """
        account = subject.account
        if subject.session is not None:
            return redo({account.currency: subject.session.start_equity or ZERO}, earlier, self._markets)
        following = await self._fills(OrderFilter(account_id=account.id, start=self._report.to))
        balances = await self._reading.accounts.balances([account.id])
        now = {balance.currency: balance.total for balance in balances.get(account.id, [])}
        for transfer in transfers:
            if transfer.at > self._report.from_:
                now[transfer.currency] = EXACT.subtract(now.get(transfer.currency, ZERO), transfer.amount)
        return undo(now, [*fills, *following], self._markets)

    def _conversions(self, account: Account, held: Iterable[str], fills: Iterable[Fill]) -> set[MarketSymbol]:
        """Return the markets that price what is held, traded or paid as a fee in the account's currency."""
        currencies = set(held)
        for fill in fills:
            currencies |= {self._markets[fill.market].base, self._markets[fill.market].quote, fill.fee_currency}
        own = account.currency
        pairs = {f"{currency}/{own}" for currency in currencies} | {f"{own}/{currency}" for currency in currencies}
        return {MarketSymbol(account.venue, pair) for pair in pairs} & self._markets.keys()

    async def _marks(self, symbols: Iterable[MarketSymbol]) -> list[Mark]:
        marks: list[Mark] = []
        for symbol in symbols:
            marks += await self._marks_of(symbol)
        return sorted(marks, key=lambda mark: mark.at)

    async def _marks_of(self, symbol: MarketSymbol) -> list[Mark]:
        """Return the closes within the period, and as exactly as is known the prices at its start and its end."""
        start, end = self._report.from_, self._report.to
        timeframe = _timeframe(end - start)
        window = TimeWindow(limit=2 * MARKS_A_MARKET, start=start, end=end - timeframe.duration + _TICK)
        within = await self._reading.market_data.candles(symbol, timeframe, window)
        opening = await self._last_close(symbol, start, timeframe)
        closing = await self._last_close(symbol, end, timeframe)
        marks = [replace(mark, at=start) for mark in marks_of(opening)] + marks_of(within)
        return marks + [mark for mark in marks_of(closing) if mark.at > marks[-1].at] if marks else marks_of(closing)

    async def _last_close(self, symbol: MarketSymbol, moment: datetime, timeframe: Timeframe) -> list[Candle]:
        """Return the last candle that had closed by then: of a minute, or else of the given timeframe."""
        for one in (Timeframe.M1, timeframe):
            oldest = moment - max(LOOK_BACK, 2 * one.duration)
            window = TimeWindow(limit=1, start=oldest, end=moment - one.duration + _TICK, backwards=True)
            if found := await self._reading.market_data.candles(symbol, one, window):
                return found
        return []

    async def _exit_reasons(self, fills: Sequence[Fill]) -> dict[UUID, OrderRole]:
        orders = await self._reading.orders.many(list({fill.order_id for fill in fills}))
        return {order.id: order.role for order in orders if order.role is not OrderRole.ENTRY}


async def computed(data: ReportData) -> ReportResult:
    """Return what the report says; it is computed in a thread, so that a big ledger holds nobody up."""
    return await asyncio.to_thread(result_of, data)


def _timeframe(period: timedelta) -> Timeframe:
    """Return the shortest that fits; of those between, which a venue isn't asked for, less may be stored."""
    for timeframe in VENUE_TIMEFRAMES:
        if period / timeframe.duration <= MARKS_A_MARKET:
            return timeframe
    return Timeframe.D1
