"""A user, an account, a venue and an executor on a real database, for tests of the order protocol."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from domain.core.background import BackgroundTasks
from domain.execution.account_context import AccountContext, ExecutionDependencies
from domain.execution.command_poller import CommandPoller
from domain.execution.executor import AccountExecutor
from domain.execution.notifications import OrderNotifier
from domain.execution.order_timings import OrderTimings
from domain.execution.service import OrderService, Predicate
from domain.model.conversion import CurrencyGraph
from domain.model.markets import Depth, FeedState, FeedStatus, Market, MarketSymbol, Trade
from domain.model.order_side import OrderSide
from domain.model.orders import Fill, Order, OrderEvent, OrderType
from domain.model.trading import Account, Position
from domain.model.users import User
from domain.model.venue_abilities import VenueAbilities
from domain.ports.execution_client import ExecutionClient
from domain.ports.leases import Lease
from domain.rules.order_request import OrderRequest
from infra.clock import TimeOrderedIds
from infra.embedded.bus import EmbeddedBus
from infra.postgres.pool import Pool
from tests.support.clocks import AdjustableClock
from tests.support.orders import BTC, a_book, a_market
from tests.support.postgres import patient_database
from tests.support.trading import new_account, new_user
from tests.support.waiting import PATIENCE_SECONDS, eventually, read_until

ANSWER_WITHIN_SECONDS = 0.2
FAST_TIMINGS = OrderTimings(
    absence_after=0.3,
    first_query_delay=0.02,
    poll_interval=0.05,
    retry_delay=0.02,
    maximum_amendment_age=60,
    maximum_market_order_age=60,
    maximum_order_age=60,
    foreign_alert_delay=0.02,
    foreign_alert_interval=0.02,
    unreconciled_wait=60,
    unreconciled_market_wait=60,
    balance_wait=PATIENCE_SECONDS,
)
"""The order protocol's times: shortened if a test would only wait for them, long if they may end only by an event."""


@dataclass
class FixedMarkets:
    """A `MarketView` of one market whose book never moves."""

    book: Depth | None = field(default_factory=lambda: a_book(quantity=100))
    listed: Market | None = field(default_factory=a_market)
    state: FeedState = FeedState.LIVE
    since: datetime = field(default_factory=lambda: datetime.now(UTC))
    depth_requests: int = 0
    reload_requests: list[str] = field(default_factory=list)
    trades: asyncio.Queue[tuple[Trade, ...]] = field(default_factory=asyncio.Queue)
    traded: int = 0
    readers: int = 0
    trade_error: Exception | None = None
    rates: dict[str, Decimal] = field(default_factory=dict)

    @property
    def catalogue(self) -> "FixedMarkets":
        return self

    def get(self, symbol: MarketSymbol) -> Market | None:
        return self.listed if symbol == BTC else None

    def latest_depth(self, market: MarketSymbol) -> Depth | None:
        return self.book if market == BTC else None

    def status(self, market: MarketSymbol) -> FeedStatus | None:
        return FeedStatus(market, self.state, self.since)

    def graph(self, venue: str) -> CurrencyGraph:
        bnb = MarketSymbol(venue, "BNB/USDT")
        return CurrencyGraph([a_market(), a_market(symbol=bnb, base="BNB")])

    async def request_reload(self, venue: str) -> None:
        self.reload_requests.append(venue)

    def price_of(self, market: MarketSymbol) -> Decimal | None:
        return Decimal(100) if market == BTC and self.book is not None else None

    def convert(self, venue: str, amount: Decimal, currency: str, into: str) -> Decimal | None:
        if currency == into:
            return amount
        rate = self.rates.get(currency) or self.price_of(MarketSymbol(venue, f"{currency}/{into}"))
        return None if rate is None else amount * rate

    async def trade_stream(self, market: MarketSymbol) -> AsyncIterator[tuple[Trade, ...]]:
        if self.trade_error is not None:
            error, self.trade_error = self.trade_error, None
            raise error
        self.readers += 1
        try:
            while True:
                yield await self.trades.get()
        finally:
            self.readers -= 1

    def trade(self, *prices: object, ago: timedelta = timedelta(0)) -> None:
        """Have the market trade at these prices, one after another; `ago` is how long before now."""
        self.traded += 1
        at = datetime.now(UTC) - ago
        self.trades.put_nowait(
            tuple(
                Trade(BTC, f"m{self.traded}-{number}", at, Decimal(str(price)), Decimal(1), OrderSide.BUY)
                for number, price in enumerate(prices)
            )
        )

    async def depth(self, market: MarketSymbol, timeout_seconds: float) -> Depth | None:
        self.depth_requests += 1
        return self.latest_depth(market)


async def no_abilities(_venue: str) -> VenueAbilities | None:
    """Know of no venue what it can."""
    return None


class PatientOrderService(OrderService):
    """Waits for an answer while an executor runs, however slow the machine is, and else for a short time only."""

    def __init__(self, *dependencies: Any, is_executor_running: Callable[[], bool]) -> None:
        super().__init__(*dependencies)
        self._is_executor_running = is_executor_running

    async def wait_until(
        self, user_id: UUID, order_id: UUID, is_done: Predicate, account_id: UUID | None = None
    ) -> Order:
        deadline = self._clock.monotonic() + PATIENCE_SECONDS
        while True:
            order = await super().wait_until(user_id, order_id, is_done, account_id)
            if is_done(order) or not self._is_executor_running() or self._clock.monotonic() > deadline:
                return order


class OrderHarness:
    """The dependencies of one account's execution; `start` starts the executor, which may be killed and restarted."""

    def __init__(self, pool: Pool, venue: ExecutionClient, user: User, account: Account, markets: FixedMarkets) -> None:
        self.clock, self.ids, self.bus = AdjustableClock(), TimeOrderedIds(), EmbeddedBus()
        self.pool = pool
        self.database = patient_database(pool, self.bus, self.clock)
        self.notifier = OrderNotifier(self.bus)
        self.venue, self.user, self.account, self.markets = venue, user, account, markets
        self.timings = FAST_TIMINGS
        self.cancel_foreign = False
        self.service = PatientOrderService(
            self.database,
            markets,
            self.clock,
            self.ids,
            self.notifier,
            no_abilities,
            ANSWER_WITHIN_SECONDS,
            is_executor_running=lambda: self.is_running,
        )  # fmt: skip
        self.lease: Lease | None = None
        self._task: asyncio.Task[None] | None = None
        self._pollers = BackgroundTasks()
        self._is_restarting = False
        self.starts = 0

    @property
    def is_running(self) -> bool:
        """Whether an executor runs for the account, or is about to."""
        return self._is_restarting or (self._task is not None and not self._task.done())

    async def start(self) -> AccountExecutor:
        """Start an executor under a new lease and wait until the account is reconciled."""
        executor = await self.start_unreconciled()
        await eventually(lambda: executor.reconciled or self.task.done(), "the account is reconciled")
        assert not self.task.done(), self.task
        return executor

    async def start_unreconciled(self) -> AccountExecutor:
        """Start an executor under a new lease."""
        self.starts += 1
        async with self.database.transaction() as transaction:
            key = str(self.account.id)
            self.lease = await transaction.leases.acquire("account", key, f"node-{self.starts}", 600)
        assert self.lease is not None
        self.context = self.new_context()
        await self._pollers.close()
        self._pollers.start(CommandPoller(self.database, self.notifier, self.clock, self.timings).run())
        executor = AccountExecutor(self.context, cancel_foreign=self.cancel_foreign)
        self._task = asyncio.create_task(executor.run())
        return executor

    def new_context(self) -> AccountContext:
        """Return an execution context of the account."""
        dependencies = ExecutionDependencies(
            self.database, self.markets, self.clock, self.ids, self.notifier, self.timings
        )
        return AccountContext(self.account, self.venue, self.fresh_lease, dependencies)

    @property
    def task(self) -> "asyncio.Task[None]":
        assert self._task is not None
        return self._task

    async def kill(self) -> None:
        """Stop the executor wherever it is, without any clean-up, and release its lease."""
        self.task.cancel()
        with suppress(asyncio.CancelledError):
            await self.task
        assert self.lease is not None
        async with self.database.transaction() as transaction:
            await transaction.leases.release(self.lease)

    async def restart(self) -> None:
        """Kill the executor and start another; those who wait for an order's outcome meanwhile go on to wait."""
        self._is_restarting = True
        try:
            await self.kill()
            await self.start()
        finally:
            self._is_restarting = False

    def take_error(self) -> BaseException | None:
        """Return what the executor, which must have ended, failed with; the harness then closes without an error."""
        error, self._task = self.task.exception(), None
        return error

    async def stop(self) -> None:
        """Stop the executor if there is one; raises what it failed with."""
        await self._pollers.close()
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def place(self, key: str = "k", **changes: object) -> Order:
        """Place a market order to buy 1, or what `changes` make of it."""
        return await self.service.place(self.user.id, self.request(**changes), key)

    def request(self, **changes: object) -> OrderRequest:
        """Return a market order to buy 1, or what `changes` make of it."""
        request = OrderRequest(self.account.id, BTC, OrderSide.BUY, OrderType.MARKET, Decimal(1))
        return replace(request, **changes)  # type: ignore[arg-type]

    async def limit(self, key: str = "k", price: str = "90", **changes: object) -> Order:
        """Place a limit order that rests."""
        return await self.place(key, type=OrderType.LIMIT, price=Decimal(price), **changes)

    async def read(self, order_id: UUID) -> Order:
        """Return an order as it is stored."""
        async with self.database.read_only() as transaction:
            order = await transaction.orders.get(self.user.id, order_id)
        assert order is not None
        return order

    async def until(self, order_id: UUID, *statuses: str, timeout_seconds: float = PATIENCE_SECONDS) -> Order:
        """Return the order once its status is one of `statuses`."""
        deadline = self.clock.monotonic() + timeout_seconds
        while (order := await self.read(order_id)).status not in statuses:
            assert self.clock.monotonic() < deadline, f"{order.status} and not {statuses}"
            await asyncio.sleep(0.01)
        return order

    async def order_events(self, order_id: UUID) -> list[OrderEvent]:
        """Return the order's events from the user's event log."""
        async with self.database.read_only() as transaction:
            events = await transaction.events.list_for_order(self.user.id, order_id, self.account.created_at)
        return [event.subject for event in events if isinstance(event.subject, OrderEvent)]

    async def kinds(self, order_id: UUID) -> list[str]:
        """Return the kinds of the order's events."""
        return [event.kind.value for event in await self.order_events(order_id)]

    async def fills(self, order_id: UUID) -> list[Fill]:
        """Return the order's stored fills."""
        async with self.database.read_only() as transaction:
            return await transaction.orders.list_fills_of_order(order_id)

    async def positions(self) -> list[Position]:
        """Return the account's open positions."""
        async with self.database.read_only() as transaction:
            return await transaction.positions.list_open(self.account.id)

    async def alerts(self) -> list[str]:
        """Return the messages of all alerts in the user's log."""
        async with self.database.read_only() as transaction:
            events = await transaction.events.read_after(self.user.id, 0, None, 1000)
        return [event.message or "" for event in events if event.kind.value == "ALERT"]

    async def until_alerts(self, count: int) -> list[str]:
        """Return the alerts once there are so many."""
        return await read_until(self.alerts, lambda alerts: len(alerts) >= count, f"{count} alerts")

    def fresh_lease(self) -> Lease | None:
        """Return the lease as if it had been renewed just now."""
        return None if self.lease is None else replace(self.lease, renewed_at=self.clock.monotonic())


@asynccontextmanager
async def open_order_harness(
    pool: Pool, venue: ExecutionClient, markets: FixedMarkets | None = None
) -> AsyncIterator[OrderHarness]:
    """Open a harness of a new user and account; at the end the executor is stopped, and must not have failed."""
    user = new_user()
    account = new_account(user.id, created_at=datetime.now(UTC))
    async with open_order_harness_for(pool, venue, user, account, markets) as harness:
        async with harness.database.transaction() as transaction:
            await transaction.users.add(user, "argon2id")
            await transaction.accounts.add(account, b"sealed")
        yield harness


@asynccontextmanager
async def open_order_harness_for(
    pool: Pool, venue: ExecutionClient, user: User, account: Account, markets: FixedMarkets | None = None
) -> AsyncIterator[OrderHarness]:
    """Open a harness of a stored user and account."""
    harness = OrderHarness(pool, venue, user, account, markets or FixedMarkets())
    yield harness
    await harness.stop()
    await harness.database.close()
