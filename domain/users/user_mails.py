"""Puts mails to users into the outbox, in the transaction of what they report."""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from domain.core.clock import IdGenerator
from domain.core.errors import ErrorCode, InputError
from domain.model.mail import Mail, MailKind
from domain.model.users import User
from domain.ports.unit_of_work import UnitOfWork

NOTICES_PER_HOUR: Final = 10
_HOUR: Final = timedelta(hours=1)


class UserMails:
    """The outbox as the users' services see it; without a mail server nothing is put into it."""

    def __init__(self, ids: IdGenerator, *, is_configured: bool) -> None:
        self._ids = ids
        self.is_configured = is_configured

    def require(self) -> None:
        """Raise UNSUPPORTED unless this server sends mail."""
        if not self.is_configured:
            message = "This server sends no mail, since no mail server is set (R3EDGE_SMTP_HOST); ask its operator."
            raise InputError(ErrorCode.UNSUPPORTED, message)

    async def add(
        self,
        transaction: UnitOfWork,
        kind: MailKind,
        recipient: str,
        at: datetime,
        user_id: UUID | None = None,
        detail: str | None = None,
    ) -> None:
        """Put a mail into the outbox if this server sends mail; `Mail` says what it means without `user_id`."""
        if self.is_configured:
            await transaction.mails.add(Mail(self._ids.next_id(), kind, recipient, at, user_id, detail=detail))

    async def notify(
        self, transaction: UnitOfWork, kind: MailKind, user: User, at: datetime, detail: str | None = None
    ) -> None:
        """Put a notice to the user into the outbox, unless it would bother somebody.

        An email that isn't verified may be a stranger's; and more than `NOTICES_PER_HOUR` in an hour tell nothing new.
        """
        if not self.is_configured or user.email_verified_at is None:
            return
        if await transaction.mails.count_notices(user.id, at - _HOUR) < NOTICES_PER_HOUR:
            await self.add(transaction, kind, user.email, at, user.id, detail)
