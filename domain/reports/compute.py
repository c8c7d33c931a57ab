"""Computes what a report says, from the fill ledger and the stored candles."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from uuid import UUID

from domain.keyset import TimeWindow
from domain.markets.types import Market, MarketSymbol, Timeframe
from domain.money import EXACT, ZERO
from domain.orders.ports import OrderFilter
from domain.orders.types import Fill, OrderRole
from domain.reports.equity_curve import CurveInput, Mark, equity_curve, marks_of, undo
from domain.reports.metrics import MetricsInput, metrics
from domain.reports.round_trips import Ledger, round_trips
from domain.reports.types import Report, ReportResult, ReportScope
from domain.storage import Transaction
from domain.trading.equity import equity
from domain.trading.types import Account, Balance, TradingSession

MARKS_A_MARKET = 1_500


class NothingToReport(Exception):  # noqa: N818  # told to the user as the job's message
    """What the report is about is gone."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What a report is about: its account, the fills that count, and the trading sessions among them."""

    account: Account
    wanted: OrderFilter
    sessions: tuple[TradingSession, ...] = ()


class ReportComputer:
    """Reads what a report needs and computes it; `markets` are all that are known."""

    def __init__(self, reading: Transaction, markets: Mapping[MarketSymbol, Market], report: Report) -> None:
        self._reading = reading
        self._markets = markets
        self._report = report

    async def compute(self) -> ReportResult:
        """Return what the report says; raises `NothingToReport`."""
        subject = await self._subject()
        fills = await self._reading.orders.ledger(self._report.user_id, subject.wanted)
        fills = [fill for fill in fills if fill.market in self._markets]
        marks = await self._marks(self._markets_of(subject, fills))
        holdings = await self._holdings(subject, fills)
        venue, currency = subject.account.venue, subject.account.currency
        given = CurveInput(venue, currency, self._report.from_, holdings, fills, marks, self._markets)
        curve = equity_curve(given)
        trips = round_trips(Ledger(fills, self._markets, await self._exit_reasons(fills)))
        prices = {mark.market: mark.price for mark in reversed(marks)}
        worth = _Worth(venue, currency, prices)
        counts = await self._reading.orders.outcome_counts(self._report.user_id, subject.wanted)
        figures = MetricsInput(
            currency=currency,
            curve=curve,
            trips=trips,
            start_equity=curve[0].equity if curve else ZERO,
            turnover=worth.total(_cost(fill, self._markets[fill.market]) for fill in fills),
            fees=worth.total(self._fee(fill) for fill in fills),
            order_counts=counts,
            market_change_percent=_market_change(marks),
        )
        return ReportResult(metrics(figures), curve, trips)

    async def _subject(self) -> Subject:
        report = self._report
        period = (report.from_, report.to)
        if report.scope is ReportScope.ACCOUNT:
            account = await self._account(report.scope_id)
            return Subject(account, OrderFilter(account_id=account.id, start=period[0], end=period[1]))
        session = await self._reading.trading_sessions.get(report.user_id, report.scope_id)
        if session is None:
            raise NothingToReport("the trading session is gone")
        wanted = OrderFilter(trading_session_id=session.id, start=period[0], end=period[1])
        return Subject(await self._account(session.account_id), wanted, (session,))

    async def _account(self, account_id: UUID) -> Account:
        account = await self._reading.accounts.get(self._report.user_id, account_id)
        if account is None:
            raise NothingToReport("the account is gone")
        return account

    def _markets_of(self, subject: Subject, fills: Sequence[Fill]) -> list[MarketSymbol]:
        symbols = {fill.market for fill in fills} | {session.market for session in subject.sessions}
        return sorted(symbols)

    async def _holdings(self, subject: Subject, fills: Sequence[Fill]) -> Mapping[str, Decimal]:
        """Return what was held at the start: a session's start equity, or the account's balances with its fills undone.

        Deposits count as if they had always been there.
        """
        if subject.sessions:
            return {subject.account.currency: subject.sessions[0].start_equity or ZERO}
        balances = await self._reading.accounts.balances([subject.account.id])
        now = {balance.currency: balance.total for balance in balances.get(subject.account.id, [])}
        later = OrderFilter(account_id=subject.account.id, start=self._report.to)
        following = await self._reading.orders.ledger(self._report.user_id, later)
        known = [fill for fill in [*fills, *following] if fill.market in self._markets]
        return undo(now, known, self._markets)

    async def _marks(self, symbols: Iterable[MarketSymbol]) -> list[Mark]:
        marks: list[Mark] = []
        timeframe = _timeframe(self._report.to - self._report.from_)
        # One candle before the start gives the price at the start.
        start = timeframe.open_time(self._report.from_) - timeframe.duration
        window = TimeWindow(limit=2 * MARKS_A_MARKET, start=start, end=self._report.to)
        for symbol in symbols:
            for mark in marks_of(await self._reading.market_data.candles(symbol, timeframe, window)):
                at = min(max(mark.at, self._report.from_), self._report.to)
                marks.append(Mark(at, mark.market, mark.price))
        return sorted(marks, key=lambda mark: mark.at)

    async def _exit_reasons(self, fills: Sequence[Fill]) -> dict[UUID, str]:
        orders = await self._reading.orders.many(list({fill.order_id for fill in fills}))
        return {order.id: order.role.value for order in orders if order.role is not OrderRole.ENTRY}

    def _fee(self, fill: Fill) -> tuple[str, Decimal]:
        market = self._markets[fill.market]
        if fill.fee_currency == market.base:
            return market.quote, EXACT.multiply(fill.fee, fill.price)
        return fill.fee_currency, fill.fee


@dataclass(frozen=True, slots=True)
class _Worth:
    venue: str
    currency: str
    prices: Mapping[MarketSymbol, Decimal]

    def total(self, amounts: Iterable[tuple[str, Decimal]]) -> Decimal:
        """Return the sum in the report's currency of amounts in others; one that can't be priced counts as nothing."""
        by_currency: dict[str, Decimal] = {}
        for currency, amount in amounts:
            by_currency[currency] = EXACT.add(by_currency.get(currency, ZERO), amount)
        values = (
            equity(self.venue, self.currency, [Balance(currency, amount, amount)], self.prices.get)
            for currency, amount in by_currency.items()
        )
        return sum((value for value in values if value is not None), ZERO)


def _cost(fill: Fill, market: Market) -> tuple[str, Decimal]:
    return market.quote, EXACT.multiply(fill.price, fill.quantity)


def _timeframe(period: timedelta) -> Timeframe:
    for timeframe in Timeframe:
        if period / timeframe.duration <= MARKS_A_MARKET:
            return timeframe
    return Timeframe.D1


def _market_change(marks: Sequence[Mark]) -> float | None:
    if len({mark.market for mark in marks}) != 1:
        return None
    return float((marks[-1].price - marks[0].price) / marks[0].price * 100)
