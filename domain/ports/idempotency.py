"""The port of the idempotency keys."""

from datetime import datetime
from typing import Protocol
from uuid import UUID


class IdempotencyRepository(Protocol):
    """One row a (user, operation, key): the hash of the input and what came of it."""

    async def reserve(
        self, user_id: UUID, operation: str, key: str, input_hash: bytes, result_id: UUID, at: datetime
    ) -> tuple[bytes, UUID] | None:
        """Write the row; where there is one already, wait for whoever is writing it and return its hash and result."""
        ...

    async def delete_before(self, before: datetime, most: int) -> int:
        """Delete rows that were written before then, at most so many; return how many."""
        ...
