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
from domain.execution.account_book import AccountBook
from domain.execution.alerts import AccountAlerts
from domain.execution.commands import place_decided_order
from domain.execution.feed_warmup import BOOK_WAIT_SECONDS
from domain.execution.notifications import OrderNotifier
from domain.execution.order_ages import OrderAges
from domain.execution.order_cache import OrderCache
from domain.execution.order_update import OrderUpdate, forbidding_states
from domain.execution.refused_cancels import RefusedCancels
from domain.model.markets import Market, MarketSymbol
from domain.model.orders import Order, OrderStatus, OrderType
from domain.model.trading import Account, Balance, Position
from domain.model.trading_state import TradingState
from domain.ports.execution_client import ExecutionClient, NotSent
from domain.ports.idempotency import KeyReservation
from domain.ports.leases import Lease, StaleLease
from domain.ports.orders import MarketView, PlacingConditions, StaleOrder
from domain.ports.unit_of_work import Database, UnitOfWork
from domain.risk.plan import most_active_without_race
from domain.rules.order_lifecycle import Transition

Decision = Callable[[Order], Awaitable[Transition]]
"""Returns what becomes of an order, by what is known of its account."""

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
        self.is_active = True
        self.in_flight: set[UUID] = set()
        self.withdrawn: set[UUID] = set()
        self.order_cache = OrderCache()
        self.book = AccountBook()
        self.refused_cancels = RefusedCancels(self.clock)
        self.order_ages = OrderAges(self.clock)
        self._lease = lease
        self._lock = asyncio.Lock()

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

    async def compare_and_save(self, known: Order, transition: Transition) -> Order:
        """Save a transition of an order as it was last committed, without reading it.

        Raises `StaleOrder` if the stored order has changed since, or if the lease isn't held any more.
        """
        async with self._exclusive_transaction() as transaction:
            transaction.orders.compare_and_save(known, transition.order, self._require_lease())
            transaction.events.append(transition.log_events())
        self.publish_steps([transition])
        return transition.order

    async def decide(self, known: Order, decide: Decision) -> Order | None:
        """Commit what is decided about an order as it was read last, without a lock on its row, and return it.

        None if the stored order has changed since, if the lease isn't held any more, or if the order is to be sent and
        there is a halt, or the account has got other limits; nothing is saved then.
        """
        lease = self._require_lease()
        try:
            async with self._exclusive():
                transition = await decide(known)
                if transition.order is known:
                    return known
                async with self.database.transaction() as transaction:
                    # While there is any halt, the order is decided about with its row locked.
                    halts = forbidding_states(known, transition.order, TradingState.HALTED, TradingState.REDUCING)
                    limits = self.book.limits if halts else None
                    transaction.orders.compare_and_save(known, transition.order, lease, halts, limits)
                    transaction.events.append(transition.log_events())
        except StaleOrder:
            self.book.forget()
            return None
        self.remember(transition.order)
        return transition.order

    async def place(self, order: Order, reservation: KeyReservation, decide: Decision) -> Order | None:
        """Commit a new order as SUBMITTED, if that is decided, and return it; None if nothing is saved.

        Raises `Unavailable` if it isn't known whether it was saved.
        """
        lease = self._require_lease()
        try:
            async with self._exclusive():
                decided = await decide(order)
                if decided.order.status is not OrderStatus.SUBMITTED or self.book.limits is None:
                    return None
                halts = forbidding_states(order, decided.order, TradingState.HALTED, TradingState.REDUCING)
                conditions = PlacingConditions(lease, self.book.limits, halts, most_active_without_race())
                async with self.database.transaction() as transaction:
                    place_decided_order(transaction, order, decided, reservation, conditions)
        except StaleOrder:
            self.book.forget()
            return None
        self.is_active = True
        self.remember(decided.order)
        return decided.order

    def remember(self, order: Order, trade_ids: Iterable[str] = (), positions: Iterable[Position] = ()) -> None:
        """Take a committed order and what its fills have changed, and hand it to those who wait for it on this node."""
        self.order_cache.put(order, trade_ids)
        self.book.put_order(order)
        self.book.put_positions(positions)
        self.notifier.publish(order)

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
        """Keep others from changing orders; forget what is known if a commit fails, which may happen all the same."""
        try:
            async with self._lock:
                yield
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
            await update.save()
        self.publish(update)
        return update.order

    def publish(self, update: OrderUpdate) -> None:
        """Put a committed change into the cache and notify those who wait for the order on this node."""
        if update.has_changed:
            self.is_active = True
            self.remember(update.order, update.trade_ids, update.positions)

    def publish_steps(self, steps: Iterable[Transition]) -> None:
        """Do the same for steps of orders that `save_steps` has saved, after the commit."""
        for step in steps:
            self.is_active = True
            self.remember(step.order)

    def market(self, symbol: MarketSymbol) -> Market:
        """Return the market; one without filters if its venue doesn't list it, or not any more."""
        known = self.markets.catalogue.get(symbol)
        if known is not None:
            return known
        base, _, quote = symbol.symbol.partition("/")
        none = Decimal(0)
        return Market(symbol, base, quote, False, none, none, none, None, None, none, none)  # noqa: FBT003  # inactive
