"""Groups of orders of which one ends the others: what they count as together."""

from collections.abc import Iterable
from uuid import UUID

from domain.model.orders import Order


def without_rivals(orders: Iterable[Order]) -> tuple[Order, ...]:
    """Return the orders, and of each group the first alone: whichever of them fills ends the others.

    So what they sell is sold once, and a venue locks it once.
    """
    groups: set[UUID] = set()
    kept: list[Order] = []
    for order in orders:
        if order.group_id is None or order.group_id not in groups:
            kept.append(order)
        if order.group_id is not None:
            groups.add(order.group_id)
    return tuple(kept)
