"""Volume by price: bins and their sums."""

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class PriceRange:
    """The lowest and the highest traded price, and the whole volume (base)."""

    low: Decimal
    high: Decimal
    volume: Decimal


@dataclass(frozen=True, slots=True)
class PriceVolume:
    """The volume at one price, or at one price step of stored sums, in base: bought and sold by the takers."""

    price: Decimal
    bought: Decimal
    sold: Decimal


@dataclass(frozen=True, slots=True)
class Bins:
    """`count` bins of one `width` from the price `low` up: a bin holds its lower edge and not its upper one."""

    low: Decimal
    width: Decimal
    count: int

    def edge(self, number: int) -> Decimal:
        """Return the lower edge of a bin; that of bin `count` is the upper edge of the last."""
        return self.low + number * self.width


@dataclass(frozen=True, slots=True)
class BinVolume:
    """The volume in one bin, in base: bought and sold by the takers."""

    number: int
    bought: Decimal
    sold: Decimal
