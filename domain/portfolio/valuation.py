"""Values an account in its own currency."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal

from domain.core.money import EXACT, ZERO
from domain.model.trading import Balance

Convert = Callable[[Decimal, str, str], Decimal | None]
"""Converts an amount from one currency into another at present prices; None if no price is known."""


@dataclass(frozen=True, slots=True)
class Equity:
    """The value of the balances that can be priced, and the currencies of those that can't, in the balances' order.

    `total` is None if something is held and nothing of it can be priced.
    """

    total: Decimal | None
    unpriced: tuple[str, ...] = ()


def compute_equity(currency: str, balances: Iterable[Balance], convert: Convert) -> Equity:
    """Return the value of the balances in `currency`."""
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
