"""The ports of mail: the outbox, the codes that mails contain, and the server that takes them."""

from collections.abc import Collection
from datetime import datetime
from typing import Protocol
from uuid import UUID

from domain.model.mail import CodePurpose, EmailCode, Mail, MailKind, MailMessage


class MailOutbox(Protocol):
    """Stores the mails that are to be sent, and for a while those that were sent or given up."""

    async def add(self, mail: Mail) -> None:
        """Insert a mail, due at once."""
        ...

    async def count_notices(self, user_id: UUID, since: datetime) -> int:
        """Return how many mails without a code were put in for the user since then."""
        ...

    async def claim_due(self, now: datetime, again_at: datetime, limit: int) -> list[Mail]:
        """Return at most `limit` mails that are due, those with codes first, and count the attempt.

        Kinds that only a newer version of the engine knows are left to it.

        Nobody else gets them before `again_at`, when an attempt that was cut off is repeated.
        """
        ...

    async def lock_open(self, mail_id: UUID) -> bool:
        """Lock a mail until the transaction ends; return False if it was withdrawn, sent or given up."""
        ...

    async def mark_sent(self, mail_id: UUID, at: datetime) -> None:
        """Store that the server has taken the mail."""
        ...

    async def postpone(self, mail_id: UUID, until: datetime, error: str) -> None:
        """Store why the mail wasn't sent, and when it is tried again."""
        ...

    async def give_up(self, mail_id: UUID, at: datetime, error: str) -> None:
        """Store that the mail is not tried again, and why it wasn't sent."""
        ...

    async def delete(self, mail_id: UUID) -> None:
        """Delete a mail that nobody is to receive."""
        ...

    async def withdraw(self, user_id: UUID, kinds: Collection[MailKind]) -> None:
        """Delete the user's mails of these kinds that weren't sent yet, and those to the user's address."""
        ...

    async def delete_ended(self, ended_before: datetime, limit: int) -> int:
        """Delete at most `limit` mails that were sent or given up before then; return how many."""
        ...


class EmailCodeRepository(Protocol):
    """Stores the codes of mails by their hashes."""

    async def add(self, code: EmailCode, code_hash: bytes) -> None:
        """Insert a code; several of one purpose are valid side by side, since a mail may be sent twice."""
        ...

    async def find(self, code_hash: bytes, now: datetime) -> EmailCode | None:
        """Return the code, unless it has expired."""
        ...

    async def take(self, code_hash: bytes, now: datetime) -> EmailCode | None:
        """Return the code, unless it has expired, and delete it with all others of its user and purpose.

        Of two transactions that take the same code one gets None.
        """
        ...

    async def revoke(self, user_id: UUID, purposes: Collection[CodePurpose]) -> None:
        """Delete the user's codes of these purposes."""
        ...

    async def delete_expired(self, now: datetime, limit: int) -> int:
        """Delete at most `limit` codes that have expired; return how many."""
        ...


class MailNotSent(Exception):
    """The server didn't take the mail, or isn't known to have taken it; the message is for the operator."""


class MailTransport(Protocol):
    """Hands mails to a mail server."""

    async def send(self, message: MailMessage) -> None:
        """Return once the server has taken the mail; raises `MailNotSent`."""
        ...
