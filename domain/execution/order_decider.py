"""Decides what becomes of an order that waits for its turn: sent, denied, cancelled, held, or left to wait."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial

from domain.execution.account_context import AccountContext, Decision
from domain.execution.decision_waits import BookMissing, DecisionWaits
from domain.execution.feed_warmup import is_warming_up
from domain.execution.order_replacer import is_amendment
from domain.execution.risk_assessment import assess
from domain.execution.trailing_orders import TrailingOrders
from domain.execution.withdrawn_orders import why_withdrawn
from domain.model.orders import CancelCode, Order, OrderStatus, OrderType
from domain.model.protection import PositionIntent
from domain.ports.unit_of_work import UnitOfWork
from domain.rules.arrival_price import arrival_price
from domain.rules.order_lifecycle import (
    Transition,
    cancel_unsent,
    deny,
    expire_unsent,
    request_cancel,
    submit,
)

_RESTING = frozenset({OrderStatus.OPEN, OrderStatus.PARTIALLY_FILLED})


class OrderDecider:
    """The decisions about an account's single orders; amendments and groups have deciders of their own."""

    def __init__(self, context: AccountContext, trailing: TrailingOrders, waits: DecisionWaits) -> None:
        self._context = context
        self._trailing = trailing
        self._waits = waits

    def __repr__(self) -> str:
        return f"OrderDecider({self._context!r})"

    async def prepare(self, orders: Sequence[Order]) -> Decision:
        """Read at once what the decisions about these new orders need beside the account; return what decides them."""
        context = self._context
        unseen = [order.id for order in orders if order.id not in context.order_ages]
        sessions = [order.trading_session_id for order in orders if context.book.lacks_session(order)]
        async with context.database.read_only() as reading:
            for order_id, age in (await reading.orders.ages(unseen) if unseen else {}).items():
                context.order_ages.observe(order_id, age)
            if sessions:
                context.book.put_sessions(
                    await reading.trading_sessions.get_many([each for each in sessions if each is not None])
                )
            intents = await reading.protection.list_open_intents(context.account.id)
        return partial(self.decide, intents=intents)

    async def decide(
        self, order: Order, transaction: UnitOfWork | None = None, *, intents: Sequence[PositionIntent] | None = None
    ) -> Transition:
        """Return what becomes of the order, by what is known of its account or by what a transaction reads.

        `intents` are the account's open ones if they were read after the order was placed.
        """
        now = self._context.clock.now()
        if order.is_held:
            self._context.order_ages.restart(order.id)
            assert transaction is not None
            return await self._trailing.decide(transaction, order, now)
        if order.status in _RESTING and order.cancel_requested_at is not None:
            return request_cancel(order, now)
        if order.status is not OrderStatus.PENDING or is_amendment(order):
            return Transition(order)
        if order.expires_at is not None and order.expires_at <= now:
            return expire_unsent(order, now)
        if withdrawn := await why_withdrawn(self._context.database, transaction, order, intents):
            return cancel_unsent(order, now, *withdrawn)
        return await self._check(order, now, transaction)

    async def _check(self, order: Order, now: datetime, transaction: UnitOfWork | None) -> Transition:
        """Return whether a pending order is sent, denied or too old; unchanged if it has to wait."""
        context = self._context
        if self._waits_for_account(order, reconciled=context.reconciled):
            return Transition(order)
        risk, denials = await assess(context, order, now, transaction)
        age, maximum_age = context.order_ages.observe(order.id, risk.age_seconds), context.maximum_age(order)
        if self._waits_for_account(order, reconciled=risk.reconciled):
            return Transition(order)
        may_wait = not (order.reduce_only or self._waits.has_waited_for_book(order.id))
        if may_wait and is_warming_up(context.markets, order.market, now, context.timings.book_wait):
            raise BookMissing(order.market)
        self._waits.require_all(order, risk, denials)
        if denials:
            return deny(order, denials, now)
        if age >= maximum_age:
            reason = f"it could not be sent within {maximum_age:g} s after it was placed"
            return cancel_unsent(order, now, reason, CancelCode.TOO_OLD)
        if order.type is OrderType.TRAILING_STOP:
            return self._trailing.start(order, risk, now)
        return submit(order, now, arrival_price(order, risk.depth), context.venue.venue_now())

    def _waits_for_account(self, order: Order, *, reconciled: bool) -> bool:
        """Return whether the order is left to wait until its account is reconciled; not if its age isn't known yet."""
        ages = self._context.order_ages
        may_wait = order.id in ages and ages.of(order.id) < self._context.timings.maximum_wait(order)
        return may_wait and not (reconciled or order.reduce_only)
