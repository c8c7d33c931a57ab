"""The execution context of an account: what all parts of its executor share, and the only way to change its orders."""

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from domain.core.clock import Clock, IdGenerator
from domain.core.errors import Unavailable
from domain.core.tracing import order_span
from domain.execution.account_book import AccountBook
from domain.execution.alerts import AccountAlerts
from domain.execution.commands import place_decided_order
from domain.execution.feed_warmup import BOOK_WAIT_SECONDS
from domain.execution.notifications import OrderNotifier
from domain.execution.order_ages import OrderAges
from domain.execution.order_cache import OrderCache
from domain.execution.order_steps import Decisions, NewOrder, OrderStep, write_steps
from domain.execution.order_update import OrderUpdate
from domain.execution.refused_cancels import RefusedCancels
from domain.model.markets import Market, MarketSymbol
from domain.model.orders import Order, OrderType
from domain.model.trading import Account, Balance
from domain.model.trading_state import TradingState
from domain.ports.execution_client import ExecutionClient, NotSent
from domain.ports.leases import Lease, StaleLease
from domain.ports.orders import NO_CONDITIONS, MarketView, PlacingConditions, StaleOrder, StepConditions
from domain.ports.unit_of_work import Database, UnitOfWork
from domain.risk import plan
from domain.rules.order_lifecycle import Transition

Decision = Callable[[Order], Awaitable[Transition]]
"""Returns what becomes of an order, by what is known of its account."""

ANY_HALT = (TradingState.HALTED, TradingState.REDUCING)

Change = Callable[[Order], Transition]
"""Returns the transition of an order as it is when its row is locked."""


@dataclass(frozen=True, slots=True)
class OrderTimings:
    """The times of the order protocol, all in seconds.

    `maximum_lease_age` is the time since the lease's last renewal up to which requests are sent. An answer "no such
    order" counts only `absence_after` the send: the venue's receive window of 2.5 s, and 2 s more. `book_wait` is how
    long an order waits for the first book of its market. Every `checkpoint_interval` the time up to which the account
    agrees with its venue is stored, and its balances are asked for; those of an account that doesn't trade every
    `resting_refresh_interval`. Balances that don't cover an order are asked for again if they are older than
    `balance_refresh_interval`, and the order waits at most `balance_wait` for them. An order that is older than its
    `maximum_age` isn't sent. At most `maximum_requests` new orders that may add risk are sent at once. An order that
    has been in doubt for `doubt_alert_after` raises an alert; after `doubt_limit` a trade whose order the venue doesn't
    find no longer keeps it in doubt. Foreign orders are reported once no more were noticed for `foreign_alert_delay`,
    at most every `foreign_alert_interval`. An order by hand waits at most `coins_wait` for coins that orders at the
    venue keep for a protection. What waits for the price of a market raises an alert if none has come
    for `unwatched_after`.
    """

    poll_interval: float = 0.25
    maximum_lease_age: float = 3.0
    absence_after: float = 4.5
    first_query_delay: float = 0.1
    longest_query_delay: float = 15.0
    in_flight_delay: float = 0.02
    unreconciled_wait: float = 5.0
    maximum_pending_age_at_start: float = 5.0
    maximum_market_order_age: float = 2.0
    maximum_order_age: float = 5.0
    maximum_requests: int = 32
    doubt_alert_after: float = 30.0
    doubt_limit: float = 45.0
    foreign_alert_delay: float = 1.0
    foreign_alert_interval: float = 60.0
    book_wait: float = BOOK_WAIT_SECONDS
    retry_delay: float = 0.25
    longest_retry_delay: float = 10.0
    checkpoint_interval: float = 60.0
    resting_refresh_interval: float = 1_800.0
    balance_refresh_interval: float = 0.5
    balance_wait: float = 1.5
    coins_wait: float = 1.5
    unwatched_after: float = 60.0

    def maximum_age(self, order: Order) -> float:
        """Return how many seconds after it was placed the order may be sent; no limit for an exit or an amendment."""
        if order.reduce_only or order.replaces_id is not None:
            return math.inf
        return self.maximum_market_order_age if order.type is OrderType.MARKET else self.maximum_order_age


@dataclass(frozen=True, slots=True)
class ExecutionDependencies:
    """What the executors of all accounts on a node share."""

    database: Database
    markets: MarketView
    clock: Clock
    ids: IdGenerator
    notifier: OrderNotifier
    timings: OrderTimings = OrderTimings()


class AccountContext:
    """An account's dependencies and state, and the transactions that change its orders.

    Each of these transactions checks the lease, and only one runs at a time: two together could both create the same
    position, which has no row to lock before its first fill.

    `lease` returns the account's lease as it was last renewed, None once it is lost. `refusal` says why the
    venue rejects all requests of the account (its credentials, or for another reason); None while it answers.
    `in_flight` are the orders of requests under way, and `withdrawn` those of them whose cancel was requested since.
    `is_active` is whether anything has happened since the account was last seen without orders and positions.
    """

    def __init__(
        self,
        account: Account,
        venue: ExecutionClient,
        lease: Callable[[], Lease | None],
        dependencies: ExecutionDependencies,
    ) -> None:
        self.account = account
        self.venue = venue
        self.alerts = AccountAlerts(account, dependencies.database, dependencies.clock)
        self.database = dependencies.database
        self.markets = dependencies.markets
        self.clock = dependencies.clock
        self.ids = dependencies.ids
        self.notifier = dependencies.notifier
        self.timings = dependencies.timings
        self.reconciled = False
        self.refusal: str | None = None
        self.restored_to: datetime | None = None
        self.is_active = True
        self.in_flight: set[UUID] = set()
        self.withdrawn: set[UUID] = set()
        self.order_cache = OrderCache()
        self.book = AccountBook()
        self.refused_cancels = RefusedCancels(self.clock)
        self.order_ages = OrderAges(self.clock)
        self._lease = lease
        self._lock = asyncio.Lock()
        self._uncommitted: list[OrderStep] = []

    def __repr__(self) -> str:
        return f"AccountContext(account={self.account.id}, venue={self.account.venue!r}, reconciled={self.reconciled})"

    def to_venue_time(self, at: datetime) -> datetime:
        """Return the venue's time at a moment of this node's clock, to compare with times of the venue's reports."""
        return at + (self.venue.venue_now() - self.clock.now())

    def check_lease(self) -> None:
        """Raise `NotSent` unless the lease was renewed so recently that no other node can hold it yet."""
        lease = self._lease()
        if lease is None or self.clock.monotonic() - lease.renewed_at >= self.timings.maximum_lease_age:
            raise NotSent("the right to trade the account was not renewed in time")

    @asynccontextmanager
    async def fenced_transaction(self) -> AsyncIterator[UnitOfWork]:
        """Open a transaction that may change the account's orders; raises `StaleLease` if another node may trade it."""
        lease = self._require_lease()
        async with self._exclusive_transaction() as transaction:
            await transaction.leases.check(lease)
            yield transaction

    async def upsert_balances(self, balances: Sequence[Balance]) -> None:
        """Store balances of the account that aren't older than the stored ones; raises `StaleLease`.

        Neither this nor `replace_balances` waits for the transactions that change orders.
        """
        try:
            async with self.database.transaction() as transaction:
                transaction.accounts.upsert_balances(self.account.id, balances, self._require_lease())
        except Unavailable:
            self.book.forget()
            raise
        self.book.put_balances(balances)

    async def replace_balances(self, balances: Sequence[Balance], at: datetime) -> None:
        """Store all balances of the account, as of the venue's time `at`; raises `StaleLease`."""
        lease = self._require_lease()
        try:
            async with self.database.transaction() as transaction:
                await transaction.leases.check(lease)
                await transaction.accounts.replace_balances(self.account.id, balances, at)
        finally:
            self.book.forget()

    async def save_reconciled_at(self, at: datetime, until: datetime) -> None:
        """Store up to when the account agrees with its venue, also by the venue's clock; raises `StaleLease`."""
        async with self.database.read_only() as connection:  # one statement needs no transaction around it
            if not await connection.accounts.save_reconciled_at(self.account.id, at, until, self._require_lease()):
                raise StaleLease("the lease was lost")

    def write(
        self, unit_of_work: UnitOfWork, steps: Iterable[OrderStep], conditions: StepConditions = NO_CONDITIONS
    ) -> None:
        """Write steps in a transaction of this account, and have them remembered and published once it has committed.

        See `write_steps`; the lock of a `fenced_transaction` on the rows, or `conditions`, keep others from them.
        """
        steps = list(steps)
        write_steps(unit_of_work, steps, conditions)
        self._uncommitted += [step for step in steps if step.has_changed]

    async def advance(self, known: Order, transition: Transition) -> Order:
        """Write a transition of an order as it was last committed, without reading it, and return the order.

        Raises `StaleOrder` if the stored order has changed since, or if the lease isn't held any more.
        """
        async with self._exclusive_transaction() as unit_of_work:
            self.write(unit_of_work, [OrderStep.of(known, transition)], StepConditions(self._require_lease()))
        return transition.order

    async def decide(self, orders: Sequence[Order], decide: Decision) -> Decisions | None:
        """Commit what is decided about orders as they were read last, in one transaction without a lock on their rows.

        Each decision counts on those before it. None, and nothing is saved, if one of the stored orders has changed
        since, if the lease isn't held any more, or if one is to be sent and there is a halt, or the account has got
        other limits.
        """
        lease = self._require_lease()
        try:
            async with self._exclusive():
                decided = await self._decide_in_series(orders, decide)
                steps = [step for step in decided.steps if step.has_changed]
                if steps:
                    async with self.database.transaction() as unit_of_work:
                        # While there is any halt, each order is decided about with its row locked.
                        limits = self.book.limits if any(step.forbidden_by(ANY_HALT) for step in steps) else None
                        write_steps(unit_of_work, steps, StepConditions(lease, limits), ANY_HALT)
                        self._uncommitted += steps
        except StaleOrder:
            self.book.forget()
            return None
        return decided

    async def place(self, orders: Sequence[NewOrder], decide: Decision) -> dict[UUID, Order] | None:
        """Commit those of the new orders as SUBMITTED of which that is decided, and return them by their ids.

        None, and nothing is saved, if what a decision counted on has changed, or one of the keys was used. Raises
        `Unavailable` if it isn't known whether they were saved.
        """
        lease = self._require_lease()
        try:
            async with self._exclusive():
                decided = await self._decide_in_series([new.order for new in orders], decide)
                sent = {step.after.id: step for step in decided.steps if step.after.id in decided.submitted}
                if not sent or self.book.limits is None:
                    return {}
                async with self.database.transaction() as unit_of_work:
                    for new in orders:
                        if step := sent.get(new.order.id):
                            halts = step.forbidden_by(ANY_HALT)
                            conditions = PlacingConditions(lease, self.book.limits, halts, plan.PLACED_AT_ONCE)
                            place_decided_order(unit_of_work, step, new.reservation, conditions)
                    self._uncommitted += sent.values()
        except StaleOrder:
            self.book.forget()
            return None
        return {order_id: step.after for order_id, step in sent.items()}

    async def _decide_in_series(self, orders: Sequence[Order], decide: Decision) -> Decisions:
        """Return what is decided about each, as if the decisions before it were committed."""
        decided = Decisions()
        try:
            for order in orders:
                try:
                    with order_span("order.decide", order.id, venue=order.market.venue):
                        step = OrderStep.of(order, await decide(order))
                except (Unavailable, StaleLease):
                    raise
                except Exception as error:  # noqa: BLE001  # of one order, which must harm no other
                    decided.errors[order.id] = error
                else:
                    decided.steps.append(step)
                    self.book.expect(step.after)
        finally:
            self.book.expect_nothing()
        return decided

    async def wait_idle(self) -> None:
        """Return when no transaction changes an order of the account, so that the cache has what was committed."""
        async with self._lock:
            return

    @asynccontextmanager
    async def _exclusive_transaction(self) -> AsyncIterator[UnitOfWork]:
        async with self._exclusive(), self.database.transaction() as transaction:
            yield transaction

    @asynccontextmanager
    async def _exclusive(self) -> AsyncIterator[None]:
        """Keep others from changing orders; remember and publish what was written once it is committed.

        Forget what is known if a commit fails, which may happen all the same.
        """
        try:
            async with self._lock:
                self._uncommitted = []
                yield
                self._remember(self._uncommitted)
        except Unavailable:
            self.order_cache = OrderCache()
            self.book.forget()
            raise

    def _require_lease(self) -> Lease:
        lease = self._lease()
        if lease is None:
            raise StaleLease("the lease was lost")
        return lease

    def order_update(self, transaction: UnitOfWork, order: Order) -> OrderUpdate:
        """Return the unit of change of an order whose row is locked."""
        market = self.market(order.market)
        return OrderUpdate(transaction, order, market, self.markets, self.ids, self.clock.now())

    async def update(self, order_id: UUID, change: Change) -> Order | None:
        """Change an order under its row's lock and return it after the change; None if there is no such order."""
        async with self.fenced_transaction() as transaction:
            order = await transaction.orders.get_for_update(order_id)
            if order is None:
                return None
            update = self.order_update(transaction, order)
            update.apply(change(order))
            self.write(transaction, [await update.step()])
        return update.order

    def _remember(self, steps: Sequence[OrderStep]) -> None:
        """Take committed steps, and hand the orders to those who wait for them on this node."""
        for step in steps:
            self.is_active = True
            self.order_cache.put(step.after, step.trade_ids)
            self.book.put_order(step.after)
            self.book.put_positions(step.positions)
            self.notifier.publish(step.after, step.before)

    def market(self, symbol: MarketSymbol) -> Market:
        """Return the market; one without filters if its venue doesn't list it, or not any more."""
        known = self.markets.catalogue.get(symbol)
        if known is not None:
            return known
        base, _, quote = symbol.symbol.partition("/")
        none = Decimal(0)
        return Market(symbol, base, quote, False, none, none, none, None, None, none, none)  # noqa: FBT003  # inactive
