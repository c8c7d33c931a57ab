"""Orders whose cancel the venue has refused: they are still there, and something waits for their end."""

from collections.abc import Sequence

from domain.model.orders import Order, OrderStatus

_RESTING = frozenset({OrderStatus.OPEN, OrderStatus.PARTIALLY_FILLED})


def is_cancel_refused(order: Order) -> bool:
    """Return whether the venue still has an order that was to be cancelled, and has refused to cancel it."""
    return order.status in _RESTING and order.cancel_code is not None and order.cancel_requested_at is None


def awaited_end(orders: Sequence[Order]) -> str:
    """Return the sentence that says which order's end is waited for: one that the venue doesn't cancel first."""
    order = min(orders, key=lambda order: not is_cancel_refused(order))
    what = f"the end of order {order.client_order_id}, which is {order.status.value}"
    return f"It waits for {what}{': the venue has refused to cancel it' if is_cancel_refused(order) else ''}."
