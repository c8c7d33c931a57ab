"""The users' event logs in PostgreSQL."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg

from domain.model.events import NewEvent, UserEvent, UserEventKind
from infra.postgres.archive.events.archived_events import ArchivedEvents
from infra.postgres.archive.events.parts import EventPart
from infra.postgres.connection import Connection
from infra.postgres.repositories.base import Repository
from infra.postgres.rows.events import decode_subject, encode_subject, subject_order_id

CLOCK_SLACK = timedelta(days=1)
"""How far apart the clocks of nodes may be: an event may be older than its predecessor in the log by so much."""


def append_statement(first: int, condition: str = "") -> str:
    """Return the common table expressions that append events; their parameters, `event_params`, start at `$first`.

    One statement, so one round trip. The counters are locked in the order of the users' ids, so that two transactions
    with events for the same users can't deadlock.
    """
    types = ("uuid[]", "timestamptz[]", "text[]", "uuid[]", "text[]", "jsonb[]", "text[]")
    arrays = ", ".join(f"${first + place}::{kind}" for place, kind in enumerate(types))
    return f"""
new_events AS (
    SELECT * FROM unnest({arrays})
    WITH ORDINALITY AS new_events (user_id, at, kind, order_id, subject_type, payload, message, place) {condition}
), heads AS (
    INSERT INTO user_event_heads AS head (user_id, sequence, at)
    SELECT user_id, count(*), (array_agg(at ORDER BY place DESC))[1] FROM new_events GROUP BY user_id ORDER BY user_id
    ON CONFLICT (user_id) DO UPDATE SET sequence = head.sequence + excluded.sequence, at = excluded.at
    RETURNING user_id, sequence
), inserted AS (
    INSERT INTO user_events (user_id, sequence, at, kind, order_id, subject_type, payload, message)
    SELECT user_id, heads.sequence + 1 - row_number() OVER (PARTITION BY user_id ORDER BY place DESC),
           at, kind, order_id, subject_type, payload, message
    FROM new_events JOIN heads USING (user_id)
)"""


APPEND = f"WITH {append_statement(1)} SELECT true"
_HEADS = "SELECT user_id, sequence FROM user_event_heads WHERE user_id = ANY($1::uuid[])"
_SELECT = "SELECT user_id, sequence, at, kind, subject_type, payload, message FROM user_events WHERE user_id = $1"
# The bound on `at` is a condition of its own, never `OR $3 IS NULL`: that would keep the planner from leaving old
# partitions out.
_AFTER = _SELECT + " AND sequence > $2 {} ORDER BY sequence LIMIT $3"
_ORDERS_ONLY = "AND order_id IS NOT NULL"
_SINCE = "AND at >= $4"


class PostgresEventLog(Repository):
    """`EventLog` in PostgreSQL; the transaction writes what was appended just before its commit.

    It reads what is in the database, and tells in which files the rest is; `PostgresEventHistory` reads both.
    """

    def __init__(self, connection: Connection, archive: ArchivedEvents | None = None) -> None:
        super().__init__(connection)
        self._archive = archive or ArchivedEvents()
        self._pending: list[NewEvent] = []

    @property
    def pending(self) -> Sequence[NewEvent]:
        """The appended events that aren't written yet."""
        return self._pending

    def append(self, events: Sequence[NewEvent]) -> None:
        self._pending.extend(events)

    def drain(self) -> list[NewEvent]:
        """Return the pending events, to be written; the commit must follow at once."""
        events, self._pending = self._pending, []
        return events

    async def head(self, user_id: UUID) -> tuple[int, datetime | None]:
        row = await self._connection.fetchrow("SELECT sequence, at FROM user_event_heads WHERE user_id = $1", user_id)
        return (row["sequence"], row["at"]) if row is not None else (0, None)

    async def heads(self, user_ids: Sequence[UUID]) -> dict[UUID, int]:
        rows = await self._connection.fetch(_HEADS, user_ids)
        return {row["user_id"]: row["sequence"] for row in rows}

    async def read_after(
        self, user_id: UUID, sequence: int, at: datetime | None, limit: int, *, orders_only: bool = False
    ) -> list[UserEvent]:
        conditions = [_ORDERS_ONLY] if orders_only else []
        conditions += [_SINCE] if at is not None else []
        bounds = [at - CLOCK_SLACK] if at is not None else []
        query = _AFTER.format(" ".join(conditions))
        return _events(await self._connection.fetch(query, user_id, sequence, limit, *bounds))

    async def list_for_order(self, user_id: UUID, order_id: UUID, since: datetime) -> list[UserEvent]:
        query = _SELECT + " AND order_id = $2 AND at >= $3 ORDER BY sequence"
        return _events(await self._connection.fetch(query, user_id, order_id, since - CLOCK_SLACK))

    async def list_for_orders(self, user_id: UUID, order_ids: Sequence[UUID], since: datetime) -> list[UserEvent]:
        query = _SELECT + " AND order_id = ANY($2::uuid[]) AND at >= $3 ORDER BY sequence"
        return _events(await self._connection.fetch(query, user_id, list(set(order_ids)), since - CLOCK_SLACK))

    async def archived_parts(
        self, user_id: UUID, sequence: int, at: datetime | None, *, orders_only: bool = False
    ) -> list[EventPart]:
        """Return the files that have events which follow `sequence`, and which may not be in the database."""
        since = None if at is None else at - CLOCK_SLACK
        return await self._archive.parts(self._connection, user_id, sequence, since, orders_only=orders_only)

    async def archived_order_parts(self, user_id: UUID, order_ids: Sequence[UUID], since: datetime) -> list[EventPart]:
        """Return the files that may have events of some orders, which may not be in the database."""
        return await self._archive.order_parts(self._connection, user_id, order_ids, since - CLOCK_SLACK)


def event_params(events: Sequence[NewEvent]) -> tuple[list[object], ...]:
    """Return the parameters of `append_statement`: a list for each column."""
    encoded = [encode_subject(event.subject) for event in events]
    return (
        [event.user_id for event in events],
        [event.at for event in events],
        [event.kind.value for event in events],
        [subject_order_id(event.subject) for event in events],
        [name for name, _ in encoded],
        [data for _, data in encoded],
        [event.message for event in events],
    )


def _events(rows: Sequence[asyncpg.Record]) -> list[UserEvent]:
    return [
        UserEvent(
            user_id=row["user_id"],
            sequence=row["sequence"],
            at=row["at"],
            kind=UserEventKind(row["kind"]),
            subject=decode_subject(row["subject_type"], row["payload"]),
            message=row["message"],
        )
        for row in rows
    ]
