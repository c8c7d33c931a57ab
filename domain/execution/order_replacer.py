"""Carries out amendments: each replaces an order by a new one, in steps that a crash between any two can't confuse."""

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from domain.core.errors import Unavailable
from domain.core.money import ZERO
from domain.execution.account_context import AccountContext
from domain.execution.in_doubt import InDoubtResolver
from domain.execution.order_sender import OrderSender
from domain.execution.order_steps import OrderStep
from domain.execution.risk_assessment import stored_risk
from domain.execution.trailing_orders import TrailingOrders
from domain.model.orders import CancelCode, Order, OrderStatus, OrderType
from domain.ports.orders import StaleOrder
from domain.ports.unit_of_work import UnitOfWork
from domain.risk.checks import check_order
from domain.risk.context import without_replaced
from domain.rules.arrival_price import arrival_price
from domain.rules.order_lifecycle import (
    Transition,
    cancel_unsent,
    deny,
    expire_unsent,
    request_cancel,
    submit,
)
from domain.rules.order_replacement import (
    ReplacementAction,
    next_step,
    quantity_left,
    replaces_at_once,
)


class OrderReplacer:
    """Takes amendments of an account through their steps; see `domain.rules.order_replacement`."""

    def __init__(
        self, context: AccountContext, sender: OrderSender, resolver: InDoubtResolver, trailing: TrailingOrders
    ) -> None:
        self._context = context
        self._sender = sender
        self._resolver = resolver
        self._trailing = trailing

    async def advance(self, amendment: Order) -> bool:
        """Take an amendment one step further; return whether another step may follow at once.

        The step is committed, with both orders locked, before what it asks of the venue is sent.
        """
        assert amendment.replaces_id is not None
        try:
            replaced, order = await self._commit_step(amendment.id, amendment.replaces_id)
            if replaced is None or order is None:
                return False
            if order.status is OrderStatus.SUBMITTED:
                await self._send(replaced, order)
            elif order.status is OrderStatus.PENDING and replaced.status is OrderStatus.PENDING_CANCEL:
                after = await self._sender.cancel(replaced)
                return after is not None and after.status.is_final
        except StaleOrder:
            return True  # A halt was committed meanwhile: the step is decided about again.
        except Unavailable:
            self._resolver.enqueue(amendment.replaces_id)
            raise
        return False

    async def _send(self, replaced: Order, order: Order) -> None:
        if replaced.status is OrderStatus.PENDING_CANCEL:
            await self._sender.replace(replaced, order)
        else:
            await self._sender.place(order)

    async def _commit_step(self, order_id: UUID, replaced_id: UUID) -> tuple[Order | None, Order | None]:
        """Commit the next step, and return both orders if something is to be sent for it.

        The older row is locked first, as everywhere.
        """
        context = self._context
        async with context.fenced_transaction() as transaction:
            await transaction.halts.hold_off()
            replaced = await transaction.orders.get_for_update(replaced_id)
            order = await transaction.orders.get_for_update(order_id)
            if replaced is None or order is None or order.status is not OrderStatus.PENDING:
                return None, None
            changed, transition = await self._decide(transaction, replaced, order)
            steps = [OrderStep.of(replaced, changed), OrderStep.of(order, transition)]
            context.write(transaction, steps)
        for step in steps:
            if step.has_changed:
                self._trailing.on_committed(step.after)
        return (changed.order, transition.order) if any(step.has_changed for step in steps) else (None, None)

    async def _decide(self, transaction: UnitOfWork, replaced: Order, order: Order) -> tuple[Transition, Transition]:
        """Return what becomes of the replaced order and of the amendment."""
        context, now = self._context, self._context.clock.now()
        kept = Transition(replaced)
        if order.expires_at is not None and order.expires_at <= now:
            return kept, expire_unsent(order, now)
        age = (await transaction.orders.ages([order.id])).get(order.id, 0.0)
        step = next_step(replaced, order, is_too_old=age > context.timings.maximum_amendment_age)
        if step.action is ReplacementAction.ABANDON:
            return kept, cancel_unsent(order, now, step.reason, CancelCode.NOT_REPLACED)
        if step.action is ReplacementAction.WAIT or not context.reconciled:
            return kept, Transition(order)
        left = replace(order, quantity=quantity_left(replaced, order))
        if left.quantity == ZERO:
            return _cancel_replaced(replaced, now), Transition(order)
        if replaced.is_held:
            return await self._replace_held(transaction, left, replaced, now)
        placing = await self._check(transaction, left, replaced, now)
        return self._cancel_or_place(replaced, order, placing, step.action, now)

    def _cancel_or_place(
        self, replaced: Order, order: Order, placing: Transition, action: ReplacementAction, now: datetime
    ) -> tuple[Transition, Transition]:
        """Return what becomes of an order at the venue and of its amendment, `placing` after the risk checks."""
        if placing.order.status is OrderStatus.DENIED or action is ReplacementAction.PLACE:
            return Transition(replaced), placing
        at_once = self._context.venue.can_replace(order.market) and replaces_at_once(replaced)
        return _cancel_replaced(replaced, now), placing if at_once else Transition(order)

    async def _replace_held(
        self, transaction: UnitOfWork, order: Order, replaced: Order, now: datetime
    ) -> tuple[Transition, Transition]:
        """Return what becomes of an order that the engine holds, and of its amendment; one that is triggered stays."""
        if self._trailing.is_triggered(replaced):
            return Transition(replaced), Transition(order)
        checked = await self._check(transaction, order, replaced, now)
        if checked.order.status is OrderStatus.DENIED:
            return Transition(replaced), checked
        return self._trailing.take_over(order, replaced, now)

    async def _check(self, transaction: UnitOfWork, order: Order, replaced: Order, now: datetime) -> Transition:
        """Return the amendment as it is to be sent, or DENIED by the risk checks."""
        risk = await stored_risk(self._context, order, now, transaction)
        denials = check_order(order, without_replaced(risk, replaced))
        if denials:
            return deny(order, denials, now)
        if order.type is OrderType.TRAILING_STOP:
            return self._trailing.start(order, risk, now)
        return submit(order, now, arrival_price(order, risk.depth), self._context.venue.venue_now())


def is_amendment(order: Order) -> bool:
    """Return whether the order is to replace another, and hasn't been sent yet."""
    return order.status is OrderStatus.PENDING and order.replaces_id is not None


def _cancel_replaced(replaced: Order, now: datetime) -> Transition:
    return request_cancel(replace(replaced, cancel_code=CancelCode.AMENDED), now)
