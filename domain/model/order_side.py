"""The side of an order or of a trade; its own module because markets and orders both need it."""

from enum import StrEnum


class OrderSide(StrEnum):
    """Whether the base currency is bought or sold."""

    BUY = "BUY"
    SELL = "SELL"

    @property
    def opposite(self) -> "OrderSide":
        """The other side."""
        return OrderSide.SELL if self is OrderSide.BUY else OrderSide.BUY

    @property
    def sign(self) -> int:
        """+1 for BUY, -1 for SELL: the direction in which a position changes."""
        return 1 if self is OrderSide.BUY else -1
