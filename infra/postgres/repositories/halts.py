"""The halts that hold, in PostgreSQL."""

from collections.abc import Sequence
from uuid import UUID

from asyncpg import Record

from domain.model.trading import TradingSession
from domain.model.trading_state import Halt, HaltAuthor, HaltLevel, TradingState
from infra.postgres.repositories.base import Repository
from infra.postgres.rows.columns import members_by_value
from infra.postgres.rows.halts import applies_to

HALT_LOCK = 4117923055
"""The advisory lock that a decision to send an order shares and a halt holds alone, each until it has committed.

It is taken before any row is locked, so that the two can't deadlock.
"""
_LOCK = "SELECT pg_advisory_xact_lock($1)"
SHARE_HALT_LOCK = "SELECT pg_advisory_xact_lock_shared($1)"

PUT = """
INSERT INTO halts (level, subject_id, state, since, author, reason, cancel_orders, close_positions)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (level, subject_id, author) DO UPDATE SET state = excluded.state, since = excluded.since,
    reason = excluded.reason, cancel_orders = excluded.cancel_orders, close_positions = excluded.close_positions"""
REMOVE = """
DELETE FROM halts WHERE level = $1 AND subject_id = $2 AND author = coalesce($3, author)
RETURNING level, subject_id, state, since, author, reason, cancel_orders, close_positions"""
GET_MANY = """
SELECT level, subject_id, state, since, author, reason, cancel_orders, close_positions
FROM halts JOIN unnest($1::text[], $2::uuid[]) AS asked (level, subject_id) USING (level, subject_id) ORDER BY author"""
IS_HALTED = f"SELECT EXISTS (SELECT FROM halts WHERE {applies_to('$1', '$2', '$3')})"

_LEVELS = members_by_value(HaltLevel)
_STATES = members_by_value(TradingState)
_AUTHORS = members_by_value(HaltAuthor)


class PostgresHalts(Repository):
    """See `domain.ports.accounts.HaltRepository`."""

    async def hold_off(self) -> None:
        await self._connection.execute(SHARE_HALT_LOCK, HALT_LOCK)

    async def lock(self) -> None:
        await self._connection.execute(_LOCK, HALT_LOCK)

    async def put(self, halt: Halt) -> None:
        await self.lock()
        await self._connection.execute(
            PUT,
            *(halt.level, halt.subject_id, halt.state, halt.since, halt.by, halt.reason),
            *(halt.cancel_orders, halt.close_positions),
        )

    async def remove(self, level: HaltLevel, subject_id: UUID, by: HaltAuthor | None) -> list[Halt]:
        return [_halt(row) for row in await self._connection.fetch(REMOVE, level, subject_id, by)]

    async def apply_to(self, session: TradingSession) -> bool:
        return bool(await self._connection.fetchval(IS_HALTED, session.user_id, session.account_id, session.id))

    async def get_many(self, subjects: Sequence[tuple[HaltLevel, UUID]]) -> list[Halt]:
        levels, ids = [level for level, _ in subjects], [subject_id for _, subject_id in subjects]
        return [_halt(row) for row in await self._connection.fetch(GET_MANY, levels, ids)]


def _halt(row: Record) -> Halt:
    return Halt(
        _LEVELS[row["level"]],
        row["subject_id"],
        _STATES[row["state"]],
        row["since"],
        _AUTHORS[row["author"]],
        row["reason"],
        row["cancel_orders"],
        row["close_positions"],
    )
