"""The port of leases: the right of one holder to act for one thing, until it expires.

The epoch of a lease is a fencing token: it is checked in the transaction that depends on it, so that a holder which
lost the lease without noticing can't commit.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Lease:
    """The right of one holder to act for one thing, until it expires; a later holder has a higher epoch.

    `renewed_at` is this node's monotonic time just before the request that acquired or renewed it.
    """

    kind: str
    key: str
    holder: str
    epoch: int
    renewed_at: float


class StaleLease(Exception):
    """The lease that a transaction named is no longer held; the transaction must not commit."""


@dataclass(frozen=True, slots=True)
class LeaseHolder:
    """Who acquired a lease last, and when it expires unless it is renewed."""

    name: str
    until: datetime


class LeaseRepository(Protocol):
    """Leases, which expire by the database's clock."""

    async def acquire(self, kind: str, key: str, holder: str, seconds: float) -> Lease | None:
        """Acquire a lease that is free or has expired, with the next epoch; None if another holder has it.

        A holder that has the lease already renews it, with its epoch unchanged.
        """
        ...

    async def acquire_many(self, kind: str, keys: Sequence[str], holder: str, seconds: float) -> list[Lease]:
        """Acquire those of the leases that are free or have expired, in any order, by two statements for all.

        One that a transaction is using right now is left out.
        """
        ...

    async def renew(self, lease: Lease, seconds: float) -> Lease | None:
        """Extend the lease; None if it has expired or another holder has it."""
        ...

    async def renew_unlocked(self, leases: Sequence[Lease], seconds: float) -> list[Lease]:
        """Extend those of the leases that are held, by one statement, and return these.

        Transactions that check a lease don't keep it from being renewed; one that another holder tries to acquire
        right now is left out.
        """
        ...

    async def release(self, lease: Lease) -> None:
        """End the lease at once; nothing happens if it isn't held any more."""
        ...

    async def release_all(self) -> None:
        """End every lease of every holder, for a start that knows all earlier holders to be dead."""
        ...

    async def list_held(self, kind: str, keys: Sequence[str]) -> set[str]:
        """Return the keys of those of the leases that anybody holds."""
        ...

    async def get_holder(self, kind: str, key: str) -> LeaseHolder | None:
        """Return who holds the lease; None if it is free."""
        ...

    async def check(self, lease: Lease) -> None:
        """Raise `StaleLease` unless the lease is held; nobody else can acquire it before the transaction ends."""
        ...
