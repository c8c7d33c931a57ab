"""Which differences between an account's balances and its transfers and fills are more than a venue's rounding."""

from collections.abc import Iterable, Mapping
from decimal import Decimal

from domain.model.trading import Balance

COARSEST_PLACES, FINEST_PLACES = 4, 8
"""A balance with fewer decimals may have lost zeros at its end; beyond eight some venues round fees."""


def considerable(differences: Mapping[str, Decimal], balances: Iterable[Balance]) -> dict[str, Decimal]:
    """Return the differences that are more than one unit of the last decimal in which the venue told the balance.

    Rounding, however it is done, makes no greater one; a real movement is found once it adds up to more.
    """
    places = {balance.currency: _places(balance.total) for balance in balances}
    return {
        currency: amount
        for currency, amount in differences.items()
        if abs(amount) > Decimal(1).scaleb(-places.get(currency, FINEST_PLACES))
    }


def _places(told: Decimal) -> int:
    exponent = told.as_tuple().exponent
    assert isinstance(exponent, int), "a balance is finite"
    return min(max(-exponent, COARSEST_PLACES), FINEST_PLACES)
