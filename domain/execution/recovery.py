"""What an executor does first: orders that an earlier run left without an outcome."""

import asyncio

from domain.core.errors import Unavailable
from domain.execution.account_context import AccountContext
from domain.execution.in_doubt import InDoubtResolver
from domain.model.orders import CancelCode, Order, OrderStatus
from domain.rules.order_lifecycle import Transition, cancel_unsent, doubt_unsent, mark_in_doubt

_IN_FLIGHT = frozenset({OrderStatus.SUBMITTED, OrderStatus.IN_DOUBT, OrderStatus.PENDING_CANCEL})


async def recover(context: AccountContext, resolver: InDoubtResolver) -> None:
    """Cancel old orders that were never sent, and have those queried that were sent and have no outcome.

    If the database was restored to an earlier moment, those that weren't sent by then may have been sent since.
    """
    while True:
        try:
            async with context.database.read_only() as transaction:
                context.restored_to = await transaction.restores.restored_to(context.account.id)
                active = await transaction.orders.list_active(context.account.id)
                unsent = [order.id for order in active if order.status is OrderStatus.PENDING]
                ages = await transaction.orders.ages(unsent) if unsent else {}
            for order in active:
                await _recover_order(context, resolver, order, ages.get(order.id, 0.0))
        except Unavailable:
            await asyncio.sleep(context.timings.retry_delay)
        else:
            return


def may_be_forgotten(context: AccountContext, order: Order) -> bool:
    """Return whether an order that wasn't sent, as the restored database has it, may have been sent all the same."""
    return context.restored_to is not None and (order.status is OrderStatus.PENDING or order.is_held)


async def _recover_order(context: AccountContext, resolver: InDoubtResolver, order: Order, age_seconds: float) -> None:
    now = context.clock.now()
    if context.restored_to is not None and may_be_forgotten(context, order):
        reason = (
            f"the database was restored to {context.restored_to:%Y-%m-%d %H:%M:%S} UTC, and it may have been sent since"
        )
        sent_at = context.to_venue_time(order.created_at)
        await context.update(order.id, lambda current: doubt_unsent(current, now, reason, sent_at))
        resolver.enqueue(order.id)
    elif order.status is OrderStatus.PENDING and order.replaces_id is None:
        if age_seconds > context.timings.maximum_wait(order):
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
