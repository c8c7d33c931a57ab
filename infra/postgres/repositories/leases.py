"""Leases in PostgreSQL: one row for each leased thing, expiring by the database's clock.

A transaction that checks a lease locks the row's key (FOR KEY SHARE), of which the epoch is a part by the unique index
`leases_epoch`. So nobody acquires the lease before that transaction ends, since that sets the epoch; and to renew it
doesn't wait for any number of such transactions, since that sets no part of a key.
"""

from collections.abc import Sequence

from domain.core.clock import Clock
from domain.ports.leases import Lease, LeaseHolder, StaleLease
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
# Of several those are acquired for which nothing has to wait. ON CONFLICT alone would wait for a transaction that has
# changed the row.
_CREATE_MANY = """
INSERT INTO leases (kind, key, holder, epoch, expires_at)
SELECT $1, wanted.key, $3, 0, '-infinity' FROM unnest($2::text[]) AS wanted (key)
WHERE NOT EXISTS (SELECT FROM leases WHERE leases.kind = $1 AND leases.key = wanted.key)
ON CONFLICT (kind, key) DO NOTHING"""
_ACQUIRE_MANY = """
UPDATE leases AS lease SET
    holder = $3,
    epoch = lease.epoch + CASE WHEN lease.expires_at > clock_timestamp() THEN 0 ELSE 1 END,
    expires_at = clock_timestamp() + $4 * interval '1 second'
FROM (
    SELECT kind, key FROM leases
    WHERE kind = $1 AND key = ANY($2::text[]) AND (holder = $3 OR expires_at <= clock_timestamp())
    FOR UPDATE SKIP LOCKED
) AS free
WHERE lease.kind = free.kind AND lease.key = free.key
RETURNING lease.key, lease.epoch"""
IS_HELD = "kind = {} AND key = {} AND holder = {} AND epoch = {} AND expires_at > clock_timestamp()"
"""The condition that a lease is held, with places for `lease_params`."""
LOCK = "FOR KEY SHARE"
"""How a statement that depends on a lease locks its row."""
_IS_HELD = IS_HELD.format("$1", "$2", "$3", "$4")
_RENEW = f"UPDATE leases SET expires_at = clock_timestamp() + $5 * interval '1 second' WHERE {_IS_HELD} RETURNING epoch"
_RENEW_UNLOCKED = """
UPDATE leases SET expires_at = clock_timestamp() + $5 * interval '1 second'
WHERE (kind, key) IN (
    SELECT lease.kind, lease.key FROM leases AS lease
    JOIN unnest($1::text[], $2::text[], $3::text[], $4::bigint[]) AS held (kind, key, holder, epoch)
        USING (kind, key, holder, epoch)
    WHERE lease.expires_at > clock_timestamp()
    FOR NO KEY UPDATE OF lease SKIP LOCKED
) RETURNING kind, key, holder, epoch"""
# The row stays: the next holder's epoch must be higher.
_RELEASE = f"UPDATE leases SET expires_at = '-infinity' WHERE {_IS_HELD}"
_RELEASE_ALL = "UPDATE leases SET expires_at = '-infinity' WHERE expires_at > clock_timestamp()"
_GET_HOLDER = "SELECT holder, expires_at FROM leases WHERE kind = $1 AND key = $2 AND expires_at > clock_timestamp()"
_LIST_HELD = "SELECT key FROM leases WHERE kind = $1 AND key = ANY($2::text[]) AND expires_at > clock_timestamp()"
_CHECK = f"SELECT true FROM leases WHERE {_IS_HELD} {LOCK}"


class PostgresLeases(Repository):
    """See `domain.ports.leases.LeaseRepository`."""

    def __init__(self, connection: Connection, clock: Clock) -> None:
        super().__init__(connection)
        self._clock = clock

    async def acquire(self, kind: str, key: str, holder: str, seconds: float) -> Lease | None:
        before = self._clock.monotonic()
        epoch = await self._connection.fetchval(_ACQUIRE, kind, key, holder, seconds)
        return Lease(kind, key, holder, epoch, before) if epoch is not None else None

    async def acquire_many(self, kind: str, keys: Sequence[str], holder: str, seconds: float) -> list[Lease]:
        await self._connection.execute(_CREATE_MANY, kind, sorted(keys), holder)
        before = self._clock.monotonic()
        rows = await self._connection.fetch(_ACQUIRE_MANY, kind, keys, holder, seconds)
        return [Lease(kind, row["key"], holder, row["epoch"], before) for row in rows]

    async def renew(self, lease: Lease, seconds: float) -> Lease | None:
        before = self._clock.monotonic()
        epoch = await self._connection.fetchval(_RENEW, *lease_params(lease), seconds)
        return Lease(lease.kind, lease.key, lease.holder, epoch, before) if epoch is not None else None

    async def renew_unlocked(self, leases: Sequence[Lease], seconds: float) -> list[Lease]:
        before = self._clock.monotonic()
        columns = zip(*(lease_params(lease) for lease in leases), strict=True)
        rows = await self._connection.fetch(_RENEW_UNLOCKED, *(list(column) for column in columns), seconds)
        return [Lease(row["kind"], row["key"], row["holder"], row["epoch"], before) for row in rows]

    async def release(self, lease: Lease) -> None:
        await self._connection.execute(_RELEASE, *lease_params(lease))

    async def release_all(self) -> None:
        await self._connection.execute(_RELEASE_ALL)

    async def list_held(self, kind: str, keys: Sequence[str]) -> set[str]:
        return {row["key"] for row in await self._connection.fetch(_LIST_HELD, kind, keys)}

    async def get_holder(self, kind: str, key: str) -> LeaseHolder | None:
        row = await self._connection.fetchrow(_GET_HOLDER, kind, key)
        return LeaseHolder(row["holder"], row["expires_at"]) if row is not None else None

    async def check(self, lease: Lease) -> None:
        if await self._connection.fetchval(_CHECK, *lease_params(lease)) is None:
            raise StaleLease(f"The lease {lease.kind}:{lease.key} of epoch {lease.epoch} is no longer held.")


def lease_params(lease: Lease) -> tuple[str, str, str, int]:
    """Return the arguments of `IS_HELD`."""
    return lease.kind, lease.key, lease.holder, lease.epoch
