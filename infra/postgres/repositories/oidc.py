"""Sign-ins at OpenID providers, and linked identities, in PostgreSQL."""

from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg

from domain.model.oidc import ExternalIdentity, LinkedIdentity, OidcAttempt, OidcResult
from infra.postgres.repositories.base import Repository

_ATTEMPT: Final = "id, provider, nonce, verifier, challenge, created_at, expires_at"
_LINKED: Final = "id, user_id, provider, issuer, subject, email, created_at, last_used_at"
_SELECT: Final = f"SELECT {_LINKED} FROM linked_identities"
_DELETE_EXPIRED: Final = """
DELETE FROM oidc_attempts WHERE id IN (SELECT id FROM oidc_attempts WHERE expires_at <= $1 LIMIT $2)
"""


class PostgresOidc(Repository):
    """See `domain.ports.oidc.OidcRepository`."""

    async def add_attempt(self, attempt: OidcAttempt, state_hash: bytes) -> None:
        await self._connection.execute(
            f"INSERT INTO oidc_attempts ({_ATTEMPT}, state_hash) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            *(attempt.id, attempt.provider, attempt.nonce, attempt.verifier, attempt.challenge),
            *(attempt.created_at, attempt.expires_at, state_hash),
        )

    async def take_attempt(self, state_hash: bytes, now: datetime) -> OidcAttempt | None:
        query = (
            f"UPDATE oidc_attempts SET state_hash = NULL WHERE state_hash = $1 AND expires_at > $2 RETURNING {_ATTEMPT}"
        )
        row = await self._connection.fetchrow(query, state_hash, now)
        return OidcAttempt(**row) if row is not None else None

    async def add_result(
        self, attempt_id: UUID, identity: ExternalIdentity, code_hash: bytes, expires_at: datetime
    ) -> None:
        await self._connection.execute(
            "UPDATE oidc_attempts SET code_hash = $2, expires_at = $3, issuer = $4, subject = $5, email = $6, "
            "email_verified = $7, name = $8 WHERE id = $1",
            *(attempt_id, code_hash, expires_at, identity.issuer, identity.subject, identity.email),
            *(identity.email_verified, identity.name),
        )

    async def find_result(self, code_hash: bytes, now: datetime) -> OidcResult | None:
        query = (
            "SELECT id, challenge, provider, issuer, subject, email, email_verified, name FROM oidc_attempts "
            "WHERE code_hash = $1 AND expires_at > $2"
        )
        row = await self._connection.fetchrow(query, code_hash, now)
        if row is None:
            return None
        known = (row["provider"], row["issuer"], row["subject"], row["email"], row["email_verified"], row["name"])
        return OidcResult(row["id"], row["challenge"], ExternalIdentity(*known))

    async def take_result(self, attempt_id: UUID) -> bool:
        return await self._connection.execute("DELETE FROM oidc_attempts WHERE id = $1", attempt_id) == "DELETE 1"

    async def delete_expired(self, now: datetime, limit: int) -> int:
        status = await self._connection.execute(_DELETE_EXPIRED, now, limit)
        return int(status.rpartition(" ")[2])

    async def find(self, issuer: str, subject: str) -> LinkedIdentity | None:
        query = f"{_SELECT} WHERE issuer = $1 AND subject = $2"
        return _linked_or_none(await self._connection.fetchrow(query, issuer, subject))

    async def add(self, identity: LinkedIdentity) -> bool:
        query = (
            f"INSERT INTO linked_identities ({_LINKED}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) "
            "ON CONFLICT (issuer, subject) DO NOTHING"
        )
        status = await self._connection.execute(
            query,
            *(identity.id, identity.user_id, identity.provider, identity.issuer, identity.subject, identity.email),
            *(identity.created_at, identity.last_used_at),
        )
        return status == "INSERT 0 1"

    async def get(self, user_id: UUID, identity_id: UUID) -> LinkedIdentity | None:
        query = f"{_SELECT} WHERE user_id = $1 AND id = $2"
        return _linked_or_none(await self._connection.fetchrow(query, user_id, identity_id))

    async def list_of_user(self, user_id: UUID) -> list[LinkedIdentity]:
        rows = await self._connection.fetch(f"{_SELECT} WHERE user_id = $1 ORDER BY id DESC", user_id)
        return [LinkedIdentity(**row) for row in rows]

    async def touch(self, identity_id: UUID, email: str | None, at: datetime) -> None:
        query = "UPDATE linked_identities SET email = $2, last_used_at = $3 WHERE id = $1"
        await self._connection.execute(query, identity_id, email, at)

    async def remove(self, user_id: UUID, identity_id: UUID) -> bool:
        query = "DELETE FROM linked_identities WHERE user_id = $1 AND id = $2"
        return await self._connection.execute(query, user_id, identity_id) == "DELETE 1"

    async def remove_all(self, user_id: UUID) -> None:
        await self._connection.execute("DELETE FROM linked_identities WHERE user_id = $1", user_id)


def _linked_or_none(row: asyncpg.Record | None) -> LinkedIdentity | None:
    return LinkedIdentity(**row) if row is not None else None
