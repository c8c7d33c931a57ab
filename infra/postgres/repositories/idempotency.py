"""Idempotency keys in PostgreSQL."""

from datetime import datetime
from uuid import UUID

from infra.postgres.repositories.base import Repository

_RESERVE = """
INSERT INTO idempotency (user_id, operation, key, input_hash, result_id, at) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (user_id, operation, key) DO NOTHING RETURNING key
"""
_DELETE_BEFORE = "DELETE FROM idempotency WHERE ctid = ANY(ARRAY(SELECT ctid FROM idempotency WHERE at < $1 LIMIT $2))"
_FIND = "SELECT input_hash, result_id FROM idempotency WHERE user_id = $1 AND operation = $2 AND key = $3"


class PostgresIdempotency(Repository):
    """Implements `domain.ports.idempotency.IdempotencyRepository`."""

    async def reserve(
        self, user_id: UUID, operation: str, key: str, input_hash: bytes, result_id: UUID, at: datetime
    ) -> tuple[bytes, UUID] | None:
        # PostgreSQL does the waiting: the insert blocks on an uncommitted row of the same key, and succeeds if that
        # transaction rolls back.
        inserted = await self._connection.fetchval(_RESERVE, user_id, operation, key, input_hash, result_id, at)
        if inserted is not None:
            return None
        row = await self._connection.fetchrow(_FIND, user_id, operation, key)
        if row is None:  # it had expired, and was deleted in between
            return await self.reserve(user_id, operation, key, input_hash, result_id, at)
        return row["input_hash"], row["result_id"]

    async def delete_before(self, before: datetime, limit: int) -> int:
        return int((await self._connection.execute(_DELETE_BEFORE, before, limit)).rpartition(" ")[2])
