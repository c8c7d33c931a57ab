"""What an executor does first: orders that an earlier run left without an outcome."""

import asyncio

from domain.core.errors import Unavailable
from domain.execution.account_context import AccountContext
from domain.execution.in_doubt import InDoubtResolver
from domain.model.orders import CancelCode, Order, OrderStatus
from domain.rules.order_lifecycle import Transition, cancel_unsent, mark_in_doubt

_IN_FLIGHT = frozenset({OrderStatus.SUBMITTED, OrderStatus.IN_DOUBT, OrderStatus.PENDING_CANCEL})


async def recover(context: AccountContext, resolver: InDoubtResolver) -> None:
    """Cancel old orders that were never sent, and have those queried that were sent and have no outcome."""
    while True:
        try:
            async with context.database.read_only() as transaction:
                active = await transaction.orders.list_active(context.account.id)
                unsent = [order.id for order in active if order.status is OrderStatus.PENDING]
                ages = await transaction.orders.ages(unsent) if unsent else {}
            for order in active:
                await _recover_order(context, resolver, order, ages.get(order.id, 0.0))
        except Unavailable:
            await asyncio.sleep(context.timings.retry_delay)
        else:
            return


async def _recover_order(context: AccountContext, resolver: InDoubtResolver, order: Order, age_seconds: float) -> None:
    now = context.clock.now()
    if order.status is OrderStatus.PENDING and order.replaces_id is None:
        if age_seconds > context.timings.maximum_pending_age_at_start:
            reason = "the engine was not running when the order could have been sent"
            await context.update(
                order.id,
                lambda current: (
                    cancel_unsent(current, now, reason, CancelCode.TOO_OLD)
                    if current.status is OrderStatus.PENDING
                    else Transition(current)
                ),
            )
    elif order.status is OrderStatus.SUBMITTED:
        reason = "the engine stopped while the order was being sent"
        await context.update(
            order.id,
            lambda current: mark_in_doubt(current, now, reason) if current == order else Transition(current),
        )
    if order.status in _IN_FLIGHT or order.awaits_fills:
        resolver.enqueue(order.id)
