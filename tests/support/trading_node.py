"""A node that trades for real: PostgreSQL, ccxt, a sandbox exchange, hub and trader. Only its candles are scripted.

The book is the sandbox's own. Candles close and trades happen when a test asks for it, and the venue's time with them.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID, uuid4

from domain.accounts.admission import AccountRequest
from domain.accounts.service import AccountService
from domain.core.money import round_down
from domain.core.pagination import KeysetPage
from domain.execution.notifications import OrderNotifier
from domain.market_data import codec
from domain.market_data.feed_manager import FeedManager
from domain.market_data.hub import MarketDataHub
from domain.market_data.timings import FeedTimings
from domain.market_data.topics import candles_topic, depth_topic, status_topic, trades_topic
from domain.model.definitions import Sizing, StrategyDefinition
from domain.model.markets import Candle, Depth, FeedState, FeedStatus, MarketSymbol, Timeframe, Trade
from domain.model.order_side import OrderSide
from domain.model.orders import Order, OrderStatus
from domain.model.protection import PositionIntent, PositionProtection
from domain.model.strategies import StrategyVersion
from domain.model.trading import (
    Account,
    AccountKind,
    Balance,
    Position,
    Signal,
    TradingSession,
)
from domain.model.users import User
from domain.ports.market_data import VenueGap, VenueUnreachable
from domain.ports.orders import OrderFilter
from domain.trading.close_requests import PositionService
from domain.trading.dependencies import TradingDependencies, TradingTimings
from domain.trading.halts import HaltService
from domain.trading.protection_requests import ProtectionService
from domain.trading.signal_requests import SignalService
from domain.trading.trader import Trader
from domain.trading.trading_sessions import TradingSessionRequest, TradingSessionService
from infra.clock import SystemClock, TimeOrderedIds
from infra.embedded.bus import EmbeddedBus
from infra.embedded.cache import EmbeddedCache
from infra.postgres.database import PostgresDatabase
from infra.postgres.pool import Pool
from infra.security import AesVault
from infra.venues.config import VenueSettings
from infra.venues.registry import Venues
from tests.support.postgres import patient_database
from tests.support.trading import BTC, new_session, new_strategy, new_user, new_version
from tests.support.waiting import PATIENCE_SECONDS, eventually
from tests.support.whole_fills import WholeFills

MINUTE = timedelta(minutes=1)
ALWAYS = "close > 0"
NEVER = "close < 0"
RETRY_SECONDS = 0.1
_LEASE_SECONDS = 120.0
QUOTE_500 = Sizing(quote_amount=Decimal(500))


class ScriptedFeed:
    """Publishes the sandbox's book, and candles and trades of a test's making."""

    def __init__(self, database: PostgresDatabase, bus: EmbeddedBus, venues: Venues) -> None:
        self.price = Decimal(0)
        self.venue_time = Timeframe.M1.open_time(datetime.now(UTC))
        self._database, self._bus, self._venues = database, bus, venues
        self._numbers = 0
        self._first_prices: dict[MarketSymbol, Decimal] = {}
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Store the markets and flat candles up to now, and start to copy the book."""
        markets = await self._venues.public("sandbox").load_markets()
        async with self._database.transaction() as transaction:
            await transaction.market_data.save_markets(markets)
        self.price = await self.add_market(BTC)

    async def add_market(self, market: MarketSymbol, history: int = 50) -> Decimal:
        """Start to copy a market's book, store flat candles of it up to now, and return its price."""
        self.follow_book(market)
        await eventually(lambda: market in self._first_prices, f"the sandbox's book of {market}")
        price = self._first_prices[market]
        start = self.venue_time - history * MINUTE
        candles = [self.candle(start + index * MINUTE, market, close=price) for index in range(history)]
        async with self._database.transaction() as transaction:
            await transaction.market_data.ensure_candle_partitions(start, self.venue_time)
            await transaction.market_data.upsert_candles(candles)
        return price

    def follow_book(self, market: MarketSymbol = BTC) -> None:
        """Start to copy a book of the sandbox's, until `close`."""
        self._tasks.append(asyncio.create_task(self._copy_book(market)))

    async def lose_book(self) -> None:
        """Stop copying, and publish that the feed is stale."""
        await self.close()
        status = FeedStatus(BTC, FeedState.STALE, datetime.now(UTC))
        await self._bus.publish(status_topic(BTC), codec.encode_status(status))

    async def close(self) -> None:
        """Stop copying."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def candle(self, open_time: datetime, market: MarketSymbol = BTC, **changes: Decimal) -> Candle:
        """Return a flat closed candle at the present price, with changes."""
        price = changes.get("close", self.price)
        candle = Candle(market, Timeframe.M1, open_time, price, price, price, price, Decimal(1), closed=True)
        return replace(candle, **changes)

    async def close_candle(self, *, published: bool = True, **changes: Decimal) -> Candle:
        """Let a minute pass and its candle close; one that isn't `published` closes while nobody listens."""
        candle = self.candle(self.venue_time, **changes)
        self.venue_time = candle.close_time
        async with self._database.transaction() as transaction:
            await transaction.market_data.upsert_candles([candle])
        if published:
            await self.publish(candle)
        return candle

    async def close_candles(self, closes: Mapping[MarketSymbol, Decimal]) -> list[Candle]:
        """Let a minute pass and a candle of each market close at its price."""
        candles = [self.candle(self.venue_time, market, close=close) for market, close in closes.items()]
        self.venue_time += MINUTE
        async with self._database.transaction() as transaction:
            await transaction.market_data.upsert_candles(candles)
        for candle in candles:
            await self.publish(candle)
        return candles

    async def publish(self, candle: Candle) -> None:
        """Publish a candle on the bus."""
        await self._bus.publish(candles_topic(candle.market), codec.encode_candles([candle]))

    async def fill_history(self, count: int, **changes: Decimal) -> None:
        """Store candles of the past in place of those that are there."""
        start = self.venue_time - count * MINUTE
        candles = [self.candle(start + index * MINUTE, **changes) for index in range(count)]
        async with self._database.transaction() as transaction:
            await transaction.market_data.ensure_candle_partitions(start, self.venue_time)
            await transaction.market_data.upsert_candles(candles)

    async def trade(self, price: Decimal) -> None:
        """Let a trade pass."""
        self._numbers += 1
        at = max(datetime.now(UTC), self.venue_time)
        trade = Trade(BTC, f"s{self._numbers}", at, price, Decimal(1), OrderSide.SELL)
        await self._bus.publish(trades_topic(BTC), codec.encode_trades([trade]))

    async def _copy_book(self, market: MarketSymbol) -> None:
        """Copy the book; begin again after a gap or an error of the connection, as a collector does."""
        while True:
            with suppress(VenueGap, VenueUnreachable):
                async with aclosing(self._venues.public("sandbox").depth(market)) as books:
                    async for book in books:
                        self._first_prices.setdefault(market, book.asks[0].price)
                        status = FeedStatus(market, FeedState.LIVE, datetime.now(UTC))
                        await self._bus.publish(status_topic(market), codec.encode_status(status))
                        await self._bus.publish(depth_topic(market), codec.encode_depth(_in_epoch(book)))
            await asyncio.sleep(RETRY_SECONDS)


class TradingNode:
    """The parts of a node, and what a test asks of them. `trader` may be closed and started again."""

    def __init__(
        self,
        pool: Pool,
        sandbox_url: str,
        sandbox_token: str,
        *,
        scripted: bool = True,
        lease_database: PostgresDatabase | None = None,
        lease_seconds: float = _LEASE_SECONDS,
    ) -> None:
        self.pool = pool
        self.clock, self.ids, self.bus = SystemClock(), TimeOrderedIds(), EmbeddedBus()
        self.database = patient_database(pool, self.bus, self.clock)
        self.lease_seconds = lease_seconds
        self.lease_database = lease_database or self.database
        settings = VenueSettings("sandbox", "binance", sandbox_url, live=False)
        self.venues = Venues([settings], self.clock, {"sandbox": sandbox_token})
        self.feed = ScriptedFeed(self.database, self.bus, self.venues)
        venue_now = (lambda _venue: self.feed.venue_time) if scripted else self.venues.venue_now
        self.hub = MarketDataHub(self.bus, EmbeddedCache(self.clock), self.database, self.clock, venue_now)
        self.vault, self.notifier = AesVault(b"k" * 32), OrderNotifier(self.bus)
        self.accounts = AccountService(self.database, self.venues, self.vault, self.bus, self.clock, self.ids)
        self.trading_sessions = TradingSessionService(
            self.database, self.hub.catalogue.get, self.bus, self.clock, self.ids, self.venues.abilities
        )
        self.orders = WholeFills(
            self.database, self.hub, self.clock, self.ids, self.notifier, self.venues.abilities, PATIENCE_SECONDS
        )
        self.position_service = PositionService(
            self.database, self.hub, self.bus, self.clock, self.ids, self.orders, PATIENCE_SECONDS
        )
        self.protection_service = ProtectionService(
            self.database, self.hub, self.bus, self.clock, self.ids, self.venues.abilities
        )
        self.submitted = SignalService(self.database, self.hub, self.bus, self.clock, self.ids, PATIENCE_SECONDS)
        self.halts = HaltService(self.database, self.bus, self.clock, self.ids)
        self.user: User = new_user()
        self.trader = self.new_trader("node-1")
        self._trader_made_at = self.clock.now()

    def new_trader(self, holder: str, timings: TradingTimings | None = None) -> Trader:
        """Return a trader that isn't started, on this node's parts.

        However busy the machine is, it keeps its accounts and sends their orders, once it has what these wait for.
        """
        timings = timings or TradingTimings()
        patient = replace(
            timings.execution, maximum_market_order_age=60, maximum_order_age=60, maximum_amendment_age=60,
            unreconciled_wait=60, unreconciled_market_wait=60, balance_wait=60, coins_wait=60,
            maximum_lease_age=self.lease_seconds / 2,
        )  # fmt: skip
        return Trader(
            TradingDependencies(
                self.database,
                self.venues,
                self.vault,
                self.hub,
                self.bus,
                self.clock,
                self.ids,
                self.notifier,
                holder,
                self.lease_database,
                timings=replace(timings, lease_seconds=self.lease_seconds, execution=patient),
            )
        )

    async def restart(self, holder: str = "node-2", timings: TradingTimings | None = None) -> None:
        """Start another trader after the first was closed."""
        self.trader = self.new_trader(holder, timings)
        self._trader_made_at = self.clock.now()
        await self.trader.start()

    async def account(self, usdt: str = "100000", **changes: object) -> Account:
        """Open a paper account."""
        amount = Decimal(usdt)
        request = AccountRequest(
            "paper", AccountKind.PAPER, "sandbox", "USDT", (Balance("USDT", amount, amount),), idempotency_key=None
        )
        return await self.accounts.create(self.user.id, replace(request, **changes))

    async def another_user(self) -> User:
        """Register somebody else."""
        user = new_user()
        async with self.database.transaction() as transaction:
            await transaction.users.add(user, "argon2id")
        return user

    async def session(self, account: Account, definition: StrategyDefinition, **changes: object) -> TradingSession:
        """Start a session of a new strategy and wait until it runs, and until its account's orders are sent."""
        session = await self.start_session(account, definition, **changes)
        await self.until_reconciled(account)
        return await self.until(session, lambda now: now.status.value != "STARTING", "it starts")

    async def until_reconciled(self, account: Account) -> None:
        """Return once the present trader has reconciled the account with its venue."""
        deadline = self.clock.monotonic() + PATIENCE_SECONDS
        while True:
            async with self.database.read_only() as reading:
                stored = await reading.accounts.by_id(account.id)
            assert stored is not None
            if stored.reconciled_at is not None and stored.reconciled_at >= self._trader_made_at:
                return
            assert self.clock.monotonic() < deadline, f"not in time: reconciled; it is {stored}"
            await asyncio.sleep(0.01)

    async def start_session(
        self, account: Account, definition: StrategyDefinition, **changes: object
    ) -> TradingSession:
        """Start a session of a new strategy."""
        version = await self._version(definition)
        request = replace(TradingSessionRequest(version.id, account.id, BTC, Timeframe.M1), **changes)
        return await self.trading_sessions.start(self.user, request, None)

    async def stored_session(self, account: Account, definition: StrategyDefinition) -> TradingSession:
        """Store a session that the service would refuse."""
        version = await self._version(definition)
        session = new_session(self.user.id, account.id, version.id, started_at=datetime.now(UTC))
        async with self.database.transaction() as transaction:
            await transaction.trading_sessions.add(session)
        return session

    async def _version(self, definition: StrategyDefinition) -> StrategyVersion:
        strategy = new_strategy(self.user.id, name=f"s-{uuid4()}")
        version = new_version(strategy, definition=definition)
        async with self.database.transaction() as transaction:
            await transaction.strategies.add(strategy, version)
        return version

    async def read(self, session: TradingSession) -> TradingSession:
        async with self.database.read_only() as reading:
            found = await reading.trading_sessions.get(self.user.id, session.id)
        assert found is not None
        return found

    async def until(
        self, session: TradingSession, condition: Callable[[TradingSession], object], what: str
    ) -> TradingSession:
        """Return the session once the condition holds of it."""
        deadline = self.clock.monotonic() + PATIENCE_SECONDS
        while not condition(now := await self.read(session)):
            assert self.clock.monotonic() < deadline, f"not in time: {what}; it is {now}"
            await asyncio.sleep(0.01)
        return now

    async def until_processed(self, session: TradingSession, candle: Candle) -> TradingSession:
        """Return the session once it has processed the candle."""
        return await self.until(session, lambda now: now.last_candle_at == candle.open_time, "it processed the candle")

    async def position(self, session: TradingSession) -> Position | None:
        """Return the session's newest position, open or closed."""
        async with self.database.read_only() as reading:
            found = await reading.positions.latest_by_session([session.id])
        return found[0] if found else None

    async def until_position(
        self, session: TradingSession, condition: Callable[[Position], object], what: str
    ) -> Position:
        """Return the session's newest position once the condition holds of it, and no order is filled in part alone.

        What several levels of the book fill is told, and counted, one fill after the other.
        """
        deadline = self.clock.monotonic() + PATIENCE_SECONDS
        while True:
            async with self.database.snapshot() as reading:
                known = await reading.positions.latest_by_session([session.id])
                active = await reading.orders.list_active(session.account_id)
            now = known[0] if known else None
            if now is not None and condition(now) and not filled_in_part(active, session):
                return now
            assert self.clock.monotonic() < deadline, f"not in time: {what}; it is {now}, {await self.summary(session)}"
            await asyncio.sleep(0.01)

    async def until_protected(self, session: TradingSession) -> PositionProtection:
        """Return the protection of the session's open position once it is active and the market is watched for it."""
        deadline = self.clock.monotonic() + PATIENCE_SECONDS
        while True:
            async with self.database.read_only() as reading:
                known = await reading.protection.list_open(session.account_id)
            active = [row for row in known if row.trading_session_id == session.id and row.is_active]
            state = self.hub.followed.get(session.market)
            if active and state is not None and state.trade_queues:
                return active[-1]
            assert self.clock.monotonic() < deadline, f"not in time: it is protected; there is {known}"
            await asyncio.sleep(0.01)

    async def intents(self, session: TradingSession) -> list[PositionIntent]:
        """Return the intents to close the session's newest position, oldest first."""
        position = await self.position(session)
        assert position is not None
        async with self.database.read_only() as reading:
            return await reading.protection.list_intents_of_positions([position.id])

    async def list_market(self, **changes: object) -> None:
        """Have the venue list BTC/USDT with these filters, or as one that isn't traded now."""
        async with self.database.transaction() as transaction:
            listed = await transaction.market_data.markets()
            changed = [replace(market, **changes) if market.symbol == BTC else market for market in listed]
            await transaction.market_data.save_markets(changed)
        await self.hub.catalogue.refresh()

    async def alerts(self) -> list[str]:
        """Return the messages of all alerts in the user's log."""
        async with self.database.read_only() as reading:
            events = await reading.events.read_after(self.user.id, 0, None, 1000)
        return [event.message or "" for event in events if event.kind.value == "ALERT"]

    async def orders_of(self, session: TradingSession) -> list[Order]:
        """Return the session's orders, oldest first."""
        async with self.database.read_only() as reading:
            of_session = OrderFilter(trading_session_id=session.id)
            return (await reading.orders.list_page(self.user.id, KeysetPage(limit=1000), of_session))[::-1]

    async def signals(self, session: TradingSession) -> list[Signal]:
        """Return the session's signals, oldest first."""
        async with self.database.read_only() as reading:
            return (await reading.trading_sessions.list_signals(self.user.id, session.id, KeysetPage(limit=1000)))[::-1]

    async def summary(self, session: TradingSession) -> list[str]:
        """Return the session's signals and orders in few words."""
        signals = [
            f"{signal.action.value}{' missed' if signal.missed else ''}" for signal in await self.signals(session)
        ]
        return signals + [_short(order) for order in await self.orders_of(session)]

    async def until_summarised(self, session: TradingSession, what: str) -> None:
        """Return once one of the session's signals or orders has that summary."""
        deadline = self.clock.monotonic() + PATIENCE_SECONDS
        while what not in (summary := await self.summary(session)):
            assert self.clock.monotonic() < deadline, f"not in time: {what}; there is {summary}"
            await asyncio.sleep(0.01)

    async def until_order(self, session: TradingSession, condition: Callable[[Order], object]) -> Order:
        """Return the first of the session's orders of which the condition holds."""
        deadline = self.clock.monotonic() + PATIENCE_SECONDS
        while not (found := [order for order in await self.orders_of(session) if condition(order)]):
            assert self.clock.monotonic() < deadline, f"not in time; there is {await self.summary(session)}"
            await asyncio.sleep(0.01)
        return found[0]

    async def until_status(self, order: Order, status: OrderStatus) -> None:
        """Return once the order is in that state."""
        deadline = self.clock.monotonic() + PATIENCE_SECONDS
        while (now := await self.order(order.id)).status is not status:
            assert self.clock.monotonic() < deadline, f"not in time: {status}; it is {now}"
            await asyncio.sleep(0.01)

    async def until_balance(self, account: Account, currency: str, total: Decimal) -> None:
        """Return once the account holds that much."""
        deadline = self.clock.monotonic() + PATIENCE_SECONDS
        while True:
            async with self.database.read_only() as reading:
                held = (await reading.accounts.balances([account.id])).get(account.id, [])
            if any((balance.currency, balance.total) == (currency, total) for balance in held):
                return
            assert self.clock.monotonic() < deadline, f"not in time: {total} {currency}; there is {held}"
            await asyncio.sleep(0.01)

    async def order(self, order_id: UUID) -> Order:
        async with self.database.read_only() as reading:
            found = await reading.orders.get(self.user.id, order_id)
        assert found is not None
        return found


def filled_in_part(active: Sequence[Order], session: TradingSession) -> bool:
    """Return whether one of the session's orders has some of its fills."""
    return any(
        order.status is OrderStatus.PARTIALLY_FILLED for order in active if order.trading_session_id == session.id
    )


def _short(order: Order) -> str:
    why = [denial.code.value for denial in order.denials]
    return f"{order.role.value} {order.status.value}{' ' + ','.join(why) if why else ''}"


def _in_epoch(book: Depth) -> Depth:
    return replace(book, epoch="scripted")


@asynccontextmanager
async def trading_node(
    pool: Pool,
    sandbox_url: str,
    sandbox_token: str,
    lease_pool: "Pool | None" = None,
    lease_seconds: float = _LEASE_SECONDS,
) -> AsyncIterator[TradingNode]:
    """Run a node with one user inside the block."""
    lease_database = None if lease_pool is None else patient_database(lease_pool, EmbeddedBus(), SystemClock())
    node = TradingNode(pool, sandbox_url, sandbox_token, lease_database=lease_database, lease_seconds=lease_seconds)
    async with node.database.transaction() as transaction:
        await transaction.users.add(node.user, "argon2id")
        node.user = await transaction.users.get(node.user.id)
    try:
        await node.feed.start()
        await node.hub.start()
        await node.trader.start()
        # No order waits for the first book, nor is any price lacking when the first comes late.
        assert await node.hub.depth(BTC, PATIENCE_SECONDS) is not None
        yield node
    finally:
        await node.trader.close()
        await node.feed.close()
        await node.hub.close()
        await node.venues.close()
        await node.database.close()
        await node.bus.close()


@asynccontextmanager
async def collecting_node(
    pool: Pool, sandbox_url: str, sandbox_token: str, timings: FeedTimings | None = None
) -> AsyncIterator[TradingNode]:
    """Run a node inside the block that collects its markets itself, with nothing scripted."""
    node = TradingNode(pool, sandbox_url, sandbox_token, scripted=False)
    cache, source = EmbeddedCache(node.clock), node.venues.public("sandbox")
    parts = (node.database, node.bus, cache, node.clock, node.ids)
    # A feed mustn't change its node because a busy machine couldn't renew its lease within seconds.
    timings = replace(timings or FeedTimings(), lease_seconds=_LEASE_SECONDS)
    feeds = FeedManager({"sandbox": source}, *parts, "node-1", [BTC], timings)
    async with node.database.transaction() as transaction:
        await transaction.users.add(node.user, "argon2id")
        node.user = await transaction.users.get(node.user.id)
    await node.hub.start()
    await feeds.start()
    await node.trader.start()
    try:
        await eventually(lambda: node.hub.catalogue.get(BTC), "the markets are known")
        yield node
    finally:
        await node.trader.close()
        await feeds.close()
        await node.hub.close()
        await node.venues.close()
        await node.database.close()
        await node.bus.close()


def strategy(**changes: object) -> StrategyDefinition:
    """Return a definition that buys for 500 at every candle while it has nothing."""
    definition = StrategyDefinition(sizing=QUOTE_500, enter_long=ALWAYS, exit_long=NEVER)
    return replace(definition, **changes)


def cents(value: Decimal) -> Decimal:
    """Return the value on the grid of the sandbox's BTC/USDT."""
    return round_down(value, Decimal("0.01"))


def roles(orders: Sequence[Order]) -> list[str]:
    """Return the orders' roles and states."""
    return [_short(order) for order in orders]
