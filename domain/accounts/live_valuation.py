"""What a user's open positions and accounts are worth now, valued once on a node for all who follow them."""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from contextvars import Context
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from domain.core.clock import Clock
from domain.core.errors import Unavailable
from domain.core.money import EXACT, ZERO
from domain.core.pagination import KeysetPage
from domain.events.stream import EventLogReader, EventSubscription
from domain.market_data.market_subscriptions import MarketSubscriptions, pricing_markets
from domain.model.markets import MarketSymbol
from domain.model.trading import Account, Balance, Position
from domain.portfolio.equity import Equity, equity
from domain.portfolio.positions import unrealized_profit
from domain.ports.lists import Owner, PositionFilter
from domain.ports.market_data import MarketDataProvider
from domain.ports.unit_of_work import Database

log = logging.getLogger(__name__)

VALUE_SECONDS = 0.5
"""How often positions and accounts are valued; no reader gets news of prices more often."""

REFRESH_SECONDS = 5.0
"""After how long balances are read again, though the log says nothing: the venue may tell of them alone."""

MAX_POSITIONS = 1_000
MAX_MARKETS = 200
"""How many markets are followed for one user's portfolio; what is priced by others has no price."""


@dataclass(frozen=True, slots=True)
class PositionValue:
    """A position and the present price of its market in quote per base; None where it isn't known."""

    position: Position
    price: Decimal | None


@dataclass(frozen=True, slots=True)
class AccountValue:
    """What an account is worth in its currency, and the profit on paper of its open positions, before fees.

    `unpriced_markets` are those of positions that the profit leaves out; it is None where nothing of it is known.
    """

    account: Account = field(compare=False)
    is_archived: bool
    equity: Equity
    unrealized_profit: Decimal | None
    unpriced_markets: tuple[MarketSymbol, ...]
    at: datetime = field(compare=False)


class Portfolio:
    """One user's open positions as the event log tells them, and the worth of the accounts that somebody follows."""

    def __init__(
        self, user_id: UUID, database: Database, markets: MarketDataProvider, events: EventLogReader, clock: Clock
    ) -> None:
        self.readers = 0
        self.archived: set[UUID] = set()
        self._user_id = user_id
        self._database = database
        self._markets = markets
        self._wants = MarketSubscriptions(markets)
        self._events = events
        self._clock = clock
        self._open: dict[UUID, PositionValue] = {}
        self._closed: dict[UUID, PositionValue] = {}
        self._accounts: dict[UUID, tuple[Account, list[Balance]]] = {}
        self._values: dict[UUID, AccountValue] = {}
        self._followed: Counter[UUID] = Counter()
        self._read_at = float("-inf")
        self._bells: set[asyncio.Event] = set()
        self._wake = asyncio.Event()
        self._ready = asyncio.Event()
        self._failure: Exception | None = None
        # Its lines are nobody's: without a context of its own they would tell the request of whoever came first.
        self._task = asyncio.create_task(self._run(), name=f"portfolio:{user_id}", context=Context())

    @property
    def has_failed(self) -> bool:
        """Whether it follows nothing any more."""
        return self._failure is not None

    async def close(self) -> None:
        """Stop, and let go of the markets."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def position_values(
        self, fits: Callable[[Position], bool], every_seconds: float, is_over: Callable[[], bool]
    ) -> AsyncIterator[PositionValue]:
        """Yield each open position that fits, then its newest state whenever it changes, the closed one at the end.

        A change of the position is told at once, one of the price alone at most every `every_seconds`. Raises
        `Unavailable` where the database stays away.
        """
        told: dict[UUID, PositionValue] = {}
        done = set(self._closed)
        due = float("-inf")
        with self._bell() as bell:
            while True:
                bell.clear()
                by_price = self._clock.monotonic() >= due
                due = self._clock.monotonic() + every_seconds if by_price else due
                for key in [*self._closed, *self._open]:
                    value = self._open.get(key) or self._closed.get(key)
                    if value is None or key in done or not fits(value.position):
                        continue
                    known = told.get(key)
                    if known is None or known.position != value.position or (by_price and known != value):
                        told[key] = value
                        yield value
                done = {key for key, value in self._closed.items() if key in done or told.get(key) == value}
                told = {key: value for key, value in told.items() if key not in done}
                if is_over() and not bell.is_set():
                    return
                # A reader who was slow is late for prices already, and waits for nothing.
                await (self._rung(bell, due) if self._clock.monotonic() < due else asyncio.sleep(0))

    async def account_values(self, account_id: UUID, every_seconds: float) -> AsyncIterator[AccountValue]:
        """Yield what the account is worth, then whenever that has changed, at most every `every_seconds`.

        Ends once the account is archived. Raises `Unavailable` where the database stays away.
        """
        told: AccountValue | None = None
        due = float("-inf")
        self._followed[account_id] += 1
        self._read_at = float("-inf")
        self._wake.set()
        try:
            with self._bell() as bell:
                while True:
                    bell.clear()
                    value, now = self._values.get(account_id), self._clock.monotonic()
                    if value is not None and value != told and now >= due:
                        told, due = value, now + every_seconds
                        yield value
                    if told is not None and told.is_archived:
                        return
                    await self._rung(bell, due)
        finally:
            self._followed[account_id] -= 1

    async def ready(self) -> None:
        """Wait until the positions are known."""
        await self._ready.wait()
        if self._failure is not None:
            raise self._failure

    @contextmanager
    def _bell(self) -> Iterator[asyncio.Event]:
        bell = asyncio.Event()
        self._bells.add(bell)
        try:
            yield bell
        finally:
            self._bells.discard(bell)

    async def _rung(self, bell: asyncio.Event, due: float) -> None:
        """Wait for news, or until news of prices is due."""
        if self._failure is not None:
            raise self._failure
        wait = due - self._clock.monotonic()
        with suppress(TimeoutError):
            async with asyncio.timeout(wait if wait > 0 else None):
                await bell.wait()

    def _ring(self) -> None:
        for bell in self._bells:
            bell.set()

    async def _run(self) -> None:
        stream: EventSubscription | None = None
        try:
            start = await self._events.head(self._user_id)
            await self._read_positions()
            await self._wants.set_markets(self._markets_needed())
            self._value()
            self._ready.set()
            stream = self._events.follow(start, orders_only=False)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._listen(stream))
                group.create_task(self._keep())
        except* Exception as errors:  # noqa: BLE001  # whatever it is, the readers are told
            self._failure = errors.exceptions[0]
        finally:
            self._ready.set()
            self._ring()
            await self._wants.close()
            if stream is not None:
                await stream.aclose()

    async def _read_positions(self) -> None:
        wanted, window = PositionFilter(is_open=True), KeysetPage(MAX_POSITIONS)
        async with self._database.read_only() as reading:
            found = await reading.lists.positions.pages(Owner.USER, [self._user_id], window, wanted)
        for position in reversed(found[self._user_id]):
            self._open[position.id] = PositionValue(position, None)

    async def _listen(self, stream: EventSubscription) -> None:
        async for event in stream:
            if isinstance(event.subject, Position):
                self._take(event.subject)
            elif isinstance(event.subject, Account) and event.subject.archived_at is not None:
                self.archived.add(event.subject.id)
                self._ring()
            self._read_at = float("-inf")  # at the next valuation, not at once: a busy account has many events a second

    def _take(self, position: Position) -> None:
        """Take a state of a position that the log tells; each is newer than those before."""
        value = PositionValue(position, self._markets.price_of(position.market))
        if position.closed_at is None:
            self._open[position.id] = value
        else:
            self._open.pop(position.id, None)
            self._closed[position.id] = value
            while len(self._closed) > MAX_POSITIONS:
                del self._closed[next(iter(self._closed))]
        self._ring()

    async def _keep(self) -> None:
        while True:
            self._wake.clear()
            try:
                await self._read_accounts()
            except Unavailable as error:
                log.warning("a portfolio waits for the database: %s", error.message)
            await self._wants.set_markets(self._markets_needed())
            self._value()
            with suppress(TimeoutError):
                async with asyncio.timeout(VALUE_SECONDS):
                    await self._wake.wait()

    async def _read_accounts(self) -> None:
        followed = [account_id for account_id, readers in self._followed.items() if readers > 0]
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
            currencies |= {_quote(value.position) for value in self._open_of(account)}
            for currency in sorted(currencies):
                needed |= dict.fromkeys(pricing_markets(account, currency, self._markets))
        return frozenset(list(needed)[:MAX_MARKETS])

    def _open_of(self, account: Account) -> list[PositionValue]:
        return [value for value in self._open.values() if value.position.account_id == account.id]

    def _value(self) -> None:
        valued = {
            key: replace(value, price=self._markets.price_of(value.position.market))
            for key, value in self._open.items()
        }
        is_new, self._open = valued != self._open, valued
        worth = {key: self._worth(account, balances) for key, (account, balances) in self._accounts.items()}
        if worth != self._values:
            is_new, self._values = True, worth
        if is_new:
            self._ring()

    def _worth(self, account: Account, balances: list[Balance]) -> AccountValue:
        def convert(amount: Decimal, currency: str, into: str) -> Decimal | None:
            return self._markets.convert(account.venue, amount, currency, into)

        profit, unpriced, held = ZERO, [], self._open_of(account)
        for value in held:
            own = None if value.price is None else unrealized_profit(value.position, value.price)
            converted = None if own is None else convert(own, _quote(value.position), account.currency)
            if converted is None:
                unpriced.append(value.position.market)
            else:
                profit = EXACT.add(profit, converted)
        is_known = not held or len(unpriced) < len(held)
        return AccountValue(
            account=account,
            is_archived=account.archived_at is not None,
            equity=equity(account.currency, balances, convert),
            unrealized_profit=profit if is_known else None,
            unpriced_markets=tuple(sorted(set(unpriced))),
            at=self._clock.now(),
        )


class Portfolios:
    """The portfolios that are followed on this node, one a user however many readers it has."""

    def __init__(self, database: Database, markets: MarketDataProvider, events: EventLogReader, clock: Clock) -> None:
        self._database = database
        self._markets = markets
        self._events = events
        self._clock = clock
        self._portfolios: dict[UUID, Portfolio] = {}

    def __len__(self) -> int:
        return len(self._portfolios)

    @asynccontextmanager
    async def of(self, user_id: UUID) -> AsyncIterator[Portfolio]:
        """Give the user's portfolio, which is kept up to date inside the block; raises `Unavailable`."""
        portfolio = self._portfolios.get(user_id)
        if portfolio is None or portfolio.has_failed:
            portfolio = Portfolio(user_id, self._database, self._markets, self._events, self._clock)
            self._portfolios[user_id] = portfolio
        portfolio.readers += 1
        try:
            await portfolio.ready()
            yield portfolio
        finally:
            portfolio.readers -= 1
            if not portfolio.readers:
                if self._portfolios.get(user_id) is portfolio:
                    del self._portfolios[user_id]
                await portfolio.close()


def _quote(position: Position) -> str:
    """Return the currency that the position's profit is in."""
    return position.market.symbol.partition("/")[2].partition(":")[0]
