"""Orders whose `expires_at` has passed: the engine cancels them, since venues know nothing of that time."""

from uuid import UUID

from domain.execution.account_context import AccountContext
from domain.execution.commands import cancel_order
from domain.model.orders import CancelCode


async def cancel_expired(context: AccountContext) -> set[UUID]:
    """End the account's expired orders that weren't sent, request the cancel of all others, and return their ids."""
    now = context.clock.now()
    async with context.database.read_only() as transaction:
        listed = await transaction.orders.list_expired(context.account.id, now)
    expired = [order for order in listed if context.refused_cancels.is_due(order)]
    for order in expired:
        await _cancel(context, order.id)
    return {order.id for order in expired}


async def _cancel(context: AccountContext, order_id: UUID) -> None:
    async with context.fenced_transaction() as transaction:
        order = await transaction.orders.get_for_update(order_id)
        if order is not None:
            order = await cancel_order(transaction, order, CancelCode.EXPIRED, context.clock.now())
    if order is not None and order.status.is_final:
        context.notifier.publish(order)
