"""What an account is worth in its own currency."""

from collections.abc import Callable, Iterable
from decimal import Decimal

from domain.markets.types import MarketSymbol
from domain.money import EXACT, ZERO, divide
from domain.trading.types import Balance

PriceOf = Callable[[MarketSymbol], Decimal | None]
"""Returns the present price of a market in quote per base, None where it isn't known."""


def equity(venue: str, currency: str, balances: Iterable[Balance], price_of: PriceOf) -> Decimal | None:
    """Return the sum of the balances in `currency`; None while one of them can't be priced.

    A currency is priced by its market against `currency`, or by the inverse market.
    """
    total = ZERO
    for balance in balances:
        value = _value(venue, currency, balance, price_of)
        if value is None:
            return None
        total += value
    return total


def _value(venue: str, currency: str, balance: Balance, price_of: PriceOf) -> Decimal | None:
    if balance.currency == currency or balance.total == 0:
        return balance.total
    price = price_of(MarketSymbol(venue, f"{balance.currency}/{currency}"))
    if price is not None:
        return EXACT.multiply(balance.total, price)
    inverse = price_of(MarketSymbol(venue, f"{currency}/{balance.currency}"))
    return divide(balance.total, inverse) if inverse else None
