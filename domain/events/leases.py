"""Acquires, renews and releases leases, by which one node at a time owns an account or a market's feed."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Final, NoReturn

from domain.core.background import BackgroundTasks, TaskGroup
from domain.core.clock import Clock
from domain.core.errors import Unavailable
from domain.ports.leases import Lease, LeaseHolder
from domain.ports.unit_of_work import Database

LEASE_SECONDS = 6.0
"""How long a lease is valid without being renewed."""

RENEW_SECONDS = 2.0
"""How often its holder renews it."""

RELEASED_TOPIC: Final = "leases-released"
"""Where nodes learn that one has given leases of a kind back, which is the message, and look for them at once."""


class LeaseHandle:
    """A lease that this node has acquired, until it is lost."""

    def __init__(self, database: Database, clock: Clock, lease: Lease, lease_seconds: float = LEASE_SECONDS) -> None:
        self._database = database
        self._clock = clock
        self._lease: Lease | None = lease
        self._last = lease
        self._lease_seconds = lease_seconds
        self._lost = asyncio.Event()

    def __repr__(self) -> str:
        return f"LeaseHandle({self._lease!r})"

    @property
    def current(self) -> Lease | None:
        """The lease as it was last renewed; None once it is lost, or has lapsed because it couldn't be renewed."""
        lease = self._lease
        if lease is None or self._clock.monotonic() - lease.renewed_at > self._lease_seconds:
            return None
        return lease

    async def wait_until_lost(self) -> None:
        """Return once `notice_loss` has found the lease to be lost."""
        await self._lost.wait()

    def notice_loss(self) -> bool:
        """Return whether the lease is lost or has lapsed, and tell those who wait for that."""
        if self.current is not None:
            return False
        self._lost.set()
        return True

    async def renew(self) -> bool:
        """Renew the lease, unless that was done within the last second; return False once it is lost.

        Raises `Unavailable`.
        """
        lease = self._lease
        if lease is not None and self._clock.monotonic() - lease.renewed_at >= RENEW_SECONDS / 2:
            async with self._database.transaction() as transaction:
                self._lease = await transaction.leases.renew(lease, self._lease_seconds)
            self._last = self._lease or lease
        return self.current is not None

    def adopt(self, renewed: Lease) -> None:
        """Take over a renewal of the lease, unless it was lost or renewed again meanwhile."""
        lease = self._lease
        if lease is not None and lease.epoch == renewed.epoch and lease.renewed_at < renewed.renewed_at:
            self._lease = self._last = renewed

    async def reason_lost(self) -> str:
        """Return, for the log, why the lease is no longer held: it lapsed, or another holder has acquired it."""
        lease, seconds = self._last, self._clock.monotonic() - self._last.renewed_at
        with suppress(Unavailable):
            async with self._database.read_only() as reading:
                holder = await reading.leases.get_holder(lease.kind, lease.key)
            if holder is not None and holder.name != lease.holder:
                return f"its lease was taken by {describe_holder(holder, lease.holder)}"
        if seconds <= self._lease_seconds:
            return "its lease was ended in the database before its time"
        return f"its lease lapsed: this node did not renew it for {seconds:.1f} s"

    async def release(self) -> None:
        """Release the lease, so that another node need not wait until it lapses; raises `Unavailable`."""
        lease, self._lease = self._lease, None
        if lease is not None:
            async with self._database.transaction() as transaction:
                await transaction.leases.release(lease)


class LeaseRenewer:
    """Renews the leases of a node, all in one statement, until each is lost or released."""

    def __init__(self, database: Database, lease_seconds: float = LEASE_SECONDS) -> None:
        self._database = database
        self._lease_seconds = lease_seconds
        self._handles: dict[tuple[str, str], LeaseHandle] = {}
        self._alone = BackgroundTasks()

    def add(self, handle: LeaseHandle) -> None:
        """Renew this lease too."""
        lease = handle.current
        if lease is not None:
            self._handles[lease.kind, lease.key] = handle

    async def run(self) -> None:
        """Renew every `RENEW_SECONDS`, and notice as often which are lost, until cancelled."""
        async with self._alone, TaskGroup() as group:
            group.create_task(self._renew_loop())
            group.create_task(self._watch_loop())

    async def _renew_loop(self) -> NoReturn:
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            # Without the database the leases expire by themselves.
            with suppress(Unavailable):
                await self.renew()

    async def _watch_loop(self) -> NoReturn:
        # On its own, since a renewal may wait for the database for longer than the leases last.
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            self._drop_lost()

    def _drop_lost(self) -> None:
        self._handles = {key: handle for key, handle in self._handles.items() if not handle.notice_loss()}

    async def renew(self) -> None:
        """Renew all leases once; raises `Unavailable`.

        A lease that another node tries to acquire at this moment is renewed by a statement of its own, so that it
        doesn't keep the leases of all others from being renewed.
        """
        self._drop_lost()
        handles = self._handles
        leases = {key: lease for key, handle in handles.items() if (lease := handle.current) is not None}
        if not leases:
            return
        async with self._database.transaction() as transaction:
            renewed = await transaction.leases.renew_unlocked(list(leases.values()), self._lease_seconds)
        for lease in renewed:
            handles[lease.kind, lease.key].adopt(lease)
        for key in leases.keys() - {(lease.kind, lease.key) for lease in renewed}:
            self._alone.start(self._renew_alone(handles[key]))

    async def _renew_alone(self, handle: LeaseHandle) -> None:
        with suppress(Unavailable):
            await handle.renew()


def is_same_host(name: str, other: str) -> bool:
    """Return whether two holders run on one host: a holder's name is its host, a colon and its process."""
    return name.rpartition(":")[0] == other.rpartition(":")[0]


def describe_holder(holder: LeaseHolder, own_name: str) -> str:
    """Return, for the log, who holds a lease."""
    whose = "another run on this host" if is_same_host(holder.name, own_name) else "another node"
    return f"{whose} ({holder.name}), until {holder.until:%H:%M:%S} UTC unless it is renewed"


async def acquire_lease(
    database: Database, clock: Clock, kind: str, key: str, holder: str, lease_seconds: float = LEASE_SECONDS
) -> LeaseHandle | None:
    """Acquire the lease of `key` (an account's id, a market); None if another holder has it. Raises `Unavailable`."""
    async with database.transaction() as transaction:
        lease = await transaction.leases.acquire(kind, key, holder, lease_seconds)
    return None if lease is None else LeaseHandle(database, clock, lease, lease_seconds)


async def acquire_leases(
    database: Database,
    clock: Clock,
    kind: str,
    keys: Sequence[str],
    holder: str,
    lease_seconds: float = LEASE_SECONDS,
) -> dict[str, LeaseHandle]:
    """Acquire those leases that are free, all in one transaction, and return them by key. Raises `Unavailable`."""
    async with database.transaction() as transaction:
        leases = await transaction.leases.acquire_many(kind, keys, holder, lease_seconds)
    return {lease.key: LeaseHandle(database, clock, lease, lease_seconds) for lease in leases}
