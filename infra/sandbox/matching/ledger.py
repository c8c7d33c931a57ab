"""Free and locked balances, which never go negative, and whose sum only deposits change."""

from collections.abc import Iterable
from dataclasses import dataclass

from infra.sandbox.fixed_point import SCALE

LIQUIDITY_UID = 0
"""The counterparty of all external liquidity; the only account whose balance may be negative."""
FEES_UID = 1
"""The account that receives the fees, so that every unit stays accounted for."""
FIRST_UID = 100


class BalanceError(RuntimeError):
    """A movement that would make a balance negative: a bug of the exchange, never the fault of a user."""


@dataclass(slots=True)
class Balance:
    """What one account holds of one asset, in units of 1e-8."""

    free: int = 0
    locked: int = 0


def fee_of(received: int, rate: int) -> int:
    """Return the fee, a share `rate` in units of 1e-8 that is taken from what is received, rounded down."""
    return received * rate // SCALE


class Ledger:
    """Every balance of the exchange, and which of them changed since `drain_changes`."""

    def __init__(self, rows: Iterable[tuple[int, str, int, int]] = ()) -> None:
        self._balances = {(uid, asset): Balance(free, locked) for uid, asset, free, locked in rows}
        self._dirty: set[tuple[int, str]] = set()

    def balance(self, uid: int, asset: str) -> Balance:
        """Return a balance, made of zeros if absent."""
        return self._balances.setdefault((uid, asset), Balance())

    def balances_of(self, uid: int) -> dict[str, Balance]:
        """Return an account's balances by asset."""
        return {asset: balance for (owner, asset), balance in self._balances.items() if owner == uid}

    def total(self, asset: str) -> int:
        """Return the sum over all accounts, external liquidity and fees included: exactly the sum of the deposits."""
        return sum(b.free + b.locked for (_, held), b in self._balances.items() if held == asset)

    def credit(self, uid: int, asset: str, amount: int) -> None:
        """Add to a free balance; a negative `amount` subtracts."""
        balance = self.balance(uid, asset)
        if balance.free + amount < 0 and uid != LIQUIDITY_UID:
            raise BalanceError(f"account {uid} would hold {balance.free + amount} {asset}")
        balance.free += amount
        self._dirty.add((uid, asset))

    def lock(self, uid: int, asset: str, amount: int) -> None:
        """Move from free to locked; a negative `amount` releases."""
        balance = self.balance(uid, asset)
        if balance.free < amount or balance.locked + amount < 0:
            raise BalanceError(f"account {uid} can't lock {amount} of {balance} {asset}")
        balance.free -= amount
        balance.locked += amount
        self._dirty.add((uid, asset))

    def spend_locked(self, uid: int, asset: str, amount: int) -> None:
        """Take from a locked balance."""
        balance = self.balance(uid, asset)
        if balance.locked < amount:
            raise BalanceError(f"account {uid} has {balance.locked} {asset} locked, not {amount}")
        balance.locked -= amount
        self._dirty.add((uid, asset))

    def drain_changes(self) -> list[tuple[int, str, int, int]]:
        """Return and clear the changed balances, as rows for the store."""
        rows = [(*key, self._balances[key].free, self._balances[key].locked) for key in sorted(self._dirty)]
        self._dirty.clear()
        return rows
