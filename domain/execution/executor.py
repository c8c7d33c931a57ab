"""The executor of one account: the only one who sends the account's orders, one after another, to their end."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NoReturn
from uuid import UUID

from domain.core.errors import Unavailable
from domain.core.wakeup import Wakeup
from domain.execution.account_context import AccountContext
from domain.execution.commands import cancel_order
from domain.execution.feed_warmup import is_warming_up
from domain.execution.in_doubt import InDoubtResolver
from domain.execution.order_replacer import OrderReplacer
from domain.execution.order_sender import OrderSender
from domain.execution.reconciliation import Reconciler
from domain.execution.risk_loader import load_risk_context
from domain.model.markets import MarketSymbol
from domain.model.orders import CancelCode, Order, OrderStatus
from domain.ports.execution_client import (
    BalanceReport,
    FillReport,
    OrderReport,
    StreamLost,
    StreamOpened,
    VenueReport,
)
from domain.ports.leases import StaleLease
from domain.ports.market_data import VenueUnreachable
from domain.ports.unit_of_work import UnitOfWork
from domain.risk.checks import check_order
from domain.rules.order_lifecycle import (
    Transition,
    arrival_price,
    cancel_unsent,
    deny,
    expire_unsent,
    mark_in_doubt,
    request_cancel,
    submit,
)

_RESTING = frozenset({OrderStatus.OPEN, OrderStatus.PARTIALLY_FILLED})
_UNANSWERED = frozenset({OrderStatus.SUBMITTED, OrderStatus.IN_DOUBT})
_IN_FLIGHT = _UNANSWERED | {OrderStatus.PENDING_CANCEL}


class _BookMissing(Exception):
    def __init__(self, market: MarketSymbol) -> None:
        self.market = market
        super().__init__(str(market))


class AccountExecutor:
    """Carries out an account's commands in series, while it handles the venue's reports and resolves unknown outcomes.

    `cancel_foreign` also cancels resting orders that the engine doesn't know.
    """

    def __init__(self, context: AccountContext, *, cancel_foreign: bool = False) -> None:
        self._context = context
        self._resolver = InDoubtResolver(context, self._retry_cancel, cancel_foreign=cancel_foreign)
        self._sender = OrderSender(context, self._resolver)
        self._replacer = OrderReplacer(context, self._sender, self._resolver)
        self._reconciler = Reconciler(context, self._resolver)
        self._queue: dict[UUID, None] = {}
        self._cancel_retries: set[UUID] = set()
        self._must_load = True
        self._expiry_check_at = 0.0
        self._wakeup = Wakeup()

    def __repr__(self) -> str:
        return f"AccountExecutor({self._context!r}, queued={len(self._queue)})"

    @property
    def reconciled(self) -> bool:
        """Whether the account agrees with its venue, so that new orders are sent."""
        return self._context.reconciled

    @property
    def queued(self) -> tuple[UUID, ...]:
        """The ids of the orders to be processed, the next one first."""
        return tuple(self._queue)

    def wake(self, order_id: UUID | None = None) -> None:
        """Have the order processed next, or all commands loaded; never waits."""
        if order_id is None:
            self._must_load = True
        else:
            self._queue[order_id] = None
        self._wakeup.set()

    async def run(self) -> NoReturn:
        """Work until cancelled; raises `StaleLease` once another node may trade the account."""
        account_id = self._context.account.id
        stop = await self._context.notifier.listen_for_commands(account_id, self.wake)
        try:
            await self._recover()
            async with asyncio.TaskGroup() as tasks:
                loops = (self._command_loop(), self._report_loop(), self._resolver.run(), self._reconciler.run())
                for loop in loops:
                    tasks.create_task(loop)
        except BaseExceptionGroup as group:
            _, others = group.split(StaleLease)
            if others is not None:
                raise others from None
        finally:
            self._context.reconciled = False
            await stop()
        raise StaleLease(f"account {account_id} may be traded by another node")

    # ---- start

    async def _recover(self) -> None:
        """Handle what an earlier run left: old unsent orders are cancelled, sent ones without an outcome queried."""
        while True:
            try:
                async with self._context.database.read_only() as transaction:
                    active = await transaction.orders.list_active(self._context.account.id)
                for order in active:
                    await self._recover_order(order)
            except Unavailable:
                await asyncio.sleep(self._context.timings.retry_delay)
            else:
                return

    async def _recover_order(self, order: Order) -> None:
        context, now = self._context, self._context.clock.now()
        if order.status is OrderStatus.PENDING and order.replaces_id is None:
            if now - order.created_at > timedelta(seconds=context.timings.maximum_pending_age_at_start):
                reason = "the engine was not running when the order could have been sent"
                await context.update(
                    order.id,
                    lambda current: (
                        cancel_unsent(current, now, reason, CancelCode.TOO_OLD)
                        if _is_pending(current)
                        else Transition(current)
                    ),
                )
        elif order.status is OrderStatus.SUBMITTED:
            reason = "the engine stopped while the order was being sent"
            await context.update(
                order.id,
                lambda current: mark_in_doubt(current, now, reason) if current == order else Transition(current),
            )
        if order.status in _IN_FLIGHT:
            self._resolver.enqueue(order.id)

    # ---- commands

    async def _command_loop(self) -> None:
        while True:
            try:
                await self._request_expired_cancels()
                await self.load_commands()
                while self._queue:
                    await self._process(self._next_order_id())
                    await self.load_commands()
            except Unavailable:
                self._must_load = True
                await asyncio.sleep(self._context.timings.retry_delay)
            await self._wait()

    async def _wait(self) -> None:
        if not await self._wakeup.wait(self._context.timings.poll_interval):
            self._must_load = True
        self._wakeup.clear()

    async def load_commands(self) -> None:
        """Load the orders to be sent or cancelled into the queue, if it may lack any."""
        if not self._must_load:
            return
        self._must_load = False
        async with self._context.database.read_only() as transaction:
            orders = await transaction.orders.list_commands(self._context.account.id)
        # Those without an answer are cancelled once their outcome is known.
        ready = [order for order in orders if order.status not in _UNANSWERED]
        cancels = [order.id for order in ready if order.cancel_requested_at is not None]
        # Cancels, which reduce risk, go before new orders, which add to it.
        self._queue = dict.fromkeys([*cancels, *self._queue, *(order.id for order in ready)])

    def _next_order_id(self) -> UUID:
        order_id = next(iter(self._queue))
        del self._queue[order_id]
        return order_id

    async def _request_expired_cancels(self) -> None:
        monotonic, now = self._context.clock.monotonic(), self._context.clock.now()
        if monotonic < self._expiry_check_at:
            return
        self._expiry_check_at = monotonic + self._context.timings.expiry_poll_interval
        async with self._context.database.read_only() as transaction:
            expired = await transaction.orders.list_expired(self._context.account.id, now)
        for order in expired:
            await self._cancel_expired(order.id, now)

    async def _cancel_expired(self, order_id: UUID, now: datetime) -> None:
        async with self._context.fenced_transaction() as transaction:
            order = await transaction.orders.get_for_update(order_id)
            if order is not None:
                order = await cancel_order(transaction, order, CancelCode.EXPIRED, now)
        if order is not None and order.status.is_final:
            self._context.notifier.publish(order)
        self._queue[order_id] = None

    async def _process(self, order_id: UUID) -> None:
        """Decide about the order as it is now, commit the decision, and only then send what follows from it."""
        self._context.in_flight.add(order_id)
        try:
            order = await self._commit_with_book(order_id)
            if order is not None and order.status is OrderStatus.SUBMITTED:
                await self._sender.place(order)
            elif order is not None and order.status is OrderStatus.PENDING_CANCEL:
                await self._sender.cancel(order)
            elif order is not None and _is_amendment(order) and await self._replacer.advance(order):
                self._queue[order_id] = None
        except Unavailable:
            # The commit may have happened, or may still happen, and nothing was sent.
            self._resolver.enqueue(order_id)
            self._queue[order_id] = None
            raise
        finally:
            self._context.in_flight.discard(order_id)
            self._cancel_retries.discard(order_id)

    async def _commit_with_book(self, order_id: UUID) -> Order | None:
        """Commit the decision, after a wait for the market's first book if one may come soon."""
        try:
            return await self._commit_decision(order_id, require_book=True)
        except _BookMissing as missing:
            await self._context.markets.depth(missing.market, self._context.timings.book_wait)
            return await self._commit_decision(order_id, require_book=False)

    async def _commit_decision(self, order_id: UUID, *, require_book: bool) -> Order | None:
        """Return the order if a request is to be sent for it now."""
        async with self._context.fenced_transaction() as transaction:
            order = await transaction.orders.get_for_update(order_id)
            if order is None:
                return None
            update = self._context.order_update(transaction, order)
            update.apply(await self._decide(transaction, order, require_book=require_book))
            await update.save()
        self._context.publish(update)
        if update.has_changed or order.id in self._cancel_retries or _is_amendment(order):
            return update.order
        if order.status in _IN_FLIGHT:
            self._resolver.enqueue_later(order.id)  # An earlier commit of this node may have succeeded after all.
        return None

    async def _decide(self, transaction: UnitOfWork, order: Order, *, require_book: bool) -> Transition:
        context, now = self._context, self._context.clock.now()
        if order.status in _RESTING and order.cancel_requested_at is not None:
            return request_cancel(order, now)
        if order.status is not OrderStatus.PENDING or _is_amendment(order):
            return Transition(order)
        if order.expires_at is not None and order.expires_at <= now:
            return expire_unsent(order, now)
        if order.cancel_requested_at is not None:
            return cancel_unsent(order, now, "cancelled before it was sent", CancelCode.REQUESTED)
        unreconciled_wait = timedelta(seconds=context.timings.unreconciled_wait)
        if not (context.reconciled or order.reduce_only) and now - order.created_at < unreconciled_wait:
            return Transition(order)
        if (
            require_book
            and not order.reduce_only
            and is_warming_up(context.markets, order.market, now, context.timings.book_wait)
        ):
            raise _BookMissing(order.market)
        reconciled = context.reconciled
        risk = await load_risk_context(transaction, order, context.markets, now, reconciled=reconciled)
        denials = check_order(order, replace(risk, refusal=context.refusal))
        return deny(order, denials, now) if denials else submit(order, now, arrival_price(order, risk.depth))

    def _retry_cancel(self, order_id: UUID) -> None:
        self._cancel_retries.add(order_id)
        self.wake(order_id)

    # ---- reports

    async def _report_loop(self) -> None:
        while True:
            reports = self._context.venue.reports()
            try:
                async for report in reports:
                    await self._handle_report(report)
            except VenueUnreachable:
                self._context.reconciled = False
            finally:
                if isinstance(reports, AsyncGenerator):
                    await reports.aclose()
            await asyncio.sleep(self._context.timings.retry_delay)

    async def _handle_report(self, report: VenueReport) -> None:
        handler = self._resolver.report_handler
        try:
            match report:
                case OrderReport():
                    await handler.on_order(report)
                case FillReport():
                    await handler.on_fill(report)
                case BalanceReport():
                    await handler.on_balances(report)
                case StreamOpened():
                    self._reconciler.request()
                case StreamLost():
                    self._context.reconciled = False
        except Unavailable:
            self._reconciler.request()  # What couldn't be saved is queried again.


def _is_amendment(order: Order) -> bool:
    return order.status is OrderStatus.PENDING and order.replaces_id is not None


def _is_pending(order: Order) -> bool:
    return order.status is OrderStatus.PENDING
