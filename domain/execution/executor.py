"""The serial executor of one account: it alone sends the account's orders, and follows each to its end."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from dataclasses import replace
from datetime import timedelta
from typing import NoReturn
from uuid import UUID

from domain.core.clock import Clock, IdGenerator
from domain.core.errors import Unavailable
from domain.execution.account_context import AccountContext, OrderTimings
from domain.execution.feed_warmup import is_warming_up
from domain.execution.in_doubt import InDoubtResolver
from domain.execution.notifications import OrderNotifier
from domain.execution.order_sender import Sender
from domain.execution.reconciliation import Reconciler
from domain.execution.risk_loader import gather
from domain.model.markets import MarketSymbol
from domain.model.orders import Order, OrderStatus
from domain.model.trading import Account
from domain.ports.execution_client import (
    BalanceReport,
    ExecutionClient,
    FillReport,
    OrderReport,
    StreamLost,
    StreamOpened,
    VenueUpdate,
)
from domain.ports.leases import Lease, StaleLease
from domain.ports.market_data import VenueUnreachable
from domain.ports.orders import MarketView
from domain.ports.unit_of_work import Database, UnitOfWork
from domain.risk.checks import check
from domain.rules.arrival_price import arrival_price
from domain.rules.order_lifecycle import Step, cancel_unsent, deny, doubt, expire_unsent, request_cancel, submit

_RESTING = frozenset({OrderStatus.OPEN, OrderStatus.PARTIALLY_FILLED})
_UNANSWERED = frozenset({OrderStatus.SUBMITTED, OrderStatus.IN_DOUBT})
_ON_ITS_WAY = _UNANSWERED | {OrderStatus.PENDING_CANCEL}


class _ColdFeed(Exception):
    def __init__(self, market: MarketSymbol) -> None:
        self.market = market
        super().__init__(str(market))


class AccountExecutor:
    """Carries out an account's commands one after another, while it settles doubts and takes in the venue's news.

    `lease` returns the account's lease as it was renewed last, None once it is lost. `cancel_foreign` also cancels
    resting orders that the engine doesn't know.
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
        *,
        cancel_foreign: bool = False,
    ) -> None:
        self._desk = AccountContext(account, database, venue, markets, clock, ids, lease, bell, timing)
        self._settler = InDoubtResolver(self._desk, self._cancel_again, cancel_foreign=cancel_foreign)
        self._sender = Sender(self._desk, self._settler)
        self._reconciler = Reconciler(self._desk, self._settler)
        self._queue: dict[UUID, None] = {}
        self._again: set[UUID] = set()
        self._look_at_all = True
        self._expiry_due = 0.0
        self._woken = asyncio.Event()

    def __repr__(self) -> str:
        return f"AccountExecutor({self._desk!r}, queued={len(self._queue)})"

    @property
    def reconciled(self) -> bool:
        """Whether the account agrees with its venue, so that new orders are sent."""
        return self._desk.reconciled

    def wake(self, order_id: UUID | None = None) -> None:
        """Have the order looked at now, or all there is to do; never waits."""
        if order_id is None:
            self._look_at_all = True
        else:
            self._queue[order_id] = None
        self._woken.set()

    async def run(self) -> NoReturn:
        """Work until cancelled; raises `StaleLease` once another node may trade the account."""
        stop = await self._desk.bell.answer(self._desk.account.id, self.wake)
        try:
            await self._recover()
            async with asyncio.TaskGroup() as tasks:
                for work in (self._carry_out(), self._follow(), self._settler.run(), self._reconciler.run()):
                    tasks.create_task(work)
        except BaseExceptionGroup as group:
            _, others = group.split(StaleLease)
            if others is not None:
                raise others from None
        finally:
            self._desk.reconciled = False
            await stop()
        raise StaleLease(f"account {self._desk.account.id} may be traded by another node")

    # ---- start

    async def _recover(self) -> None:
        """Look at what an earlier run left: what was never sent is too old or is sent, what was sent is in doubt."""
        while True:
            try:
                async with self._desk.database.read_only() as transaction:
                    active = await transaction.orders.active(self._desk.account.id)
                for order in active:
                    await self._recover_one(order)
            except Unavailable:
                await asyncio.sleep(self._desk.timing.retry)
            else:
                return

    async def _recover_one(self, order: Order) -> None:
        now = self._desk.clock.now()
        if order.status is OrderStatus.PENDING:
            if now - order.created_at > timedelta(seconds=self._desk.timing.pending_at_start):
                reason = "the engine was not running when the order could have been sent"
                await self._desk.change(order.id, lambda o: cancel_unsent(o, now, reason) if _pending(o) else Step(o))
        elif order.status is OrderStatus.SUBMITTED:
            reason = "the engine stopped while the order was being sent"
            await self._desk.change(order.id, lambda o: doubt(o, now, reason) if o == order else Step(o))
        if order.status in _ON_ITS_WAY:
            self._settler.ask(order.id)

    # ---- commands

    async def _carry_out(self) -> None:
        while True:
            try:
                await self._expire()
                await self._collect()
                while self._queue:
                    await self._command(self._next())
                    await self._collect()
            except Unavailable:
                self._look_at_all = True
                await asyncio.sleep(self._desk.timing.retry)
            await self._wait()

    async def _wait(self) -> None:
        try:
            # Not wait_for: on Python 3.11 it loses a cancellation that comes with the event.
            async with asyncio.timeout(self._desk.timing.poll):
                await self._woken.wait()
        except TimeoutError:
            self._look_at_all = True
        self._woken.clear()

    async def _collect(self) -> None:
        if not self._look_at_all:
            return
        self._look_at_all = False
        async with self._desk.database.read_only() as transaction:
            orders = await transaction.orders.commands(self._desk.account.id)
        # Those without an answer are cancelled once it is known what became of them.
        ready = [order for order in orders if order.status not in _UNANSWERED]
        cancels = [order.id for order in ready if order.cancel_requested_at is not None]
        # What ends risk goes before what adds to it.
        self._queue = dict.fromkeys([*cancels, *self._queue, *(order.id for order in ready)])

    def _next(self) -> UUID:
        order_id = next(iter(self._queue))
        del self._queue[order_id]
        return order_id

    async def _expire(self) -> None:
        monotonic, now = self._desk.clock.monotonic(), self._desk.clock.now()
        if monotonic < self._expiry_due:
            return
        self._expiry_due = monotonic + self._desk.timing.expiry_poll
        async with self._desk.database.read_only() as transaction:
            expired = await transaction.orders.expired(self._desk.account.id, now)
        for order in expired:
            await self._desk.change(
                order.id, lambda o: Step(o if _ending(o) else o.changed(now, cancel_requested_at=now))
            )
            self._queue[order.id] = None

    async def _command(self, order_id: UUID) -> None:
        """Decide on the order as it is now, commit that, and only then send what follows from it."""
        self._desk.in_flight.add(order_id)
        try:
            order = await self._commit_warm(order_id)
            if order is not None and order.status is OrderStatus.SUBMITTED:
                await self._sender.place(order)
            elif order is not None and order.status is OrderStatus.PENDING_CANCEL:
                await self._sender.cancel(order)
        except Unavailable:
            # The commit may have happened, or may happen yet, and nothing was sent.
            self._settler.ask(order_id)
            self._queue[order_id] = None
            raise
        finally:
            self._desk.in_flight.discard(order_id)
            self._again.discard(order_id)

    async def _commit_warm(self, order_id: UUID) -> Order | None:
        try:
            return await self._commit(order_id, book_needed=True)
        except _ColdFeed as cold:
            await self._desk.markets.depth(cold.market, self._desk.timing.cold_feed)
            return await self._commit(order_id, book_needed=False)

    async def _commit(self, order_id: UUID, *, book_needed: bool) -> Order | None:
        """Return the order if something is now to be sent for it."""
        async with self._desk.moving() as transaction:
            order = await transaction.orders.locked(order_id)
            if order is None:
                return None
            recorder = self._desk.recorder(transaction, order)
            recorder.take(await self._decide(transaction, order, book_needed=book_needed))
            await recorder.finish()
        self._desk.tell(recorder)
        if recorder.changed or order.id in self._again:
            return recorder.order
        if order.status in _ON_ITS_WAY:
            self._settler.ask_soon(order.id)  # An earlier commit of this node's may have come to light.
        return None

    async def _decide(self, transaction: UnitOfWork, order: Order, *, book_needed: bool) -> Step:
        now = self._desk.clock.now()
        if order.status in _RESTING and order.cancel_requested_at is not None:
            return request_cancel(order, now)
        if order.status is not OrderStatus.PENDING:
            return Step(order)
        if order.expires_at is not None and order.expires_at <= now:
            return expire_unsent(order, now)
        if order.cancel_requested_at is not None:
            return cancel_unsent(order, now, "cancelled before it was sent")
        if not self._desk.reconciled and now - order.created_at < self._unreconciled_wait:
            return Step(order)
        if book_needed and is_warming_up(self._desk.markets, order.market, now, self._desk.timing.cold_feed):
            raise _ColdFeed(order.market)
        reconciled = self._desk.reconciled
        context = await gather(transaction, order, self._desk.markets, now, reconciled=reconciled)
        context = replace(context, refusal=self._desk.refusal)
        denials = check(order, context)
        return deny(order, denials, now) if denials else submit(order, now, arrival_price(order, context.depth))

    @property
    def _unreconciled_wait(self) -> timedelta:
        return timedelta(seconds=self._desk.timing.unreconciled_wait)

    def _cancel_again(self, order_id: UUID) -> None:
        self._again.add(order_id)
        self.wake(order_id)

    # ---- news

    async def _follow(self) -> None:
        while True:
            updates = self._desk.venue.updates()
            try:
                async for update in updates:
                    await self._take_in(update)
            except VenueUnreachable:
                self._desk.reconciled = False
            finally:
                if isinstance(updates, AsyncGenerator):
                    await updates.aclose()
            await asyncio.sleep(self._desk.timing.retry)

    async def _take_in(self, update: VenueUpdate) -> None:
        news = self._settler.news
        try:
            match update:
                case OrderReport():
                    await news.take_order(update)
                case FillReport():
                    await news.take_fill(update)
                case BalanceReport():
                    await news.take_balances(update)
                case StreamOpened():
                    self._reconciler.want()
                case StreamLost():
                    self._desk.reconciled = False
        except Unavailable:
            self._reconciler.want()  # What couldn't be written down is asked for again.


def _pending(order: Order) -> bool:
    return order.status is OrderStatus.PENDING


def _ending(order: Order) -> bool:
    return order.status.is_final or order.cancel_requested_at is not None
