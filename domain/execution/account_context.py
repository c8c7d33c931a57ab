"""An account's desk: what everything that works on the account's orders shares, and its one way to change them."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from domain.core.clock import Clock, IdGenerator
from domain.core.errors import Unavailable
from domain.execution.feed_warmup import COLD_FEED_SECONDS
from domain.execution.log_events import order_events
from domain.execution.notifications import OrderNotifier
from domain.execution.order_cache import OrderCache
from domain.execution.order_update import OrderUpdate
from domain.model.events import NewEvent, UserEventKind
from domain.model.markets import Market, MarketSymbol
from domain.model.orders import Order
from domain.model.trading import Account
from domain.ports.execution_client import ExecutionClient, NotSent
from domain.ports.leases import Lease, StaleLease
from domain.ports.orders import MarketView
from domain.ports.unit_of_work import Database, UnitOfWork
from domain.rules.order_lifecycle import Step

_log = logging.getLogger(__name__)

_ALERT_NOTED_FOR = timedelta(days=1)
"""How long nobody asks the database whether an alert has been told, nor notes that what it tells of is still so."""

Change = Callable[[Order], Step]


@dataclass(frozen=True, slots=True)
class OrderTimings:
    """The protocol's times, all in seconds.

    `guard` is how old a lease's renewal may be when a request leaves. An answer "no such order" counts `absence`
    after the send: the receive window of 2.5 s and 2 s more. Every `agreement` it is noted that a reconciled account
    still agrees with its venue.
    """

    poll: float = 0.25
    expiry_poll: float = 1.0
    guard: float = 3.0
    absence: float = 4.5
    settle_first: float = 0.1
    settle_longest: float = 15.0
    unreconciled_wait: float = 5.0
    pending_at_start: float = 5.0
    cold_feed: float = COLD_FEED_SECONDS
    retry: float = 0.25
    agreement: float = 60.0


class AccountContext:
    """The account's parts, and the transactions that move its orders.

    Every such transaction names the lease, and one runs at a time: together they make a position, which has no row to
    be locked before its first fill.
    """

    def __init__(
        self,
        account: Account,
        database: Database,
        venue: ExecutionClient,
        markets: MarketView,
        clock: Clock,
        ids: IdGenerator,
        lease: Callable[[], Lease | None],
        bell: OrderNotifier,
        timing: OrderTimings | None = None,
    ) -> None:
        self.account = account
        self.database = database
        self.venue = venue
        self.markets = markets
        self.clock = clock
        self.ids = ids
        self.bell = bell
        self.timing = timing or OrderTimings()
        self.reconciled = False
        self.refusal: str | None = None
        self.in_flight: set[UUID] = set()
        self.recent = OrderCache()
        self._lease = lease
        self._moving = asyncio.Lock()
        self._alerted: dict[str, datetime] = {}

    def __repr__(self) -> str:
        return f"AccountContext(account={self.account.id}, venue={self.account.venue!r}, reconciled={self.reconciled})"

    def at_venue(self, at: datetime) -> datetime:
        """Return the venue's time of a moment of this node's clock, to compare with what the venue tells."""
        return at + (self.venue.venue_now() - self.clock.now())

    def guard(self) -> None:
        """Raise `NotSent` unless the lease was renewed so lately that nobody else can hold it yet."""
        lease = self._lease()
        if lease is None or self.clock.monotonic() - lease.renewed_at >= self.timing.guard:
            raise NotSent("the right to trade the account was not renewed in time")

    @asynccontextmanager
    async def moving(self) -> AsyncIterator[UnitOfWork]:
        """A transaction that may move the account's orders; raises `StaleLease` where another node may."""
        lease = self._held()
        async with self._alone() as transaction:
            await transaction.leases.check(lease)
            yield transaction

    async def advance(self, known: Order, step: Step) -> Order:
        """Go on from an order as it was committed last, unread; raises `StaleOrder` where it has moved since."""
        async with self._alone() as transaction:
            transaction.orders.advance(known, step.order, self._held())
            transaction.events.append(order_events(step.events))
        self.recent.keep(step.order, ())
        self.bell.tell(step.order)
        return step.order

    async def settled(self) -> None:
        """Return when the transaction that moves an order at present, if one does, has ended."""
        async with self._moving:
            return

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[UnitOfWork]:
        try:
            async with self._moving, self.database.transaction() as transaction:
                yield transaction
        except Unavailable:
            self.recent = OrderCache()  # The commit may have happened all the same, or may happen yet.
            raise

    def _held(self) -> Lease:
        lease = self._lease()
        if lease is None:
            raise StaleLease("the lease was lost")
        return lease

    def recorder(self, transaction: UnitOfWork, order: Order) -> OrderUpdate:
        """Return what writes the changes of an order whose row is held."""
        market = self.market(order.market)
        return OrderUpdate(transaction, order, market, self.markets, self.ids, self.clock.now())

    async def change(self, order_id: UUID, change: Change) -> Order | None:
        """Change an order as it is now, under its lock, and return it as it then is; None where there is none."""
        async with self.moving() as transaction:
            order = await transaction.orders.locked(order_id)
            if order is None:
                return None
            recorder = self.recorder(transaction, order)
            recorder.take(change(order))
            await recorder.finish()
        self.tell(recorder)
        return recorder.order

    def tell(self, recorder: OrderUpdate) -> None:
        """Tell those who wait on this node, after the commit."""
        if recorder.changed:
            self.recent.keep(recorder.order, recorder.counted)
            self.bell.tell(recorder.order)

    def market(self, symbol: MarketSymbol) -> Market:
        """Return the market; one without filters where its venue doesn't list it (any more)."""
        known = self.markets.catalogue.get(symbol)
        if known is not None:
            return known
        base, _, quote = symbol.symbol.partition("/")
        none = Decimal(0)
        return Market(symbol, base, quote, False, none, none, none, None, None, none, none)  # noqa: FBT003  # inactive

    async def end_alert(self, key: str) -> None:
        """Note that what an alert told of has ended, so that it is told when it begins again."""
        self._alerted.pop(key, None)
        async with self.database.transaction() as transaction:
            await transaction.accounts.delete_alert(self.account.id, key)

    async def alert(self, key: str, message: str) -> None:
        """Tell the account's user once, whatever restarts or takes over in between, of something that should not be.

        Once a day it is noted that it is still so, since what is seen no more is forgotten after a time.
        """
        now = self.clock.now()
        if key in self._alerted and now - self._alerted[key] < _ALERT_NOTED_FOR:
            return
        async with self.database.transaction() as transaction:
            is_new = await transaction.accounts.record_alert(self.account.id, key, now)
            if is_new:
                transaction.events.append([NewEvent(self.account.user_id, now, UserEventKind.ALERT, None, message)])
        self._alerted = {each: at for each, at in self._alerted.items() if now - at < _ALERT_NOTED_FOR} | {key: now}
        if is_new:
            ids = {"user_id": str(self.account.user_id), "account_id": str(self.account.id)}
            _log.warning("alert", extra={**ids, "reason": message})
