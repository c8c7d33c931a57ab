"""The price at which an order finds its market, which its slippage is measured from."""

from decimal import Decimal

from domain.core.money import divide
from domain.model.markets import Depth
from domain.model.orders import Order, OrderType

_TWO = Decimal(2)


def arrival_price(order: Order, depth: Depth | None) -> Decimal | None:
    """Return the price that slippage is measured from: the order's stop price, or else the middle of the book.

    Source of the middle at arrival: A. Perold, "The implementation shortfall", 1988. None if either side of the book
    is empty.
    """
    if order.type.has_stop_price or order.type is OrderType.TRAILING_STOP:
        return order.stop_price
    if depth is None or not (depth.bids and depth.asks):
        return None
    return divide(depth.bids[0].price + depth.asks[0].price, _TWO)
