"""Differences between an account's balances and its transfers and fills that a venue's rounding doesn't explain."""

from collections.abc import Iterable, Mapping
from decimal import Decimal

from domain.model.trading import Balance

COARSEST_PLACES, FINEST_PLACES = 4, 8
"""A balance with fewer decimals may have lost zeros at its end; beyond eight some venues round fees."""


def significant_differences(differences: Mapping[str, Decimal], balances: Iterable[Balance]) -> dict[str, Decimal]:
    """Return the differences that are more than one unit of the last decimal that the venue reports of the balance.

    No way of rounding makes a greater one; smaller real movements are found once they add up to more.
    """
    places = {balance.currency: _places(balance.total) for balance in balances}
    return {
        currency: amount
        for currency, amount in differences.items()
        if abs(amount) > Decimal(1).scaleb(-places.get(currency, FINEST_PLACES))
    }


def _places(reported: Decimal) -> int:
    exponent = reported.as_tuple().exponent
    assert isinstance(exponent, int), "a balance is finite"
    return min(max(-exponent, COARSEST_PLACES), FINEST_PLACES)
