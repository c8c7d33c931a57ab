"""What an account is worth in its own currency."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal

from domain.core.money import EXACT, ZERO
from domain.model.trading import Balance

Convert = Callable[[Decimal, str, str], Decimal | None]
"""Returns the worth of an amount of one currency in another; None where no price is known."""


@dataclass(frozen=True, slots=True)
class Equity:
    """The worth of what can be priced, and the currencies of what can't, in the order of the balances.

    `total` is None where something is held and nothing of it can be priced.
    """

    total: Decimal | None
    unpriced: tuple[str, ...] = ()


def equity(currency: str, balances: Iterable[Balance], convert: Convert) -> Equity:
    """Return what the balances are worth in `currency`."""
    total, unpriced, priced = ZERO, [], False
    for balance in balances:
        if not balance.total:
            continue
        value = convert(balance.total, balance.currency, currency)
        if value is None:
            unpriced.append(balance.currency)
        else:
            priced, total = True, EXACT.add(total, value)
    return Equity(total if priced or not unpriced else None, tuple(unpriced))
