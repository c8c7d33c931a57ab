"""Second factors and recovery codes in PostgreSQL."""

from collections.abc import Sequence
from uuid import UUID

import asyncpg

from domain.model.users import TwoFactor
from infra.postgres.repositories.base import Repository

_COLUMNS = "user_id, sealed_secret, created_at, enabled_at, last_step, failures, failures_since"
_SAVE = f"""
INSERT INTO two_factors ({_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (user_id) DO UPDATE SET
sealed_secret = excluded.sealed_secret, created_at = excluded.created_at, enabled_at = excluded.enabled_at,
last_step = excluded.last_step, failures = excluded.failures, failures_since = excluded.failures_since
"""
_TAKE = "DELETE FROM recovery_codes WHERE user_id = $1 AND code_hash = $2"


class PostgresTwoFactors(Repository):
    """See `domain.ports.users.TwoFactorRepository`."""

    async def get(self, user_id: UUID, *, lock: bool = False) -> TwoFactor | None:
        query = f"SELECT {_COLUMNS} FROM two_factors WHERE user_id = $1{' FOR UPDATE' if lock else ''}"
        row = await self._connection.fetchrow(query, user_id)
        return _from_row(row) if row is not None else None

    async def save(self, factor: TwoFactor) -> None:
        await self._connection.execute(
            _SAVE,
            *(factor.user_id, factor.sealed_secret, factor.created_at, factor.enabled_at),
            *(factor.last_step, factor.failures, factor.failures_since),
        )

    async def delete(self, user_id: UUID) -> None:
        await self._connection.execute("DELETE FROM two_factors WHERE user_id = $1", user_id)
        await self._connection.execute("DELETE FROM recovery_codes WHERE user_id = $1", user_id)

    async def replace_recovery_codes(self, user_id: UUID, code_hashes: Sequence[bytes]) -> None:
        await self._connection.execute("DELETE FROM recovery_codes WHERE user_id = $1", user_id)
        query = "INSERT INTO recovery_codes (user_id, code_hash) SELECT $1, unnest($2::bytea[])"
        await self._connection.execute(query, user_id, list(code_hashes))

    async def take_recovery_code(self, user_id: UUID, code_hash: bytes) -> bool:
        return await self._connection.execute(_TAKE, user_id, code_hash) == "DELETE 1"

    async def count_recovery_codes(self, user_id: UUID) -> int:
        query = "SELECT count(*) FROM recovery_codes WHERE user_id = $1"
        return int(await self._connection.fetchval(query, user_id))

    async def sealed_secrets(self) -> dict[UUID, bytes]:
        rows = await self._connection.fetch("SELECT user_id, sealed_secret FROM two_factors")
        return {row["user_id"]: row["sealed_secret"] for row in rows}

    async def replace_secret(self, user_id: UUID, old: bytes, new: bytes) -> bool:
        query = "UPDATE two_factors SET sealed_secret = $3 WHERE user_id = $1 AND sealed_secret = $2"
        return await self._connection.execute(query, user_id, old, new) == "UPDATE 1"


def _from_row(row: asyncpg.Record) -> TwoFactor:
    return TwoFactor(
        row["user_id"],
        row["sealed_secret"],
        row["created_at"],
        row["enabled_at"],
        row["last_step"],
        row["failures"],
        row["failures_since"],
    )
