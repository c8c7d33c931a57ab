"""The sizes of market entries in whole lots, as `sizing.entry_lots` has them, without decimals.

A backtest asks for one at every entry. What spends an amount or a share of the equity needs whole numbers alone; what
is sized by a distance is left to `entry_lots`.
"""

from decimal import Decimal
from fractions import Fraction

from domain.core.money import MAX_PLACES, ZERO, rounded_quotient
from domain.model.definitions import Sizing
from domain.model.markets import Market
from domain.model.orders import OrderType
from domain.rules.grid import grid_of
from domain.rules.sizing import HUNDRED, MARKET_MARGIN, Share

_SCALE: int = 10**MAX_PLACES


class EntrySizes:
    """Sizes the market entries of one sizing in one market; amounts of quote have `quote_places` decimals."""

    def __init__(self, sizing: Sizing, market: Market, quote_places: int) -> None:
        grid = grid_of(market, OrderType.MARKET)
        lot, tick = Fraction(grid.lot) * _SCALE, Fraction(grid.tick)
        self.is_supported = lot.denominator == 1 and (sizing.quote_amount or sizing.equity_percent) is not None
        self.needs_means = sizing.quote_amount is None
        """Whether the equity and the free cash count."""
        self._lot, self._most_lots = lot.numerator, grid.most_lots
        self._amount = _ratio(sizing.quote_amount or ZERO, tick)
        self._percent = _ratio(sizing.equity_percent or ZERO, Fraction(HUNDRED) * 10**quote_places)
        self._tick = tick.numerator, tick.denominator
        cost_of_tick = tick * Fraction(MARKET_MARGIN) * Fraction(1 + (market.taker_fee or ZERO))
        self._cash = _ratio(Decimal(1), cost_of_tick * 10**quote_places)

    def lots(self, price: int, share: Share, equity: int, free: int) -> int:
        """Return the lots of an entry at a price in ticks; 0 or less if it is below one lot.

        `equity` and what is `free` to spend are in whole units of the last decimal of quote.
        """
        if not self.needs_means:
            numerator, denominator = self._amount
            target = rounded_quotient(numerator, denominator * price)
            return _part(_part(target, share.left, share.total), share.factor, share.left) // self._lot
        (numerator, denominator), (tick, parts) = self._percent, self._tick
        amount = rounded_quotient(equity * numerator, denominator)
        target = _part(rounded_quotient(amount * parts, tick * price), share.left, share.total)
        numerator, denominator = self._cash
        target = min(target, rounded_quotient(max(free, 0) * numerator, denominator * price))
        lots = _part(target, share.factor, share.left) // self._lot
        return lots if self._most_lots is None else min(lots, self._most_lots)


def _part(target: int, factor: Decimal, total: Decimal) -> int:
    if factor is total or factor == total:
        return target
    (numerator, denominator), (whole, parts) = factor.as_integer_ratio(), total.as_integer_ratio()
    return rounded_quotient(target * numerator * parts, denominator * whole)


def _ratio(amount: Decimal, unit: Fraction) -> tuple[int, int]:
    """Return the numerator and the denominator of an amount in a unit, in parts of 18 decimals."""
    counted = Fraction(amount) / unit * _SCALE
    return counted.numerator, counted.denominator
