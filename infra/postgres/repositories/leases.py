"""Leases in PostgreSQL: one row a thing, expiring by the database's clock."""

from domain.core.clock import Clock
from domain.ports.trading import Lease, LeaseHolder, StaleLease
from infra.postgres.connection import Connection
from infra.postgres.repositories.base import Repository

# clock_timestamp(), not now(): the statement may have waited for a transaction that had checked the lease.
_ACQUIRE = """
INSERT INTO leases AS lease (kind, key, holder, epoch, expires_at)
VALUES ($1, $2, $3, 1, clock_timestamp() + $4 * interval '1 second')
ON CONFLICT (kind, key) DO UPDATE SET
    holder = excluded.holder,
    epoch = lease.epoch + CASE WHEN lease.expires_at > clock_timestamp() THEN 0 ELSE 1 END,
    expires_at = clock_timestamp() + $4 * interval '1 second'
WHERE lease.holder = excluded.holder OR lease.expires_at <= clock_timestamp()
RETURNING epoch
"""
IS_HELD = "kind = {} AND key = {} AND holder = {} AND epoch = {} AND expires_at > clock_timestamp()"
"""The condition that a lease is held, with places for `lease_values`."""
_IS_HELD = IS_HELD.format("$1", "$2", "$3", "$4")
_RENEW = f"UPDATE leases SET expires_at = clock_timestamp() + $5 * interval '1 second' WHERE {_IS_HELD} RETURNING epoch"
# The row stays: the next holder's epoch must be higher.
_RELEASE = f"UPDATE leases SET expires_at = '-infinity' WHERE {_IS_HELD}"
_END_ALL = "UPDATE leases SET expires_at = '-infinity' WHERE expires_at > clock_timestamp()"
_HOLDER = "SELECT holder, expires_at FROM leases WHERE kind = $1 AND key = $2 AND expires_at > clock_timestamp()"
# FOR SHARE keeps whoever wants to take or prolong the lease waiting until this transaction has ended.
_CHECK = f"SELECT true FROM leases WHERE {_IS_HELD} FOR SHARE"


class PostgresLeases(Repository):
    """Takes, renews, lets go and checks; see `domain.ports.trading.LeaseRepository`."""

    def __init__(self, connection: Connection, clock: Clock) -> None:
        super().__init__(connection)
        self._clock = clock

    async def acquire(self, kind: str, key: str, holder: str, seconds: float) -> Lease | None:
        """Take the lease where it is free or lapsed, with the next epoch; renew it where `holder` has it already."""
        before = self._clock.monotonic()
        epoch = await self._connection.fetchval(_ACQUIRE, kind, key, holder, seconds)
        return Lease(kind, key, holder, epoch, before) if epoch is not None else None

    async def renew(self, lease: Lease, seconds: float) -> Lease | None:
        """Prolong it; None where it has lapsed or is held by another."""
        before = self._clock.monotonic()
        epoch = await self._connection.fetchval(_RENEW, *lease_values(lease), seconds)
        return Lease(lease.kind, lease.key, lease.holder, epoch, before) if epoch is not None else None

    async def release(self, lease: Lease) -> None:
        """Let go of it at once; nothing happens where it isn't held any more."""
        await self._connection.execute(_RELEASE, *lease_values(lease))

    async def end_all(self) -> None:
        """Let go of every lease, whoever holds it: for a start that knows all earlier holders to be dead."""
        await self._connection.execute(_END_ALL)

    async def holder(self, kind: str, key: str) -> LeaseHolder | None:
        """Return who took the lease last; None where it is free."""
        row = await self._connection.fetchrow(_HOLDER, kind, key)
        return LeaseHolder(row["holder"], row["expires_at"]) if row is not None else None

    async def check(self, lease: Lease) -> None:
        """Raise `StaleLease` unless it is held and not lapsed; it can't be taken before the transaction ends."""
        if await self._connection.fetchval(_CHECK, *lease_values(lease)) is None:
            raise StaleLease(f"The lease {lease.kind}:{lease.key} of epoch {lease.epoch} is no longer held.")


def lease_values(lease: Lease) -> tuple[str, str, str, int]:
    """Return the arguments of `IS_HELD`."""
    return lease.kind, lease.key, lease.holder, lease.epoch
