"""The keys that mutations were called with, in PostgreSQL."""

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
    """One row a (user, operation, key); see `domain.ports.idempotency.IdempotencyRepository`."""

    async def reserve(
        self, user_id: UUID, operation: str, key: str, input_hash: bytes, result_id: UUID, at: datetime
    ) -> tuple[bytes, UUID] | None:
        """Write the row; where there is one already, wait for whoever is writing it and return its hash and result.

        The waiting is PostgreSQL's: the insert blocks on an uncommitted row of the same key, and goes in where that
        transaction is rolled back.
        """
        claimed = await self._connection.fetchval(_RESERVE, user_id, operation, key, input_hash, result_id, at)
        if claimed is not None:
            return None
        row = await self._connection.fetchrow(_FIND, user_id, operation, key)
        if row is None:  # it was of its last day, and has been forgotten in between
            return await self.reserve(user_id, operation, key, input_hash, result_id, at)
        return row["input_hash"], row["result_id"]

    async def delete_before(self, before: datetime, most: int) -> int:
        """Delete rows that were written before then, at most so many; return how many."""
        return int((await self._connection.execute(_DELETE_BEFORE, before, most)).rpartition(" ")[2])
