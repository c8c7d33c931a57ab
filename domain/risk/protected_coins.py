"""Whether an order by hand is denied only because orders that protect a position at the venue hold what it sells."""

from domain.model.order_side import OrderSide
from domain.model.orders import Order, OrderRole
from domain.risk.checks import check_order
from domain.risk.context import RiskContext, without_replaced


def holding_protection(order: Order, context: RiskContext) -> tuple[Order, ...]:
    """Return the orders that hold what a denied order is to sell; none if it would be denied without them as well.

    The position keeper lets go of them once it sees the order, and what is left of the position rests again.
    """
    if order.role is not OrderRole.MANUAL or order.side is not OrderSide.SELL:
        return ()
    holding = tuple(
        other
        for other in context.active
        if other.protection_id is not None and other.market == order.market and other.trading_session_id is None
    )
    released = context
    for other in holding:
        released = without_replaced(released, other)
    return () if check_order(order, released) else holding
