"""The side of an order or a trade, which markets and orders both speak of."""

from enum import StrEnum


class OrderSide(StrEnum):
    """What the order does with the base currency."""

    BUY = "BUY"
    SELL = "SELL"

    @property
    def opposite(self) -> "OrderSide":
        """The side that undoes this one."""
        return OrderSide.SELL if self is OrderSide.BUY else OrderSide.BUY

    @property
    def sign(self) -> int:
        """+1 for BUY, -1 for SELL: the direction in which a position changes."""
        return 1 if self is OrderSide.BUY else -1
