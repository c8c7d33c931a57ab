"""Stores a user's new password, and ends what somebody who knew the old one may have begun."""

from datetime import datetime
from typing import Final
from uuid import UUID

from domain.model.mail import CodePurpose, MailKind
from domain.ports.unit_of_work import UnitOfWork

_MAILS: Final = (MailKind.PASSWORD_RESET, MailKind.EMAIL_CHANGE)
_CODES: Final = (CodePurpose.PASSWORD_RESET, CodePurpose.OPERATOR_RESET, CodePurpose.EMAIL_CHANGE)


async def store_password(
    transaction: UnitOfWork, user_id: UUID, new_hash: str, keep: UUID | None, now: datetime
) -> list[UUID]:
    """Store the new password's hash, and end all open codes and all login sessions but `keep`; return their ids."""
    await transaction.users.set_password(user_id, new_hash)
    await transaction.mails.withdraw(user_id, _MAILS)
    await transaction.email_codes.revoke(user_id, _CODES)
    return await transaction.users.revoke_other_login_sessions(user_id, keep, now)
