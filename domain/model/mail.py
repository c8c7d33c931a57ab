"""Mails that the engine sends to users, and the codes in them that prove who reads an address."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID


class MailKind(StrEnum):
    """What a mail is about. The text is written when it is sent."""

    EMAIL_VERIFICATION = "EMAIL_VERIFICATION"
    EMAIL_CHANGE = "EMAIL_CHANGE"
    EMAIL_CHANGE_REQUESTED = "EMAIL_CHANGE_REQUESTED"
    EMAIL_CHANGED = "EMAIL_CHANGED"
    PASSWORD_RESET = "PASSWORD_RESET"  # noqa: S105  # a kind, not a password
    PASSWORD_CHANGED = "PASSWORD_CHANGED"  # noqa: S105  # as above
    SIGN_IN = "SIGN_IN"
    TWO_FACTOR_ENABLED = "TWO_FACTOR_ENABLED"
    TWO_FACTOR_DISABLED = "TWO_FACTOR_DISABLED"
    INVITATION = "INVITATION"
    USER_DISABLED = "USER_DISABLED"
    USER_ENABLED = "USER_ENABLED"
    ROLE_CHANGED = "ROLE_CHANGED"
    IDENTITY_LINKED = "IDENTITY_LINKED"
    IDENTITY_UNLINKED = "IDENTITY_UNLINKED"


CODE_KINDS: Final = frozenset(
    {MailKind.EMAIL_VERIFICATION, MailKind.EMAIL_CHANGE, MailKind.PASSWORD_RESET, MailKind.INVITATION}
)
"""The mails that have a code, for which somebody waits; the others are notices."""


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail in the outbox; `attempts` counts the tries to send it, the present one too.

    Without `user_id` it goes to the user who has the address when it is sent, and to nobody if no user has it; an
    invitation goes to somebody who is no user yet.
    """

    id: UUID
    kind: MailKind
    recipient: str
    created_at: datetime
    user_id: UUID | None = None
    attempts: int = 0
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class MailMessage:
    """A mail as it is sent; `id` is the same at each attempt, so that a reader's program can drop the second copy."""

    id: UUID
    recipient: str
    subject: str
    text: str


class CodePurpose(StrEnum):
    """What a code of a mail may be used for."""

    EMAIL_VERIFICATION = "EMAIL_VERIFICATION"
    EMAIL_CHANGE = "EMAIL_CHANGE"
    PASSWORD_RESET = "PASSWORD_RESET"  # noqa: S105  # a purpose, not a password
    OPERATOR_RESET = "OPERATOR_RESET"
    """A password reset by a code that an operator passed on, which proves nothing about the email."""


@dataclass(frozen=True, slots=True)
class EmailCode:
    """A code that was sent to `email`; only its hash is stored, and it can be used once."""

    user_id: UUID
    purpose: CodePurpose
    email: str
    created_at: datetime
    expires_at: datetime
