"""Open positions at present prices, and the profit that closing them would add."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal

from domain.core.money import EXACT, ZERO
from domain.model.markets import MarketSymbol
from domain.model.trading import Position
from domain.portfolio.positions import unrealized_profit

Convert = Callable[[Decimal, str, str], Decimal | None]
"""Returns an amount of a currency in another one; None without a price."""


@dataclass(frozen=True, slots=True)
class PositionValue:
    """A position and the present price of its market in quote per base; None if it isn't known."""

    position: Position
    price: Decimal | None


@dataclass(frozen=True, slots=True)
class UnrealizedProfit:
    """The profit of positions before fees, in one currency, without those on `unpriced_markets`.

    `total` is None if that leaves out all of them.
    """

    total: Decimal | None
    unpriced_markets: tuple[MarketSymbol, ...]


def total_unrealized_profit(held: Iterable[PositionValue], currency: str, convert: Convert) -> UnrealizedProfit:
    """Return the profit of positions in `currency`; 0 without any."""
    profit, unpriced, priced = ZERO, set[MarketSymbol](), 0
    for value in held:
        own = None if value.price is None else unrealized_profit(value.position, value.price)
        converted = None if own is None else convert(own, quote_currency(value.position), currency)
        if converted is None:
            unpriced.add(value.position.market)
        else:
            profit, priced = EXACT.add(profit, converted), priced + 1
    return UnrealizedProfit(profit if priced or not unpriced else None, tuple(sorted(unpriced)))


def quote_currency(position: Position) -> str:
    """Return the currency that the position's profit is in."""
    return position.market.symbol.partition("/")[2].partition(":")[0]
