"""Login sessions and API keys in PostgreSQL, found by the hashes of their secrets."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from domain.model.trading_state import TradingState
from domain.model.users import ApiKey, ApiScope, Device, LoginSession, User, UserRole
from infra.postgres.repositories.base import Repository
from infra.postgres.repositories.plans import PLAN_OF_USER, plan_from_json

USER_COLUMNS = (
    "users.id AS user_id, users.email, users.display_name, users.created_at AS user_created_at, users.role, "
    "users.email_verified_at, users.time_zone, users.locale, users.report_currency, "
    "users.notify_sign_in, users.disabled_at, "
    "(SELECT enabled_at FROM two_factors WHERE two_factors.user_id = users.id) AS two_factor_enabled_at, "
    "halt_state('USER', users.id) AS trading_state, "
    f"{PLAN_OF_USER.format('users.id')} AS plan"
)
"""What `user_from_row` reads; named so that they can be selected together with a credential's columns."""

_SESSION_OF_USER = "login_sessions.id, login_sessions.user_id, login_sessions.created_at"
_SESSION = f"{_SESSION_OF_USER}, last_seen_at, expires_at, address, user_agent, provider"
_KEY = "api_keys.id, api_keys.user_id, name, scopes, api_keys.created_at, last_used_at, expires_at, requests_per_minute"
_LIVE = "revoked_at IS NULL"
MAY_ACT = "users.erased_at IS NULL AND users.disabled_at IS NULL"
_TABLES = ("login_sessions", "api_keys")


class CredentialRepository(Repository):
    """The part of the users' repository that stores credentials."""

    async def add_login_session(self, session: LoginSession, token_hash: bytes) -> None:
        await self._connection.execute(
            "INSERT INTO login_sessions (id, user_id, created_at, last_seen_at, expires_at, token_hash, address, "
            "user_agent, provider, confirmed_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $3)",
            *(session.id, session.user_id, session.created_at, session.last_seen_at, session.expires_at, token_hash),
            *(session.address, session.user_agent, session.provider),
        )

    async def has_signed_in_from(self, user_id: UUID, device: Device) -> bool:
        query = (
            "SELECT EXISTS (SELECT FROM login_sessions WHERE user_id = $1 AND address = $2 "
            "AND user_agent IS NOT DISTINCT FROM $3)"
        )
        return bool(await self._connection.fetchval(query, user_id, device.address, device.user_agent))

    async def login_session_by_token(self, token_hash: bytes) -> tuple[LoginSession, User] | None:
        query = (
            f"SELECT {_SESSION}, {USER_COLUMNS} FROM login_sessions JOIN users ON users.id = login_sessions.user_id "
            f"WHERE token_hash = $1 AND {_LIVE} AND {MAY_ACT}"
        )
        row = await self._connection.fetchrow(query, token_hash)
        return (_login_session_from_row(row), user_from_row(row)) if row is not None else None

    async def login_sessions(self, user_id: UUID, now: datetime) -> list[LoginSession]:
        query = (
            f"SELECT {_SESSION} FROM login_sessions WHERE user_id = $1 AND {_LIVE} AND expires_at > $2 ORDER BY id DESC"
        )
        return [_login_session_from_row(row) for row in await self._connection.fetch(query, user_id, now)]

    async def touch_login_session(self, session_id: UUID, at: datetime) -> None:
        await self._connection.execute("UPDATE login_sessions SET last_seen_at = $2 WHERE id = $1", session_id, at)

    async def revoke_login_session(self, user_id: UUID, session_id: UUID, at: datetime) -> LoginSession | None:
        query = (
            f"UPDATE login_sessions SET revoked_at = $3 WHERE user_id = $1 AND id = $2 AND {_LIVE} AND expires_at > $3 "
            f"RETURNING {_SESSION}"
        )
        row = await self._connection.fetchrow(query, user_id, session_id, at)
        return _login_session_from_row(row) if row is not None else None

    async def revoke_other_login_sessions(self, user_id: UUID, keep: UUID | None, at: datetime) -> list[UUID]:
        query = (
            f"UPDATE login_sessions SET revoked_at = $3 WHERE user_id = $1 AND id IS DISTINCT FROM $2 AND {_LIVE} "
            "RETURNING id"
        )
        return [row["id"] for row in await self._connection.fetch(query, user_id, keep, at)]

    async def revoke_surplus_login_sessions(self, user_id: UUID, keep: int, at: datetime) -> list[UUID]:
        query = (
            "UPDATE login_sessions SET revoked_at = $3 WHERE id IN (SELECT id FROM login_sessions "
            f"WHERE user_id = $1 AND {_LIVE} AND expires_at > $3 ORDER BY id DESC OFFSET $2) RETURNING id"
        )
        return [row["id"] for row in await self._connection.fetch(query, user_id, keep, at)]

    async def revoke_api_keys(self, user_id: UUID, keep: UUID | None, at: datetime) -> list[UUID]:
        query = (
            f"UPDATE api_keys SET revoked_at = $3 WHERE user_id = $1 AND id IS DISTINCT FROM $2 AND {_LIVE} "
            "RETURNING id"
        )
        return [row["id"] for row in await self._connection.fetch(query, user_id, keep, at)]

    async def delete_ended_credentials(self, ended_before: datetime, limit: int) -> int:
        query = "DELETE FROM {0} WHERE id IN (SELECT id FROM {0} WHERE least(revoked_at, expires_at) < $1 LIMIT $2)"
        deleted = [await self._connection.execute(query.format(table), ended_before, limit) for table in _TABLES]
        return sum(int(status.rpartition(" ")[2]) for status in deleted)

    async def valid_credential_ids(self, ids: Sequence[UUID], now: datetime) -> set[UUID]:
        query = (
            f"SELECT id FROM login_sessions WHERE id = ANY($1::uuid[]) AND {_LIVE} AND expires_at > $2 UNION ALL "
            "SELECT api_keys.id FROM api_keys JOIN users ON users.id = api_keys.user_id "
            f"WHERE api_keys.id = ANY($1::uuid[]) AND {_LIVE} AND (expires_at IS NULL OR expires_at > $2) "
            f"AND {MAY_ACT}"
        )
        return {row["id"] for row in await self._connection.fetch(query, list(ids), now)}

    async def confirmed_at(self, session_id: UUID) -> datetime | None:
        found: datetime | None = await self._connection.fetchval(
            "SELECT confirmed_at FROM login_sessions WHERE id = $1", session_id
        )
        return found

    async def confirm_login_session(self, session_id: UUID, at: datetime) -> None:
        await self._connection.execute("UPDATE login_sessions SET confirmed_at = $2 WHERE id = $1", session_id, at)

    async def add_api_key(self, key: ApiKey, secret_hash: bytes) -> None:
        await self._connection.execute(
            "INSERT INTO api_keys (id, user_id, name, scopes, created_at, last_used_at, expires_at, secret_hash, "
            "requests_per_minute) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            *(key.id, key.user_id, key.name, sorted(key.scopes), key.created_at, key.last_used_at, key.expires_at),
            *(secret_hash, key.requests_per_minute),
        )

    async def api_key_by_secret(self, secret_hash: bytes) -> tuple[ApiKey, User] | None:
        query = (
            f"SELECT {_KEY}, {USER_COLUMNS} FROM api_keys JOIN users ON users.id = api_keys.user_id "
            f"WHERE secret_hash = $1 AND {_LIVE} AND {MAY_ACT}"
        )
        row = await self._connection.fetchrow(query, secret_hash)
        return (_api_key_from_row(row), user_from_row(row)) if row is not None else None

    async def api_keys(self, user_id: UUID) -> list[ApiKey]:
        query = f"SELECT {_KEY} FROM api_keys WHERE user_id = $1 AND {_LIVE} ORDER BY id DESC"
        return [_api_key_from_row(row) for row in await self._connection.fetch(query, user_id)]

    async def touch_api_key(self, key_id: UUID, at: datetime) -> None:
        await self._connection.execute("UPDATE api_keys SET last_used_at = $2 WHERE id = $1", key_id, at)

    async def revoke_api_key(self, user_id: UUID, key_id: UUID, at: datetime) -> ApiKey | None:
        query = f"UPDATE api_keys SET revoked_at = $3 WHERE user_id = $1 AND id = $2 AND {_LIVE} RETURNING {_KEY}"
        row = await self._connection.fetchrow(query, user_id, key_id, at)
        return _api_key_from_row(row) if row is not None else None


def user_from_row(row: asyncpg.Record) -> User:
    """Return the user of a row that has `USER_COLUMNS`."""
    return User(
        id=row["user_id"],
        email=row["email"],
        display_name=row["display_name"],
        created_at=row["user_created_at"],
        role=UserRole(row["role"]),
        trading_state=TradingState(row["trading_state"]),
        email_verified_at=row["email_verified_at"],
        two_factor_enabled_at=row["two_factor_enabled_at"],
        time_zone=row["time_zone"],
        locale=row["locale"],
        report_currency=row["report_currency"],
        notify_sign_in=row["notify_sign_in"],
        plan=plan_from_json(row["plan"]),
        disabled_at=row["disabled_at"],
    )


def _login_session_from_row(row: asyncpg.Record) -> LoginSession:
    device = None if row["address"] is None else Device(row["address"], row["user_agent"])
    times = (row["created_at"], row["last_seen_at"], row["expires_at"])
    return LoginSession(row["id"], row["user_id"], *times, device, row["provider"])


def _api_key_from_row(row: asyncpg.Record) -> ApiKey:
    scopes = frozenset(ApiScope(scope) for scope in row["scopes"])
    identity = (row["id"], row["user_id"], row["name"])
    times = (row["created_at"], row["last_used_at"], row["expires_at"])
    return ApiKey(*identity, scopes, *times, row["requests_per_minute"])
