"""The execution context of an account: what all parts of its executor share, and the only way to change its orders."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from domain.core.clock import Clock, IdGenerator
from domain.core.errors import Unavailable
from domain.core.tracing import order_span
from domain.execution.account_book import AccountBook
from domain.execution.alerts import AccountAlerts
from domain.execution.commands import place_decided_order
from domain.execution.notifications import OrderNotifier
from domain.execution.order_ages import OrderAges
from domain.execution.order_cache import OrderCache
from domain.execution.order_steps import Decisions, NewOrder, OrderStep, write_steps
from domain.execution.order_timings import OrderTimings
from domain.execution.order_update import OrderUpdate
from domain.execution.refused_cancels import RefusedCancels
from domain.model.markets import Market, MarketSymbol
from domain.model.orders import Order
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
class ExecutionDependencies:
    """What the executors of all accounts on a node share."""

    database: Database
    markets: MarketView
    clock: Clock
    ids: IdGenerator
    notifier: OrderNotifier
    timings: OrderTimings = field(default_factory=OrderTimings)


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
        self._reconciled_since = float("-inf")

    def __repr__(self) -> str:
        return f"AccountContext(account={self.account.id}, venue={self.account.venue!r}, reconciled={self.reconciled})"

    def to_venue_time(self, at: datetime) -> datetime:
        """Return the venue's time at a moment of this node's clock, to compare with times of the venue's reports."""
        return at + (self.venue.venue_now() - self.clock.now())

    def note_reconciled(self) -> None:
        """Note that the account agrees with its venue from now on, so that new orders are sent."""
        if not self.reconciled:
            self.reconciled, self._reconciled_since = True, self.clock.monotonic()

    def maximum_age(self, order: Order) -> float:
        """Return how many seconds after it was placed the order may be sent: more if it had to wait for the account."""
        has_waited = self.order_ages.placed_at(order.id) < self._reconciled_since
        usual = self.timings.maximum_age(order)
        return max(usual, self.timings.maximum_wait(order)) if has_waited else usual

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
