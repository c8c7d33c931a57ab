"""Invitations: an operator lets somebody register, with a role, before some time."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from domain.model.users import UserRole


class InvitationStatus(StrEnum):
    """What has become of an invitation."""

    OPEN = "OPEN"
    ACCEPTED = "ACCEPTED"
    WITHDRAWN = "WITHDRAWN"
    EXPIRED = "EXPIRED"


@dataclass(frozen=True, slots=True)
class Invitation:
    """An invitation of an email; `invited_by` is None if the operator of the machine invited."""

    id: UUID
    email: str
    role: UserRole
    invited_by: UUID | None
    created_at: datetime
    expires_at: datetime
    accepted_at: datetime | None = None
    withdrawn_at: datetime | None = None

    def status(self, now: datetime) -> InvitationStatus:
        """Return what has become of it until now."""
        if self.accepted_at is not None:
            return InvitationStatus.ACCEPTED
        if self.withdrawn_at is not None:
            return InvitationStatus.WITHDRAWN
        return InvitationStatus.OPEN if now < self.expires_at else InvitationStatus.EXPIRED


@dataclass(frozen=True, slots=True)
class InvitationCode:
    """An invitation that was found by its code; who has a code that came by mail reads the invited email."""

    invitation: Invitation
    sent_by_mail: bool
