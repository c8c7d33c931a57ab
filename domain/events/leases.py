"""Holding a lease: taken, renewed while its holder lives, and let go."""

from domain.core.clock import Clock
from domain.ports.trading import Lease
from domain.ports.unit_of_work import Storage

LEASE_SECONDS = 6.0
"""How long a lease is good without being renewed."""

RENEW_SECONDS = 2.0
"""How often its holder renews it."""


class HeldLease:
    """A lease that this node has taken, until it is lost."""

    def __init__(self, storage: Storage, clock: Clock, lease: Lease) -> None:
        self._storage = storage
        self._clock = clock
        self._lease: Lease | None = lease

    def __repr__(self) -> str:
        return f"HeldLease({self._lease!r})"

    @property
    def current(self) -> Lease | None:
        """The lease as it was renewed last; None once it is lost, or has lapsed because it couldn't be renewed."""
        lease = self._lease
        if lease is None or self._clock.monotonic() - lease.renewed_at > LEASE_SECONDS:
            return None
        return lease

    async def renew(self) -> bool:
        """Prolong it, unless that was done a moment ago; False once it is lost. Raises `Unavailable`."""
        lease = self._lease
        if lease is not None and self._clock.monotonic() - lease.renewed_at >= RENEW_SECONDS / 2:
            async with self._storage.transaction() as transaction:
                self._lease = await transaction.leases.renew(lease, LEASE_SECONDS)
        return self.current is not None

    async def release(self) -> None:
        """Let go of it, so that another node need not wait for its end; raises `Unavailable`."""
        lease, self._lease = self._lease, None
        if lease is not None:
            async with self._storage.transaction() as transaction:
                await transaction.leases.release(lease)


async def take_lease(storage: Storage, clock: Clock, kind: str, key: str, holder: str) -> HeldLease | None:
    """Take the lease of a thing; None where another holder has it. Raises `Unavailable`."""
    async with storage.transaction() as transaction:
        lease = await transaction.leases.acquire(kind, key, holder, LEASE_SECONDS)
    return None if lease is None else HeldLease(storage, clock, lease)
