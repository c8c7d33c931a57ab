"""The port of invitations."""

from datetime import datetime
from typing import Protocol
from uuid import UUID

from domain.core.pagination import KeysetPage
from domain.model.invitations import Invitation, InvitationCode


class InvitationRepository(Protocol):
    """Stores invitations, and their codes by hashes."""

    async def add(self, invitation: Invitation) -> None:
        """Insert an invitation, and withdraw the open one of its email."""
        ...

    async def count_open(self, now: datetime) -> int:
        """Return how many invitations are open; who asks next waits until the transaction ends."""
        ...

    async def get(self, invitation_id: UUID) -> Invitation | None:
        """Return the invitation; None if there is none by that id."""
        ...

    async def list_page(self, page: KeysetPage) -> list[Invitation]:
        """Return a page of all invitations."""
        ...

    async def open_of_email(self, email: str, now: datetime) -> Invitation | None:
        """Return the open invitation of the email."""
        ...

    async def add_code(self, invitation_id: UUID, code_hash: bytes, *, sent_by_mail: bool) -> None:
        """Insert a code; several are valid side by side, since a mail may be sent twice."""
        ...

    async def find(self, code_hash: bytes) -> InvitationCode | None:
        """Return the invitation of a code, whatever has become of it."""
        ...

    async def accept(self, invitation_id: UUID, user_id: UUID, now: datetime) -> bool:
        """Store that the user accepted the invitation; return False if it isn't open (any more).

        Of two transactions that accept the same invitation one gets False.
        """
        ...

    async def withdraw(self, invitation_id: UUID, now: datetime) -> Invitation | None:
        """Withdraw the invitation and return it; None if it isn't open."""
        ...

    async def delete_ended(self, ended_before: datetime, limit: int) -> int:
        """Delete at most `limit` invitations that ended before then; return how many."""
        ...
