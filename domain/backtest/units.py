"""The units of a backtest: quantities and money as whole numbers of a power of ten, so that every sum is exact.

A fee is a share with few decimals of a whole number of ticks and lots, so all amounts have a last decimal. Counted in
that one they are integers, with which Python computes several times faster than with decimals.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, Decimal

from domain.core.money import EXACT, MAX_PLACES
from domain.model.markets import Market
from domain.model.order_side import OrderSide
from domain.model.orders import OrderType
from domain.rules.costs import FeeCurrency, TradingCosts
from domain.rules.grid import grid_of


@dataclass(frozen=True, slots=True)
class Units:
    """The units of one market: one of base has `base_places` decimals, one of quote `quote_places`.

    A lot has `lot` units of base, and one unit of base at a price of one tick is worth `tick` units of quote.
    `price_tick` is a tick in units of a price with 18 decimals, which average prices are rounded to; such a unit times
    one of base is a unit of profit, of which `profit` make one of quote. Fees are in parts of `fee_scale`.
    """

    base_places: int
    quote_places: int
    lot: int
    tick: int
    price_tick: int
    profit: int
    taker_fee: int
    maker_fee: int
    fee_scale: int
    fees_in_base: bool
    _base: Decimal = field(init=False, repr=False)
    _quote: Decimal = field(init=False, repr=False)
    _profit: Decimal = field(init=False, repr=False)

    def __post_init__(self) -> None:
        places = {
            "_base": self.base_places,
            "_quote": self.quote_places,
            "_profit": self.base_places + MAX_PLACES,
        }
        for name, count in places.items():
            object.__setattr__(self, name, Decimal(1).scaleb(-count))

    def value(self, ticks: int, quantity: int) -> int:
        """Return what a quantity in units of base is worth at a price in ticks."""
        return ticks * quantity * self.tick

    def fees(self, value: int, quantity: int, side: OrderSide, *, maker: bool) -> tuple[int, int]:
        """Return the fee of a fill, worth `value`, in base and in quote; one of them is zero."""
        rate = self.maker_fee if maker else self.taker_fee
        if self.fees_in_base and side is OrderSide.BUY:
            return quantity * rate // self.fee_scale, 0
        return 0, value * rate // self.fee_scale

    def part(self, quantity: int, share: Decimal) -> int:
        """Return a share of a quantity in units of base, rounded down to a whole one."""
        numerator, denominator = share.as_integer_ratio()
        return quantity * numerator // denominator

    def base(self, amount: int) -> Decimal:
        """Return an amount in base as a decimal."""
        return EXACT.multiply(self._base, amount)

    def quote(self, amount: int) -> Decimal:
        """Return an amount in quote as a decimal."""
        return EXACT.multiply(self._quote, amount)

    def quote_of_profit(self, amount: int) -> Decimal:
        """Return a profit as a decimal, in quote."""
        return EXACT.multiply(self._profit, amount)

    def quote_at_least(self, amount: Decimal | None) -> int:
        """Return the least count of units of quote that is worth the amount; 0 without one."""
        if amount is None:
            return 0
        return int(EXACT.scaleb(amount, self.quote_places).to_integral_value(ROUND_CEILING, EXACT))

    def quote_units(self, amount: Decimal) -> int:
        """Return a decimal amount in quote as units; it has no more decimals than they."""
        return int(EXACT.scaleb(amount, self.quote_places))


def units_of(market: Market, costs: TradingCosts, quote_places: int) -> Units:
    """Return the units of a market; `quote_places` are at least its own `places_needed`."""
    grid, fee_places = grid_of(market, OrderType.MARKET), _fee_places(costs)
    base_places = max(_places(grid.lot) + fee_places, quote_places - MAX_PLACES)
    return Units(
        base_places=base_places,
        quote_places=quote_places,
        lot=_scaled(grid.lot, base_places),
        tick=_scaled(grid.tick, quote_places - base_places),
        price_tick=_scaled(grid.tick, MAX_PLACES),
        profit=10 ** (MAX_PLACES + base_places - quote_places),
        taker_fee=_scaled(costs.taker_fee, fee_places),
        maker_fee=_scaled(costs.maker_fee, fee_places),
        fee_scale=10**fee_places,
        fees_in_base=costs.fee_currency is FeeCurrency.RECEIVED,
    )


def places_needed(market: Market, costs: TradingCosts, amounts: Iterable[Decimal]) -> int:
    """Return how many decimals the quote amounts of a market's fills may have, and the given amounts too."""
    grid = grid_of(market, OrderType.MARKET)
    own = _places(grid.tick) + _places(grid.lot) + _fee_places(costs)
    return max([own, *(_places(amount) for amount in amounts)])


def _fee_places(costs: TradingCosts) -> int:
    return max(_places(costs.taker_fee), _places(costs.maker_fee))


def _places(value: Decimal) -> int:
    return max(-int(value.normalize(EXACT).as_tuple().exponent), 0)


def _scaled(value: Decimal, places: int) -> int:
    return int(EXACT.scaleb(value, places))
