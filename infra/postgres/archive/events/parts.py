"""The parts of archived files: which file has which events of which user, in the database."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

from infra.postgres.archive.events.event_file import EventRow
from infra.postgres.archive.table_sums import TableSum
from infra.postgres.connection import Connection

SELECT_EVENTS: Final = """
SELECT user_id, sequence, 'epoch'::timestamptz + at * interval '1 microsecond' AS at, kind, order_id, subject_type,
    payload, message
FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::text[], $5::uuid[], $6::text[], $7::jsonb[], $8::text[])
    AS given (user_id, sequence, at, kind, order_id, subject_type, payload, message)"""
"""Archived events as rows of the table; `event_columns` are its parameters."""

# The smallest and the largest of ids: there is no min(uuid) before PostgreSQL 18.
PARTS: Final = """
SELECT user_id, count(*) AS rows, count(order_id) AS order_rows, sum(hash_record_extended(stored, 0)) AS hash,
    coalesce(sum(hash_record_extended(stored, 0)) FILTER (WHERE order_id IS NOT NULL), 0) AS order_hash,
    min(sequence) AS first_sequence, max(sequence) AS last_sequence, max(at) AS last_at,
    min(order_id::text COLLATE "C")::uuid AS first_order_id, max(order_id::text COLLATE "C")::uuid AS last_order_id
FROM stored GROUP BY user_id ORDER BY user_id"""
_ADD = """
INSERT INTO archived_event_parts (name, user_id, rows, order_rows, hash, order_hash, first_sequence, last_sequence,
    last_at, first_order_id, last_order_id)
SELECT $1, * FROM unnest($2::uuid[], $3::bigint[], $4::bigint[], $5::numeric[], $6::numeric[], $7::bigint[],
    $8::bigint[], $9::timestamptz[], $10::uuid[], $11::uuid[])"""
# Rows of a month that was restored are in the database, but a snapshot may be older than that; and a month that isn't
# dropped for a snapshot may be gone from the table, since TRUNCATE takes effect for older snapshots as well.
_OF_USER = """
SELECT name, sha256, first_sequence, erased_at IS NOT NULL AS is_erased
FROM archived_event_parts AS part JOIN archive_files USING (name) JOIN archive_batches AS batch ON batch.id = batch_id
LEFT JOIN users ON users.id = part.user_id
WHERE part.user_id = $1 AND last_sequence > $2 AND (
    state IN ('VERIFIED', 'DROPPED') OR (state = 'RESTORED' AND ended_at > clock_timestamp() - interval '1 hour'))
AND ($3::timestamptz IS NULL OR last_at >= $3) {} ORDER BY first_sequence, name"""
_WITH_ORDERS = "AND order_rows > 0"
_OF_ORDERS = "AND last_order_id >= $4 AND first_order_id <= $5"
_NEWEST = """
SELECT max(last) FROM archive_files WHERE batch_id IN (
    SELECT id FROM archive_batches WHERE source = 'user_events' AND state IN ('VERIFIED', 'DROPPED', 'RESTORED'))"""
# Of a user who was erased since, the events of orders alone are expected to be in the database.
_EXPECTED = """
SELECT coalesce(sum(CASE WHEN erased_at IS NULL THEN part.rows ELSE order_rows END), 0)::bigint,
    coalesce(sum(CASE WHEN erased_at IS NULL THEN hash ELSE order_hash END), 0)
FROM archived_event_parts AS part JOIN archive_files USING (name) LEFT JOIN users ON users.id = part.user_id
WHERE batch_id = $1"""


def event_columns(rows: Sequence[EventRow]) -> tuple[list[object], ...]:
    """Return archived events as parameters of `SELECT_EVENTS`."""
    return (
        [row.user_id for row in rows],
        [row.sequence for row in rows],
        [row.at for row in rows],
        [row.kind for row in rows],
        [row.order_id for row in rows],
        [row.subject_type for row in rows],
        [None if row.payload is None else row.payload.encode() for row in rows],
        [row.message for row in rows],
    )


@dataclass(frozen=True, slots=True)
class UserSums:
    """What PostgreSQL counts and adds up of a user's rows of a file; `order_…` is about those of orders alone."""

    user_id: UUID
    rows: int
    order_rows: int
    hash: Decimal
    order_hash: Decimal
    first_sequence: int
    last_sequence: int
    last_at: datetime
    first_order_id: UUID | None
    last_order_id: UUID | None


@dataclass(frozen=True, slots=True)
class EventPart:
    """A file that has events of a user from `first_sequence` on, its hash, and whether the user was erased."""

    name: str
    sha256: str
    first_sequence: int
    is_erased: bool


class EventParts:
    """The parts of files, on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, name: str, sums: Sequence[UserSums]) -> None:
        """Add the parts of a file that is listed."""
        columns = ([getattr(each, name) for each in sums] for name in UserSums.__dataclass_fields__)
        await self._connection.execute(_ADD, name, *columns)

    async def of_user(
        self, user_id: UUID, after: int, since: datetime | None, *, orders_only: bool = False
    ) -> list[EventPart]:
        """Return the files that have events of a user after a sequence, which may not be in the database."""
        return await self._parts(_OF_USER.format(_WITH_ORDERS if orders_only else ""), user_id, after, since)

    async def of_orders(self, user_id: UUID, order_ids: Sequence[UUID], since: datetime) -> list[EventPart]:
        """Return the files that may have events of some orders of a user, which may not be in the database."""
        return await self._parts(_OF_USER.format(_OF_ORDERS), user_id, 0, since, min(order_ids), max(order_ids))

    async def newest(self) -> datetime | None:
        """Return when the newest archived event of all users happened; None if none is archived."""
        found: datetime | None = await self._connection.fetchval(_NEWEST)
        return found

    async def expected(self, batch_id: int) -> TableSum:
        """Return the sum of a batch's rows that are still to be in the database."""
        row = await self._connection.fetchrow(_EXPECTED, batch_id)
        assert row is not None  # an aggregate has one
        return TableSum(*row)

    async def _parts(self, query: str, *arguments: object) -> list[EventPart]:
        return [EventPart(*row) for row in await self._connection.fetch(query, *arguments)]
