"""The price that an order's slippage is measured from."""

from decimal import Decimal

from domain.core.money import divide
from domain.model.markets import Depth
from domain.model.orders import Order

_TWO = Decimal(2)


def arrival_price(order: Order, depth: Depth | None) -> Decimal | None:
    """Return the price that the order waits for, or else the middle of the book as it is sent.

    From the middle at arrival: A. Perold, The implementation shortfall, 1988. None without both sides of a book.
    """
    if order.type.has_stop_price:
        return order.stop_price
    if depth is None or not (depth.bids and depth.asks):
        return None
    return divide(depth.bids[0].price + depth.asks[0].price, _TWO)
