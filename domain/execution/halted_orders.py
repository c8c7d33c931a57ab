"""What halts mean for the orders that an account has at its venue: they are a level, looked at again and again."""

from uuid import UUID

from domain.execution.account_context import AccountContext
from domain.execution.commands import cancel_halted_orders
from domain.model.orders import Order, OrderStatus

_SENT = frozenset({OrderStatus.SUBMITTED, OrderStatus.IN_DOUBT, OrderStatus.OPEN, OrderStatus.PARTIALLY_FILLED})


async def cancel_halted(context: AccountContext, commands: list[Order]) -> list[Order]:
    """Return the commands to carry out, after the cancel of those orders was requested that a halt in force stops.

    The executor calls this with all of the account's commands each time it loads them. So it doesn't matter when an
    order was placed or sent: a halt that cancels leaves none of those active that it stops.
    """
    halted = {order.id: order for order in commands if _is_halted(order)}
    if not halted:
        return commands
    cancelled: dict[UUID, Order] = {}
    due = [order.id for order in halted.values() if context.refused_cancels.is_due(order)]
    if due:
        async with context.fenced_transaction() as transaction:
            orders = await cancel_halted_orders(transaction, [context.account.id], context.clock.now(), due)
        cancelled = {order.id: order for order in orders}
    return [cancelled.get(order.id, order) for order in commands if order.id in cancelled or order.id not in halted]


def _is_halted(order: Order) -> bool:
    """Return whether an order is among the commands for a halt's sake: it was sent, and no cancel is requested."""
    return order.status in _SENT and order.cancel_requested_at is None
