"""The outbox of mails and their codes in PostgreSQL."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

import asyncpg

from domain.model.mail import CODE_KINDS, CodePurpose, EmailCode, Mail, MailKind
from infra.postgres.repositories.base import Repository

_COLUMNS = "id, kind, recipient, created_at, user_id, attempts, detail"
_OPEN = "sent_at IS NULL AND given_up_at IS NULL"
_CODE = "user_id, purpose, email, created_at, expires_at"

_CLAIM = f"""
UPDATE mails SET attempts = attempts + 1, due_at = $2 WHERE id IN (
    SELECT id FROM mails WHERE {_OPEN} AND due_at <= $1 AND kind = ANY($4::text[])
    ORDER BY kind = ANY($5::text[]) DESC, due_at, id LIMIT $3 FOR UPDATE SKIP LOCKED
) RETURNING {_COLUMNS}
"""
_WITHDRAW = f"""
DELETE FROM mails WHERE {_OPEN} AND kind = ANY($2::text[])
AND (user_id = $1 OR user_id IS NULL AND recipient = (SELECT email FROM users WHERE id = $1))
"""
_DELETE_ENDED = """
DELETE FROM mails WHERE id IN (SELECT id FROM mails WHERE coalesce(sent_at, given_up_at) < $1 LIMIT $2)
"""
_DELETE_EXPIRED = """
DELETE FROM email_codes WHERE code_hash IN (SELECT code_hash FROM email_codes WHERE expires_at <= $1 LIMIT $2)
"""


class PostgresMails(Repository):
    """See `domain.ports.mail.MailOutbox`."""

    async def add(self, mail: Mail) -> None:
        await self._connection.execute(
            f"INSERT INTO mails ({_COLUMNS}, due_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $4)",
            *(mail.id, mail.kind, mail.recipient, mail.created_at, mail.user_id, mail.attempts, mail.detail),
        )

    async def count_notices(self, user_id: UUID, since: datetime) -> int:
        query = "SELECT count(*) FROM mails WHERE user_id = $1 AND created_at > $2 AND kind <> ALL($3::text[])"
        return int(await self._connection.fetchval(query, user_id, since, list(CODE_KINDS)))

    async def claim_due(self, now: datetime, again_at: datetime, limit: int) -> list[Mail]:
        rows = await self._connection.fetch(_CLAIM, now, again_at, limit, list(MailKind), list(CODE_KINDS))
        return [_mail_from_row(row) for row in rows]

    async def lock_open(self, mail_id: UUID) -> bool:
        query = f"SELECT id FROM mails WHERE id = $1 AND {_OPEN} FOR UPDATE"
        return await self._connection.fetchval(query, mail_id) is not None

    async def mark_sent(self, mail_id: UUID, at: datetime) -> None:
        await self._connection.execute("UPDATE mails SET sent_at = $2, error = NULL WHERE id = $1", mail_id, at)

    async def postpone(self, mail_id: UUID, until: datetime, error: str) -> None:
        await self._connection.execute("UPDATE mails SET due_at = $2, error = $3 WHERE id = $1", mail_id, until, error)

    async def give_up(self, mail_id: UUID, at: datetime, error: str) -> None:
        await self._connection.execute(
            "UPDATE mails SET given_up_at = $2, error = $3 WHERE id = $1", mail_id, at, error
        )

    async def delete(self, mail_id: UUID) -> None:
        await self._connection.execute("DELETE FROM mails WHERE id = $1", mail_id)

    async def withdraw(self, user_id: UUID, kinds: Collection[MailKind]) -> None:
        await self._connection.execute(_WITHDRAW, user_id, list(kinds))

    async def delete_ended(self, ended_before: datetime, limit: int) -> int:
        status = await self._connection.execute(_DELETE_ENDED, ended_before, limit)
        return int(status.rpartition(" ")[2])


class PostgresEmailCodes(Repository):
    """See `domain.ports.mail.EmailCodeRepository`."""

    async def add(self, code: EmailCode, code_hash: bytes) -> None:
        await self._connection.execute(
            f"INSERT INTO email_codes (code_hash, {_CODE}) VALUES ($1, $2, $3, $4, $5, $6)",
            *(code_hash, code.user_id, code.purpose, code.email, code.created_at, code.expires_at),
        )

    async def find(self, code_hash: bytes, now: datetime) -> EmailCode | None:
        query = f"SELECT {_CODE} FROM email_codes WHERE code_hash = $1 AND expires_at > $2"
        return _code_or_none(await self._connection.fetchrow(query, code_hash, now))

    async def take(self, code_hash: bytes, now: datetime) -> EmailCode | None:
        query = f"DELETE FROM email_codes WHERE code_hash = $1 AND expires_at > $2 RETURNING {_CODE}"
        code = _code_or_none(await self._connection.fetchrow(query, code_hash, now))
        if code is not None:
            await self.revoke(code.user_id, [code.purpose])
        return code

    async def revoke(self, user_id: UUID, purposes: Collection[CodePurpose]) -> None:
        query = "DELETE FROM email_codes WHERE user_id = $1 AND purpose = ANY($2::text[])"
        await self._connection.execute(query, user_id, list(purposes))

    async def delete_expired(self, now: datetime, limit: int) -> int:
        status = await self._connection.execute(_DELETE_EXPIRED, now, limit)
        return int(status.rpartition(" ")[2])


def _mail_from_row(row: asyncpg.Record) -> Mail:
    sent_to = (row["recipient"], row["created_at"], row["user_id"])
    return Mail(row["id"], MailKind(row["kind"]), *sent_to, row["attempts"], row["detail"])


def _code_or_none(row: asyncpg.Record | None) -> EmailCode | None:
    if row is None:
        return None
    purpose = CodePurpose(row["purpose"])
    return EmailCode(row["user_id"], purpose, row["email"], row["created_at"], row["expires_at"])
