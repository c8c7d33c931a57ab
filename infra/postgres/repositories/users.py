"""Users and their activity in PostgreSQL."""

from datetime import datetime
from uuid import UUID

import asyncpg

from domain.core.pagination import KeysetPage
from domain.model.users import Activity, ActivityAuthor, User, UserRole
from infra.postgres.repositories.credentials import MAY_ACT, USER_COLUMNS, CredentialRepository, user_from_row

_FIRST_USER_LOCK = 7_235_843_403
"""The advisory lock under which it is decided who is the first user."""

_SELECT = f"SELECT {USER_COLUMNS}, users.password_hash FROM users"
_INSERT = """
INSERT INTO users (id, email, display_name, created_at, role, password_hash)
VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (email) DO NOTHING RETURNING id
"""
OPERATOR_LOCK = 7_235_843_407
"""The advisory lock under which operators act on users, and it is decided whether one may go."""

IS_LAST_OPERATOR = """
SELECT EXISTS (SELECT FROM users WHERE id <> $1 AND erased_at IS NULL)
AND EXISTS (SELECT FROM users WHERE id = $1 AND disabled_at IS NULL AND role = 'OPERATOR')
AND NOT EXISTS (
    SELECT FROM users WHERE id <> $1 AND erased_at IS NULL AND disabled_at IS NULL AND role = 'OPERATOR')
"""
SELECT_ACTIVITY = (
    "SELECT id, user_id, at, action, subject_type, subject_id, detail, author, operator_id, reason FROM activities"
)


class PostgresUsers(CredentialRepository):
    """Users, and with them login sessions, API keys and activity; see `domain.ports.users.UserRepository`."""

    async def add(self, user: User, password_hash: str) -> bool:
        role = user.role if await self._any_user_exists() else UserRole.OPERATOR
        values = (user.id, user.email, user.display_name, user.created_at, role)
        return await self._connection.fetchval(_INSERT, *values, password_hash) is not None

    async def _any_user_exists(self) -> bool:
        """Return whether there ever was a user; if not, no other transaction finds that out until this one ends."""
        # An erased one counts: else the next stranger would become the operator of an engine with a past.
        exists = "SELECT EXISTS (SELECT FROM users)"
        if await self._connection.fetchval(exists):
            return True
        await self._connection.execute("SELECT pg_advisory_xact_lock($1)", _FIRST_USER_LOCK)
        return bool(await self._connection.fetchval(exists))

    async def get(self, user_id: UUID) -> User | None:
        return _user_or_none(await self._connection.fetchrow(f"{_SELECT} WHERE id = $1", user_id))

    async def get_active(self, user_id: UUID) -> User | None:
        return _user_or_none(await self._connection.fetchrow(f"{_SELECT} WHERE id = $1 AND {MAY_ACT}", user_id))

    async def get_by_email(self, email: str) -> tuple[User, str] | None:
        row = await self._connection.fetchrow(f"{_SELECT} WHERE email = $1", email)
        return (user_from_row(row), row["password_hash"]) if row is not None else None

    async def only_user(self) -> User | None:
        rows = await self._connection.fetch(f"{_SELECT} WHERE erased_at IS NULL LIMIT 2")
        return user_from_row(rows[0]) if len(rows) == 1 else None

    async def password_hash(self, user_id: UUID, *, lock: bool = False) -> str | None:
        query = f"SELECT password_hash FROM users WHERE id = $1{' FOR NO KEY UPDATE' if lock else ''}"
        found: str | None = await self._connection.fetchval(query, user_id)
        return found

    async def lock(self, user_id: UUID, *, keep_new_rows_out: bool = False) -> bool:
        strength = "UPDATE" if keep_new_rows_out else "NO KEY UPDATE"
        query = f"SELECT id FROM users WHERE id = $1 AND erased_at IS NULL FOR {strength}"
        return await self._connection.fetchval(query, user_id) is not None

    async def update(self, user: User) -> None:
        await self._connection.execute(
            "UPDATE users SET display_name = $2, role = $3, time_zone = $4, locale = $5, report_currency = $6, "
            "notify_sign_in = $7 WHERE id = $1",
            *(user.id, user.display_name, user.role),
            *(user.time_zone, user.locale, user.report_currency, user.notify_sign_in),
        )

    async def set_email(self, user_id: UUID, email: str, verified_at: datetime | None) -> bool:
        query = (
            "UPDATE users SET email = $2, email_verified_at = $3 WHERE id = $1 "
            "AND NOT EXISTS (SELECT FROM users WHERE email = $2 AND id <> $1)"
        )
        try:
            return await self._connection.execute(query, user_id, email, verified_at) == "UPDATE 1"
        except asyncpg.UniqueViolationError:  # somebody took it at this moment: the transaction is to be rolled back
            return False

    async def set_password(self, user_id: UUID, password_hash: str) -> None:
        await self._connection.execute("UPDATE users SET password_hash = $2 WHERE id = $1", user_id, password_hash)

    async def set_role(self, email: str, role: UserRole) -> User | None:
        query = f"UPDATE users SET role = $2 WHERE email = $1 RETURNING {USER_COLUMNS}"
        return _user_or_none(await self._connection.fetchrow(query, email, role))

    async def set_disabled(self, user_id: UUID, at: datetime | None) -> None:
        await self._connection.execute("UPDATE users SET disabled_at = $2 WHERE id = $1", user_id, at)

    async def lock_operators(self) -> None:
        await self._connection.execute("SELECT pg_advisory_xact_lock($1)", OPERATOR_LOCK)

    async def is_last_operator(self, user_id: UUID) -> bool:
        await self.lock_operators()
        return bool(await self._connection.fetchval(IS_LAST_OPERATOR, user_id))

    async def add_activity(self, activity: Activity) -> None:
        await self._connection.execute(
            "INSERT INTO activities (id, user_id, at, action, subject_type, subject_id, detail, author, operator_id, "
            "reason) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
            *(activity.id, activity.user_id, activity.at, activity.action),
            *(activity.subject_type, activity.subject_id, activity.detail),
            *(activity.author, activity.operator_id, activity.reason),
        )

    async def activity(self, user_id: UUID, page: KeysetPage) -> list[Activity]:
        rows = await self._page(SELECT_ACTIVITY, page, [("user_id = {}", user_id)])
        return [activity_from_row(row) for row in rows]

    async def get_activity(self, user_id: UUID, activity_id: UUID) -> Activity | None:
        query = f"{SELECT_ACTIVITY} WHERE user_id = $1 AND id = $2"
        row = await self._connection.fetchrow(query, user_id, activity_id)
        return activity_from_row(row) if row is not None else None


def activity_from_row(row: asyncpg.Record) -> Activity:
    """Return the activity in a row of `SELECT_ACTIVITY`."""
    return Activity(
        *(row["id"], row["user_id"], row["at"], row["action"], row["subject_type"], row["subject_id"], row["detail"]),
        author=ActivityAuthor(row["author"]),
        operator_id=row["operator_id"],
        reason=row["reason"],
    )


def _user_or_none(row: asyncpg.Record | None) -> User | None:
    return user_from_row(row) if row is not None else None
