"""The port of the idempotency keys."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID


@dataclass(frozen=True, slots=True)
class KeyReservation:
    """A key that is to be used for one result, with the hash of its input."""

    user_id: UUID
    operation: str
    key: str
    input_hash: bytes
    at: datetime


class IdempotencyRepository(Protocol):
    """One row for each (user, operation, key), with the hash of the input and the id of the result."""

    async def reserve(
        self, user_id: UUID, operation: str, key: str, input_hash: bytes, result_id: UUID, at: datetime
    ) -> tuple[bytes, UUID] | None:
        """Insert the row; if there is one already, wait until its transaction ends and return its hash and result."""
        ...

    async def delete_before(self, before: datetime, limit: int) -> int:
        """Delete at most `limit` rows that were inserted before then; return how many."""
        ...
