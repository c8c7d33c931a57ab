"""What all accounts of a user are worth together, in one currency."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import reduce
from uuid import UUID

from domain.core.money import EXACT, ZERO
from domain.model.profit import CurrencyAmount
from domain.model.trading import Account, Balance

Convert = Callable[[str, Decimal, str], Decimal | None]
"""Returns the present worth of an amount of a currency at a venue; None if no price is known."""


@dataclass(frozen=True, slots=True)
class AssetWorth:
    """What is held of a currency on all accounts, and its worth; None if none of it can be priced.

    `unpriced_amount` is the part that can't be, at a venue where the currency has no price.
    """

    currency: str
    amount: Decimal
    worth: Decimal | None
    unpriced_amount: Decimal
    share_percent: float | None


@dataclass(frozen=True, slots=True)
class AccountWorth:
    """What an account is worth; None if it holds something and nothing of it can be priced."""

    account: Account
    worth: Decimal | None
    unpriced: tuple[CurrencyAmount, ...]
    share_percent: float | None


@dataclass(frozen=True, slots=True)
class PortfolioOverview:
    """What is held altogether; `total` leaves out what is `unpriced`, and is None if nothing can be priced."""

    currency: str
    at: datetime
    total: Decimal | None
    accounts: tuple[AccountWorth, ...]
    assets: tuple[AssetWorth, ...]
    unpriced: tuple[CurrencyAmount, ...]


@dataclass(slots=True)
class _Sum:
    """A sum of amounts, and of the worth of those that have one."""

    amount: Decimal = ZERO
    worth: Decimal | None = None
    unpriced: Decimal = ZERO

    def add(self, amount: Decimal, worth: Decimal | None) -> None:
        self.amount = EXACT.add(self.amount, amount)
        if worth is None:
            self.unpriced = EXACT.add(self.unpriced, amount)
        else:
            self.worth = EXACT.add(self.worth or ZERO, worth)


def portfolio_overview(
    currency: str,
    accounts: Sequence[Account],
    balances: Mapping[UUID, Sequence[Balance]],
    convert: Convert,
    at: datetime,
) -> PortfolioOverview:
    """Return the overview: accounts in their order, currencies by their worth, the greatest first."""
    assets: defaultdict[str, _Sum] = defaultdict(_Sum)
    by_account = []
    for account in accounts:
        held: defaultdict[str, _Sum] = defaultdict(_Sum)
        for balance in balances[account.id]:
            if balance.total:
                worth = convert(account.venue, balance.total, balance.currency)
                held[balance.currency].add(balance.total, worth)
                assets[balance.currency].add(balance.total, worth)
        by_account.append((account, _worth(held), _unpriced(held)))
    total = _worth(assets)
    ordered = sorted(assets.items(), key=lambda item: (-(item[1].worth or ZERO), item[0]))
    return PortfolioOverview(
        currency=currency,
        at=at,
        total=total,
        accounts=tuple(
            AccountWorth(account, worth, unpriced, _share(worth, total)) for account, worth, unpriced in by_account
        ),
        assets=tuple(
            AssetWorth(name, held.amount, held.worth, held.unpriced, _share(held.worth, total))
            for name, held in ordered
        ),
        unpriced=_unpriced(assets),
    )


def _worth(sums: Mapping[str, _Sum]) -> Decimal | None:
    """Return the sum of what has a worth; None if there is something and none of it has one."""
    worths = [each.worth for each in sums.values() if each.worth is not None]
    return None if sums and not worths else reduce(EXACT.add, worths, ZERO)


def _unpriced(sums: Mapping[str, _Sum]) -> tuple[CurrencyAmount, ...]:
    return tuple(CurrencyAmount(name, sums[name].unpriced) for name in sorted(sums) if sums[name].unpriced)


def _share(worth: Decimal | None, total: Decimal | None) -> float | None:
    return float(EXACT.divide(worth, total) * 100) if worth is not None and total else None
