"""The halts that hold, in PostgreSQL."""

from collections.abc import Sequence
from uuid import UUID

from domain.model.trading_state import Halt, HaltAuthor, HaltLevel, TradingState
from infra.postgres.repositories.base import Repository
from infra.postgres.rows.columns import members_by_value

PUT = """
INSERT INTO halts (level, subject_id, state, since, author, reason) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (level, subject_id) DO UPDATE SET state = excluded.state, since = excluded.since,
    author = excluded.author, reason = excluded.reason"""
REMOVE = "DELETE FROM halts WHERE level = $1 AND subject_id = $2"
GET_MANY = """
SELECT level, subject_id, state, since, author, reason
FROM halts JOIN unnest($1::text[], $2::uuid[]) AS asked (level, subject_id) USING (level, subject_id)"""

_LEVELS = members_by_value(HaltLevel)
_STATES = members_by_value(TradingState)
_AUTHORS = members_by_value(HaltAuthor)


class PostgresHalts(Repository):
    """See `domain.ports.accounts.HaltRepository`."""

    async def put(self, halt: Halt) -> None:
        values = (halt.level, halt.subject_id, halt.state, halt.since, halt.by, halt.reason)
        await self._connection.execute(PUT, *values)

    async def remove(self, level: HaltLevel, subject_id: UUID) -> None:
        await self._connection.execute(REMOVE, level, subject_id)

    async def get_many(self, subjects: Sequence[tuple[HaltLevel, UUID]]) -> list[Halt]:
        levels, ids = [level for level, _ in subjects], [subject_id for _, subject_id in subjects]
        return [
            Halt(_LEVELS[level], subject_id, _STATES[state], since, _AUTHORS[author], reason)
            for level, subject_id, state, since, author, reason in await self._connection.fetch(GET_MANY, levels, ids)
        ]
