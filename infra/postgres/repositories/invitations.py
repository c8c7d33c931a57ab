"""Invitations in PostgreSQL."""

from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg

from domain.core.pagination import KeysetPage
from domain.model.invitations import Invitation, InvitationCode
from domain.model.users import UserRole
from infra.postgres.repositories.base import Repository

_INVITATION_LOCK: Final = 7_235_843_411
"""The advisory lock under which invitations are added, one after the other."""

_COLUMNS: Final = "id, email, role, invited_by, created_at, expires_at, accepted_at, withdrawn_at"
_UNUSED: Final = "accepted_at IS NULL AND withdrawn_at IS NULL"
_SELECT: Final = f"SELECT {_COLUMNS} FROM invitations"
_DELETE_ENDED: Final = """
DELETE FROM invitations WHERE id IN (
    SELECT id FROM invitations WHERE coalesce(accepted_at, withdrawn_at, expires_at) < $1 LIMIT $2)
"""


class PostgresInvitations(Repository):
    """See `domain.ports.invitations.InvitationRepository`."""

    async def add(self, invitation: Invitation) -> None:
        await self._connection.execute(
            f"UPDATE invitations SET withdrawn_at = $2 WHERE email = $1 AND {_UNUSED}",
            *(invitation.email, invitation.created_at),
        )
        await self._connection.execute(
            f"INSERT INTO invitations ({_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            *(invitation.id, invitation.email, invitation.role, invitation.invited_by, invitation.created_at),
            *(invitation.expires_at, invitation.accepted_at, invitation.withdrawn_at),
        )

    async def count_open(self, now: datetime) -> int:
        await self._connection.execute("SELECT pg_advisory_xact_lock($1)", _INVITATION_LOCK)
        query = f"SELECT count(*) FROM invitations WHERE {_UNUSED} AND expires_at > $1"
        return int(await self._connection.fetchval(query, now))

    async def get(self, invitation_id: UUID) -> Invitation | None:
        return _invitation_or_none(await self._connection.fetchrow(f"{_SELECT} WHERE id = $1", invitation_id))

    async def list_page(self, page: KeysetPage) -> list[Invitation]:
        return [_invitation_from_row(row) for row in await self._page(_SELECT, page, [])]

    async def open_of_email(self, email: str, now: datetime) -> Invitation | None:
        query = f"{_SELECT} WHERE email = $1 AND {_UNUSED} AND expires_at > $2"
        return _invitation_or_none(await self._connection.fetchrow(query, email, now))

    async def add_code(self, invitation_id: UUID, code_hash: bytes, *, sent_by_mail: bool) -> None:
        await self._connection.execute(
            "INSERT INTO invitation_codes (code_hash, invitation_id, sent_by_mail) VALUES ($1, $2, $3)",
            *(code_hash, invitation_id, sent_by_mail),
        )

    async def find(self, code_hash: bytes) -> InvitationCode | None:
        query = (
            f"SELECT {_COLUMNS}, sent_by_mail FROM invitation_codes JOIN invitations ON id = invitation_id "
            "WHERE code_hash = $1"
        )
        row = await self._connection.fetchrow(query, code_hash)
        return InvitationCode(_invitation_from_row(row), row["sent_by_mail"]) if row is not None else None

    async def accept(self, invitation_id: UUID, user_id: UUID, now: datetime) -> bool:
        query = f"UPDATE invitations SET accepted_at = $3, user_id = $2 WHERE id = $1 AND {_UNUSED} AND expires_at > $3"
        return await self._connection.execute(query, invitation_id, user_id, now) == "UPDATE 1"

    async def withdraw(self, invitation_id: UUID, now: datetime) -> Invitation | None:
        query = (
            f"UPDATE invitations SET withdrawn_at = $2 WHERE id = $1 AND {_UNUSED} AND expires_at > $2 "
            f"RETURNING {_COLUMNS}"
        )
        return _invitation_or_none(await self._connection.fetchrow(query, invitation_id, now))

    async def delete_ended(self, ended_before: datetime, limit: int) -> int:
        status = await self._connection.execute(_DELETE_ENDED, ended_before, limit)
        return int(status.rpartition(" ")[2])


def _invitation_or_none(row: asyncpg.Record | None) -> Invitation | None:
    return _invitation_from_row(row) if row is not None else None


def _invitation_from_row(row: asyncpg.Record) -> Invitation:
    invited = (row["id"], row["email"], UserRole(row["role"]), row["invited_by"])
    return Invitation(*invited, row["created_at"], row["expires_at"], row["accepted_at"], row["withdrawn_at"])
