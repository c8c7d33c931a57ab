"""Which reduce-only orders are more than the position that they reduce, since that has become smaller."""

from collections.abc import Iterator, Sequence
from decimal import Decimal

from domain.core.money import EXACT, ZERO
from domain.model.orders import Order


def oversized_orders(orders: Sequence[Order], held: Decimal) -> Iterator[tuple[Order, Decimal]]:
    """Yield the orders to lessen, the newest first, each with what it may still fill of a position of `held`, in base.

    The older ones keep what they have. Held orders fill nothing until they are triggered, and are checked then; with
    nothing held they are of no use.
    """
    counted = [order for order in orders if not (held and order.is_held)]
    excess = EXACT.subtract(sum((order.outstanding_quantity for order in counted), ZERO), held)
    for order in sorted(counted, key=lambda order: order.id, reverse=True):
        if excess <= 0:
            return
        left = max(EXACT.subtract(order.outstanding_quantity, excess), ZERO)
        excess = EXACT.subtract(excess, EXACT.subtract(order.outstanding_quantity, left))
        yield order, left
