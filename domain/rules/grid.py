"""The grid of a market: prices in whole ticks, quantities in whole lots, and what one type of order may have of them.

Counts of ticks and lots are integers, so that a computation over a million candles and one over a single order give
the same digits.
"""

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from functools import lru_cache

from domain.core.money import EXACT, MAX_PLACES
from domain.model.markets import Market
from domain.model.orders import OrderType

_FINEST = Decimal(1).scaleb(-MAX_PLACES)
"""The increment of a market without one: no number that is stored or sent has more decimals."""


@dataclass(frozen=True, slots=True)
class Grid:
    """The price increment (`tick`), the quantity increment (`lot`), and the limits of an order in lots and in quote."""

    tick: Decimal
    lot: Decimal
    least_lots: int
    most_lots: int | None
    least_notional: Decimal | None

    def ticks_down(self, price: Decimal) -> int:
        """Return the greatest count of ticks that is not above `price`."""
        return _count(price, self.tick, ROUND_FLOOR)

    def lots_down(self, quantity: Decimal) -> int:
        """Return the greatest count of lots that is not above `quantity`."""
        return _count(quantity, self.lot, ROUND_FLOOR)

    def price(self, ticks: int) -> Decimal:
        """Return the price of a count of ticks."""
        return EXACT.multiply(self.tick, ticks)

    def quantity(self, lots: int) -> Decimal:
        """Return the quantity of a count of lots."""
        return EXACT.multiply(self.lot, lots)

    def has_price(self, price: Decimal) -> bool:
        """Return whether the price is a whole number of ticks."""
        return self.price(self.ticks_down(price)) == price

    def has_quantity(self, quantity: Decimal) -> bool:
        """Return whether the quantity is a whole number of lots."""
        return self.quantity(self.lots_down(quantity)) == quantity

    def largest_order(self, quantity: Decimal) -> Decimal:
        """Return the greatest quantity of one order that is not above `quantity`; zero if that is below one lot."""
        return self.quantity(self.largest_lots(max(self.lots_down(quantity), 0)))

    def largest_lots(self, lots: int) -> int:
        """Return how many of a count of lots one order may have."""
        return lots if self.most_lots is None else min(lots, self.most_lots)

    def is_too_small(self, quantity: Decimal, price: Decimal) -> bool:
        """Return whether the whole lots of a quantity are below the least one, or worth too little at `price`."""
        lots = self.lots_down(quantity)
        if lots < self.least_lots:
            return True
        return self.least_notional is not None and EXACT.multiply(self.quantity(lots), price) < self.least_notional


@lru_cache(maxsize=4_096)
def grid_of(market: Market, order_type: OrderType) -> Grid:
    """Return the grid of a market for one type of order, by the market's filters as they are now."""
    at_market = order_type.trades_at_market
    lot, most = market.quantity_increment or _FINEST, market.maximum_order_quantity(at_market=at_market)
    return Grid(
        tick=market.price_increment or _FINEST,
        lot=lot,
        least_lots=max(_count(market.minimum_order_quantity(at_market=at_market), lot, ROUND_CEILING), 1),
        most_lots=None if most is None else _count(most, lot, ROUND_FLOOR),
        least_notional=market.minimum_order_notional(at_market=at_market),
    )


def _count(value: Decimal, step: Decimal, rounding: str) -> int:
    return int(EXACT.divide(value, step).to_integral_value(rounding=rounding))
