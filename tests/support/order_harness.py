"""A user, an account, a venue and an executor on a real database, for tests of the order protocol."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from domain.execution.account_context import OrderTimings
from domain.execution.executor import AccountExecutor
from domain.execution.notifications import OrderNotifier
from domain.execution.service import Done, OrderService
from domain.model.conversion import CurrencyGraph
from domain.model.markets import Depth, FeedState, FeedStatus, Market, MarketSymbol
from domain.model.order_side import OrderSide
from domain.model.orders import Fill, Order, OrderEvent, OrderType
from domain.model.trading import Account, Position
from domain.model.users import User
from domain.ports.execution_client import ExecutionClient
from domain.ports.leases import Lease
from domain.rules.order_request import OrderRequest
from infra.clock import SystemClock, TimeOrderedIds
from infra.embedded.bus import EmbeddedBus
from infra.postgres.database import PostgresDatabase
from infra.postgres.pool import Pool
from tests.support.orders import BTC, a_book, a_market
from tests.support.trading import new_account, new_user
from tests.support.waiting import PATIENCE_SECONDS, eventually

HASTE_SECONDS = 0.2
QUICK = OrderTimings(absence=0.3, settle_first=0.02, expiry_poll=0.05, poll=0.05, retry=0.02, pending_at_start=60)
"""The protocol's times, shortened where a test would only wait for them."""


@dataclass
class FixedMarkets:
    """A `MarketView` of one market whose book never moves."""

    book: Depth | None = field(default_factory=lambda: a_book(quantity=100))
    listed: Market | None = field(default_factory=a_market)
    state: FeedState = FeedState.LIVE
    since: datetime = field(default_factory=lambda: datetime.now(UTC))
    waits: int = 0
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

    def convert(self, venue: str, amount: Decimal, currency: str, into: str) -> Decimal | None:
        return amount * self.rates[currency] if currency in self.rates else None

    async def depth(self, market: MarketSymbol, timeout_seconds: float) -> Depth | None:
        self.waits += 1
        return self.latest_depth(market)


class PatientOrders(OrderService):
    """Waits for an answer as long as an executor runs, on however slow a machine, and else briefly."""

    def __init__(self, *parts: Any, is_worked_on: Callable[[], bool]) -> None:
        super().__init__(*parts)
        self._is_worked_on = is_worked_on

    async def _wait(self, user_id: UUID, order_id: UUID, done: Done) -> Order:
        deadline = self._clock.monotonic() + PATIENCE_SECONDS
        while True:
            order = await super()._wait(user_id, order_id, done)
            if done(order) or not self._is_worked_on() or self._clock.monotonic() > deadline:
                return order


class OrderHarness:
    """Everything that one account's trading needs; `executor` is to be started, and may be killed and started again."""

    def __init__(self, pool: Pool, venue: ExecutionClient, user: User, account: Account, markets: FixedMarkets) -> None:
        self.clock, self.ids, self.bus = SystemClock(), TimeOrderedIds(), EmbeddedBus()
        self.database = PostgresDatabase(pool, self.bus, self.clock)
        self.bell = OrderNotifier(self.bus)
        self.venue, self.user, self.account, self.markets = venue, user, account, markets
        self.timing = QUICK
        self.cancel_foreign = False
        self.service = PatientOrders(
            self.database, markets, self.clock, self.ids, self.bell, HASTE_SECONDS, is_worked_on=lambda: self.runs
        )
        self.lease: Lease | None = None
        self._task: asyncio.Task[None] | None = None
        self._starts = 0

    @property
    def runs(self) -> bool:
        """Whether an executor works for the account."""
        return self._task is not None and not self._task.done()

    async def start(self) -> AccountExecutor:
        """Start an executor under a new lease and wait until the account is reconciled."""
        executor = await self.start_unreconciled()
        await eventually(lambda: executor.reconciled or self.task.done(), "the account is reconciled")
        assert not self.task.done(), self.task
        return executor

    async def start_unreconciled(self) -> AccountExecutor:
        """Start an executor under a new lease."""
        self._starts += 1
        async with self.database.transaction() as transaction:
            key = str(self.account.id)
            self.lease = await transaction.leases.acquire("account", key, f"node-{self._starts}", 600)
        assert self.lease is not None
        executor = AccountExecutor(
            self.account, self.database, self.venue, self.markets, self.clock, self.ids, self._fresh_lease, self.bell,
            self.timing, cancel_foreign=self.cancel_foreign,
        )  # fmt: skip
        self._task = asyncio.create_task(executor.run())
        return executor

    @property
    def task(self) -> "asyncio.Task[None]":
        assert self._task is not None
        return self._task

    async def kill(self) -> None:
        """Stop the executor wherever it stands, and let its lease lapse: nothing is tidied up."""
        self.task.cancel()
        with suppress(asyncio.CancelledError):
            await self.task
        assert self.lease is not None
        async with self.database.transaction() as transaction:
            await transaction.leases.release(self.lease)

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
        """Return the order once its state is one of `statuses`."""
        deadline = self.clock.monotonic() + timeout_seconds
        while (order := await self.read(order_id)).status not in statuses:
            assert self.clock.monotonic() < deadline, f"{order.status} and not {statuses}"
            await asyncio.sleep(0.01)
        return order

    async def story(self, order_id: UUID) -> list[OrderEvent]:
        """Return the order's events as the user's log has them."""
        async with self.database.read_only() as transaction:
            events = await transaction.events.list_for_order(self.user.id, order_id, self.account.created_at)
        return [event.subject for event in events if isinstance(event.subject, OrderEvent)]

    async def kinds(self, order_id: UUID) -> list[str]:
        """Return the kinds of the order's events."""
        return [event.kind.value for event in await self.story(order_id)]

    async def fills(self, order_id: UUID) -> list[Fill]:
        """Return the order's stored fills."""
        async with self.database.read_only() as transaction:
            return await transaction.orders.fills_of_order(order_id)

    async def positions(self) -> list[Position]:
        """Return the account's open positions."""
        async with self.database.read_only() as transaction:
            return await transaction.positions.list_open(self.account.id)

    async def alerts(self) -> list[str]:
        """Return the messages of all alerts in the user's log."""
        async with self.database.read_only() as transaction:
            events = await transaction.events.read_after(self.user.id, 0, None, 1000)
        return [event.message or "" for event in events if event.kind.value == "ALERT"]

    def _fresh_lease(self) -> Lease | None:
        return None if self.lease is None else replace(self.lease, renewed_at=self.clock.monotonic())


@asynccontextmanager
async def open_floor(
    pool: Pool, venue: ExecutionClient, markets: FixedMarkets | None = None
) -> AsyncIterator[OrderHarness]:
    """Store a user with an account; at the end the executor is stopped, and must not have failed."""
    user = new_user()
    account = new_account(user.id, created_at=datetime.now(UTC))
    async with open_floor_of(pool, venue, user, account, markets) as floor:
        async with floor.database.transaction() as transaction:
            await transaction.users.add(user, "argon2id")
            await transaction.accounts.add(account, b"sealed")
        yield floor


@asynccontextmanager
async def open_floor_of(
    pool: Pool, venue: ExecutionClient, user: User, account: Account, markets: FixedMarkets | None = None
) -> AsyncIterator[OrderHarness]:
    """The same for an account that is stored."""
    floor = OrderHarness(pool, venue, user, account, markets or FixedMarkets())
    yield floor
    if floor._task is not None:
        if not floor.task.done():
            floor.task.cancel()
        with suppress(asyncio.CancelledError):
            await floor.task
    await floor.database.close()
