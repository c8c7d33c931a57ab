"""Orders that the engine itself cancels: their `expires_at` has passed, or the venue has refused it before.

Venues know nothing of `expires_at`. A trading session that stops, pauses or fails cancels its entries once.
"""

from uuid import UUID

from domain.execution.account_context import AccountContext
from domain.execution.commands import cancel_order
from domain.model.orders import CancelCode


async def cancel_expired(context: AccountContext) -> set[UUID]:
    """End the account's expired orders that weren't sent, request the cancel of all others, and return their ids."""
    now = context.clock.now()
    async with context.database.read_only() as transaction:
        expired = await transaction.orders.list_expired(context.account.id, now)
        refused = await transaction.orders.list_refused_cancels(context.account.id)
    codes = dict.fromkeys((order.id for order in refused), CancelCode.TRADING_SESSION)
    codes |= dict.fromkeys((order.id for order in expired), CancelCode.EXPIRED)
    due = {order.id for order in (*expired, *refused) if context.refused_cancels.is_due(order)}
    for order_id in sorted(due):
        await _cancel(context, order_id, codes[order_id])
    return due


async def _cancel(context: AccountContext, order_id: UUID, code: CancelCode) -> None:
    async with context.fenced_transaction() as transaction:
        order = await transaction.orders.get_for_update(order_id)
        if order is not None:
            order = await cancel_order(transaction, order, code, context.clock.now())
    if order is not None and order.status.is_final:
        context.notifier.publish(order)
