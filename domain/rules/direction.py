"""The direction of a position, as a sign: prices times the sign are better the greater they are, long or short."""

from decimal import Decimal
from enum import IntEnum

from domain.model.order_side import OrderSide


class Direction(IntEnum):
    """LONG gains when the price rises, SHORT when it falls."""

    LONG = 1
    SHORT = -1

    @classmethod
    def of(cls, quantity: Decimal) -> "Direction":
        """Return the direction of a position of that signed quantity; LONG for zero."""
        return cls.SHORT if quantity < 0 else cls.LONG

    @property
    def entry_side(self) -> OrderSide:
        """The side of orders that open or enlarge the position."""
        return OrderSide.BUY if self is Direction.LONG else OrderSide.SELL

    @property
    def exit_side(self) -> OrderSide:
        """The side of orders that make the position smaller."""
        return self.entry_side.opposite
