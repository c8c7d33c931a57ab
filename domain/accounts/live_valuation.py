"""The present value of users' open positions and accounts, computed once on a node for all its subscribers."""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import Context
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from cachetools import LRUCache

from domain.accounts.position_values import PositionValue, quote_currency, total_unrealized_profit
from domain.core.background import TaskGroup, cancel_and_wait
from domain.core.clock import Clock
from domain.core.errors import Unavailable
from domain.core.pagination import KeysetPage
from domain.core.wakeup import Wakeup
from domain.events.stream import EventLogReader, EventSubscription
from domain.market_data.market_subscriptions import MarketSubscriptions, pricing_markets
from domain.model.markets import MarketSymbol
from domain.model.trading import Account, Balance, Position, TradingSession
from domain.portfolio.valuation import Equity, compute_equity
from domain.ports.lists import Owner, PositionFilter
from domain.ports.market_data import MarketDataProvider
from domain.ports.unit_of_work import Database

log = logging.getLogger(__name__)

VALUATION_SECONDS = 0.5
"""How often positions and accounts are valued; no subscriber gets changes of prices more often."""

REFRESH_SECONDS = 5.0
"""How often balances are read again without an event: a venue may report balances alone, which makes none."""

MAX_POSITIONS = 1_000
MAX_MARKETS = 200
"""How many markets one user's portfolio subscribes to; currencies that other markets price have no price."""


@dataclass(frozen=True, slots=True)
class AccountValue:
    """An account's equity, and the unrealised profit of its open positions before fees, both in its currency.

    `unpriced_markets` are those of positions that the profit leaves out; the profit is None if it leaves out all.
    """

    account: Account = field(compare=False)
    is_archived: bool
    equity: Equity
    unrealized_profit: Decimal | None
    unpriced_markets: tuple[MarketSymbol, ...]
    at: datetime = field(compare=False)


class Portfolio:
    """One user's open positions, kept up to date by the event log, and the value of the accounts with subscribers."""

    def __init__(
        self, user_id: UUID, database: Database, markets: MarketDataProvider, events: EventLogReader, clock: Clock
    ) -> None:
        self.subscriber_count = 0
        self.archived: set[UUID] = set()
        self.trading_sessions: LRUCache[UUID, TradingSession] = LRUCache(MAX_POSITIONS)
        """The newest states of those that have changed meanwhile."""

        self._user_id = user_id
        self._database = database
        self._markets = markets
        self._subscriptions = MarketSubscriptions(markets)
        self._events = events
        self._clock = clock
        self._open: dict[UUID, PositionValue] = {}
        self._closed: dict[UUID, PositionValue] = {}
        self._accounts: dict[UUID, tuple[Account, list[Balance]]] = {}
        self._values: dict[UUID, AccountValue] = {}
        self._subscribers_by_account: Counter[UUID] = Counter()
        self._read_at = float("-inf")
        self._subscribers: set[Wakeup] = set()
        self._wakeup = Wakeup()
        self._ready = asyncio.Event()
        self._failure: Exception | None = None
        # An empty context, or its log lines would carry the request id of the first subscriber.
        self._task = asyncio.create_task(self._run(), name=f"portfolio:{user_id}", context=Context())

    @property
    def has_failed(self) -> bool:
        """Whether it is no longer kept up to date."""
        return self._failure is not None

    async def close(self) -> None:
        """Stop, and unsubscribe from the markets."""
        await cancel_and_wait(self._task)

    async def position_values(
        self, matches: Callable[[Position], bool], every_seconds: float, is_over: Callable[[], bool]
    ) -> AsyncIterator[PositionValue]:
        """Yield each open position that matches, then its newest state whenever it changes, in the end the closed one.

        A change of the position is yielded at once, one of the price alone at most every `every_seconds`. Ends once
        `is_over` returns true. Raises `Unavailable` if the database stays unreachable.
        """
        yielded: dict[UUID, PositionValue] = {}
        done = set(self._closed)
        due = float("-inf")
        with self.subscribe() as wakeup:
            while True:
                wakeup.clear()
                by_price = self._clock.monotonic() >= due
                due = self._clock.monotonic() + every_seconds if by_price else due
                for key in [*self._closed, *self._open]:
                    value = self._open.get(key) or self._closed.get(key)
                    if value is None or key in done or not matches(value.position):
                        continue
                    known = yielded.get(key)
                    if known is None or known.position != value.position or (by_price and known != value):
                        yielded[key] = value
                        yield value
                done = {key for key, value in self._closed.items() if key in done or yielded.get(key) == value}
                yielded = {key: value for key, value in yielded.items() if key not in done}
                if is_over() and not wakeup.is_set():
                    return
                # A slow subscriber is late for prices already, and doesn't wait.
                await (self.wait_for_change(wakeup, due) if self._clock.monotonic() < due else asyncio.sleep(0))

    async def account_values(self, account_id: UUID, every_seconds: float) -> AsyncIterator[AccountValue]:
        """Yield the account's value, then again whenever it has changed, at most every `every_seconds`.

        Ends once the account is archived. Raises `Unavailable` if the database stays unreachable.
        """
        yielded: AccountValue | None = None
        due = float("-inf")
        self._subscribers_by_account[account_id] += 1
        self._read_at = float("-inf")
        self._wakeup.set()
        try:
            with self.subscribe() as wakeup:
                while True:
                    wakeup.clear()
                    value, now = self._values.get(account_id), self._clock.monotonic()
                    if value is not None and value != yielded and now >= due:
                        yielded, due = value, now + every_seconds
                        yield value
                    if yielded is not None and yielded.is_archived:
                        return
                    await self.wait_for_change(wakeup, due)
        finally:
            self._subscribers_by_account[account_id] -= 1

    def of_trading_session(self, session_id: UUID) -> tuple[list[PositionValue], list[Position]]:
        """Return the session's open positions, and those of the last that closed while this is kept up to date."""
        held = [value for value in self._open.values() if value.position.trading_session_id == session_id]
        closed = [value.position for value in self._closed.values() if value.position.trading_session_id == session_id]
        return held, closed

    async def wait_until_ready(self) -> None:
        """Wait until the positions are known."""
        await self._ready.wait()
        if self._failure is not None:
            raise self._failure

    @contextmanager
    def subscribe(self) -> Iterator[Wakeup]:
        """Give what is woken at every change."""
        wakeup = Wakeup()
        self._subscribers.add(wakeup)
        try:
            yield wakeup
        finally:
            self._subscribers.discard(wakeup)

    async def wait_for_change(self, wakeup: Wakeup, due: float) -> None:
        """Wait for a change, or until `due` in monotonic seconds if that is to come; raises why there is none more."""
        if self._failure is not None:
            raise self._failure
        wait = due - self._clock.monotonic()
        await wakeup.wait(wait if wait > 0 else None)

    def _notify_subscribers(self) -> None:
        for wakeup in self._subscribers:
            wakeup.set()

    async def _run(self) -> None:
        stream: EventSubscription | None = None
        try:
            start = await self._events.head(self._user_id)
            await self._read_positions()
            await self._subscriptions.set_markets(self._markets_needed())
            self._revalue()
            self._ready.set()
            stream = self._events.follow(start, orders_only=False)
            async with TaskGroup() as group:
                group.create_task(self._event_loop(stream))
                group.create_task(self._valuation_loop())
        except* Exception as errors:  # noqa: BLE001  # whatever it is, the subscribers get it
            self._failure = errors.exceptions[0]
        finally:
            self._ready.set()
            self._notify_subscribers()
            await self._subscriptions.close()
            if stream is not None:
                await stream.aclose()

    async def _read_positions(self) -> None:
        open_positions, window = PositionFilter(is_open=True), KeysetPage(MAX_POSITIONS)
        async with self._database.read_only() as reading:
            found = await reading.lists.positions.pages(Owner.USER, [self._user_id], window, open_positions)
        for position in reversed(found[self._user_id]):
            self._open[position.id] = PositionValue(position, None)

    async def _event_loop(self, stream: EventSubscription) -> None:
        async for event in stream:
            if isinstance(event.subject, Position):
                self._apply(event.subject)
            elif isinstance(event.subject, TradingSession):
                self.trading_sessions[event.subject.id] = event.subject
                self._notify_subscribers()
            elif isinstance(event.subject, Account) and event.subject.archived_at is not None:
                self.archived.add(event.subject.id)
                self._notify_subscribers()
            self._read_at = float("-inf")  # at the next valuation, not at once: a busy account has many events a second

    def _apply(self, position: Position) -> None:
        """Apply a state of a position from the log; each is newer than those before."""
        value = PositionValue(position, self._markets.price_of(position.market))
        if position.closed_at is None:
            self._open[position.id] = value
        else:
            self._open.pop(position.id, None)
            self._closed[position.id] = value
            while len(self._closed) > MAX_POSITIONS:
                del self._closed[next(iter(self._closed))]
        self._notify_subscribers()

    async def _valuation_loop(self) -> None:
        while True:
            self._wakeup.clear()
            try:
                await self._read_accounts()
            except Unavailable as error:
                log.warning("a portfolio waits for the database: %s", error.message)
            await self._subscriptions.set_markets(self._markets_needed())
            self._revalue()
            await self._wakeup.wait(VALUATION_SECONDS)

    async def _read_accounts(self) -> None:
        followed = [account_id for account_id, subscribers in self._subscribers_by_account.items() if subscribers > 0]
        self._accounts = {key: known for key, known in self._accounts.items() if key in followed}
        if not followed or self._clock.monotonic() - self._read_at < REFRESH_SECONDS:
            return
        self._read_at = self._clock.monotonic()
        async with self._database.read_only() as reading:
            accounts = await reading.accounts.get_many(followed)
            balances = await reading.accounts.balances(followed)
        self._accounts = {account.id: (account, balances[account.id]) for account in accounts}

    def _markets_needed(self) -> frozenset[MarketSymbol]:
        needed = dict.fromkeys(value.position.market for value in self._open.values())
        for account, balances in self._accounts.values():
            currencies = {balance.currency for balance in balances if balance.total}
            currencies |= {quote_currency(value.position) for value in self._open_of(account)}
            for currency in sorted(currencies):
                needed |= dict.fromkeys(pricing_markets(account, currency, self._markets))
        return frozenset(list(needed)[:MAX_MARKETS])

    def _open_of(self, account: Account) -> list[PositionValue]:
        return [value for value in self._open.values() if value.position.account_id == account.id]

    def _revalue(self) -> None:
        valued = {
            key: replace(value, price=self._markets.price_of(value.position.market))
            for key, value in self._open.items()
        }
        is_new, self._open = valued != self._open, valued
        values = {key: self._account_value(account, balances) for key, (account, balances) in self._accounts.items()}
        if values != self._values:
            is_new, self._values = True, values
        if is_new:
            self._notify_subscribers()

    def _account_value(self, account: Account, balances: list[Balance]) -> AccountValue:
        def convert(amount: Decimal, currency: str, into: str) -> Decimal | None:
            return self._markets.convert(account.venue, amount, currency, into)

        profit = total_unrealized_profit(self._open_of(account), account.currency, convert)
        return AccountValue(
            account=account,
            is_archived=account.archived_at is not None,
            equity=compute_equity(account.currency, balances, convert),
            unrealized_profit=profit.total,
            unpriced_markets=profit.unpriced_markets,
            at=self._clock.now(),
        )


class Portfolios:
    """The portfolios with subscribers on this node, one for each user."""

    def __init__(self, database: Database, markets: MarketDataProvider, events: EventLogReader, clock: Clock) -> None:
        self._database = database
        self._markets = markets
        self._events = events
        self._clock = clock
        self._portfolios: dict[UUID, Portfolio] = {}

    def __len__(self) -> int:
        return len(self._portfolios)

    @asynccontextmanager
    async def for_user(self, user_id: UUID) -> AsyncIterator[Portfolio]:
        """Yield the user's portfolio, which is kept up to date inside the block; raises `Unavailable`."""
        portfolio = self._portfolios.get(user_id)
        if portfolio is None or portfolio.has_failed:
            portfolio = Portfolio(user_id, self._database, self._markets, self._events, self._clock)
            self._portfolios[user_id] = portfolio
        portfolio.subscriber_count += 1
        try:
            await portfolio.wait_until_ready()
            yield portfolio
        finally:
            portfolio.subscriber_count -= 1
            if not portfolio.subscriber_count:
                if self._portfolios.get(user_id) is portfolio:
                    del self._portfolios[user_id]
                await portfolio.close()
