"""Invitations of new users by operators, who learn the code themselves only if the engine sends no mail."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from domain.core.clock import Clock, IdGenerator
from domain.core.errors import ErrorCode, Forbidden, InputError
from domain.core.time import expiry_error
from domain.core.validation import validate_email
from domain.model.invitations import Invitation, InvitationCode, InvitationStatus
from domain.model.mail import MailKind
from domain.model.users import Identity, UserRole
from domain.ports.unit_of_work import Database, UnitOfWork
from domain.ports.users import TokenSource
from domain.users.activity import record_activity
from domain.users.operators import Administrator, lock_operator
from domain.users.recent_sign_in import require_recent_sign_in
from domain.users.tokens import credential_hash, new_invitation_code
from domain.users.user_mails import UserMails

INVITATION_LIFE: Final = timedelta(days=7)
LONGEST_INVITATION_LIFE: Final = timedelta(days=90)
MAXIMUM_OPEN_INVITATIONS: Final = 1_000


@dataclass(frozen=True, slots=True)
class NewInvitation:
    """An invitation with its code, which isn't shown again; the code is None if it is sent by mail."""

    invitation: Invitation
    code: str | None


class InvitationService:
    """Invites by email, and withdraws invitations."""

    def __init__(
        self, database: Database, mails: UserMails, tokens: TokenSource, clock: Clock, ids: IdGenerator
    ) -> None:
        self._database = database
        self._mails = mails
        self._tokens = tokens
        self._clock = clock
        self._ids = ids

    async def invite(
        self, identity: Identity, email: str, role: UserRole, expires_at: datetime | None
    ) -> NewInvitation:
        """Invite an email, for an operator; an earlier invitation of it that is open is withdrawn.

        Raises INVALID (email, expiry), EMAIL_TAKEN, LIMIT_REACHED, CONFIRMATION_REQUIRED for operators, and
        `Forbidden` for anybody but an operator, and for an API key that invites an operator: a thief of it mustn't be
        able to make one that outlives it.
        """
        if role is UserRole.OPERATOR and not identity.is_login_session:
            raise Forbidden("An API key can't invite operators; sign in to do so.")
        now = self._clock.now()
        invitation = self._new(email, role, identity.user.id, expires_at)
        async with self._database.transaction() as transaction:
            await lock_operator(transaction, Administrator(identity), now)
            if role is UserRole.OPERATOR:
                await require_recent_sign_in(transaction, identity, now)
            code = await self._add(transaction, invitation)
            subject = ("Invitation", str(invitation.id))
            await record_activity(transaction, self._ids, now, identity.user.id, "userInvite", subject)
        return NewInvitation(invitation, code)

    async def invite_by_machine(self, email: str, role: UserRole, expires_at: datetime | None) -> NewInvitation:
        """Invite an email, for the operator of the machine, who needs no user; raises as `invite`."""
        invitation = self._new(email, role, None, expires_at)
        async with self._database.transaction() as transaction:
            return NewInvitation(invitation, await self._add(transaction, invitation))

    async def withdraw(self, identity: Identity, invitation_id: UUID) -> Invitation:
        """Withdraw an open invitation, for an operator; raises NOT_FOUND, CONFLICT, and `Forbidden`."""
        now = self._clock.now()
        async with self._database.transaction() as transaction:
            await lock_operator(transaction, Administrator(identity), now)
            withdrawn = await transaction.invitations.withdraw(invitation_id, now)
            if withdrawn is None:
                raise await _not_open(transaction, invitation_id, now)
            subject = ("Invitation", str(invitation_id))
            await record_activity(transaction, self._ids, now, identity.user.id, "invitationWithdraw", subject)
        return withdrawn

    def _new(self, email: str, role: UserRole, invited_by: UUID | None, expires_at: datetime | None) -> Invitation:
        email, now = validate_email(email), self._clock.now()
        if expires_at is not None and (error := _expiry_error(expires_at, now)):
            raise InputError(ErrorCode.INVALID, f"expiresAt {error}.", ("input", "expiresAt"))
        return Invitation(self._ids.next_id(), email, role, invited_by, now, expires_at or now + INVITATION_LIFE)

    async def _add(self, transaction: UnitOfWork, invitation: Invitation) -> str | None:
        """Store the invitation; return its code, None if a mail will have one."""
        if await transaction.invitations.count_open(invitation.created_at) >= MAXIMUM_OPEN_INVITATIONS:
            message = f"There are {MAXIMUM_OPEN_INVITATIONS:,} open invitations already; withdraw one first."
            raise InputError(ErrorCode.LIMIT_REACHED, message, ("input",))
        if await transaction.users.get_by_email(invitation.email) is not None:
            message = f"{invitation.email} is registered already."
            raise InputError(ErrorCode.EMAIL_TAKEN, message, ("input", "email"))
        await transaction.invitations.add(invitation)
        if self._mails.is_configured:
            await self._mails.add(transaction, MailKind.INVITATION, invitation.email, invitation.created_at)
            return None
        code = new_invitation_code(self._tokens)
        await transaction.invitations.add_code(invitation.id, credential_hash(code), sent_by_mail=False)
        return code


async def find_invitation(reading: UnitOfWork, code: str, email: str, now: datetime) -> InvitationCode | None:
    """Return the invitation of a code; None unless it is open, of this email, and by an enabled operator."""
    found = await reading.invitations.find(credential_hash(code.strip()))
    if found is None or found.invitation.email != email or found.invitation.status(now) is not InvitationStatus.OPEN:
        return None
    if found.invitation.invited_by is None:
        return found
    return found if await _may_invite(reading, found.invitation.invited_by) else None


async def lock_inviter(transaction: UnitOfWork, invitation: Invitation) -> None:
    """Have nobody disable or demote who invited until the transaction ends; raises unless they may still invite.

    The row is locked before any other: its operator may change the email to the new user's, and wait for that one.
    """
    inviter = invitation.invited_by
    if inviter is None:
        return
    if not await transaction.users.lock(inviter) or not await _may_invite(transaction, inviter):
        raise invitation_rejected()


async def _may_invite(reading: UnitOfWork, user_id: UUID) -> bool:
    inviter = await reading.users.get(user_id)
    return inviter is not None and inviter.role is UserRole.OPERATOR and inviter.disabled_at is None


def invitation_rejected() -> InputError:
    """Return the error for every invitation that can't be used, whatever the reason."""
    message = (
        "The invitation is not valid: it may be used, expired or withdrawn, or be for another email address. Ask who "
        "invited you for a new one."
    )
    return InputError(ErrorCode.CREDENTIALS_REJECTED, message, ("input", "invitationCode"))


def _expiry_error(expires_at: datetime, now: datetime) -> str | None:
    if expires_at > now + LONGEST_INVITATION_LIFE:
        return f"is more than {LONGEST_INVITATION_LIFE.days} days away; an invitation is valid for so long at most"
    return expiry_error(expires_at, now)


async def _not_open(transaction: UnitOfWork, invitation_id: UUID, now: datetime) -> InputError:
    found = await transaction.invitations.get(invitation_id)
    if found is None:
        return InputError(ErrorCode.NOT_FOUND, "There is no such invitation.", ("id",))
    return InputError(
        ErrorCode.CONFLICT, f"The invitation is {found.status(now).value}; only an OPEN one can be withdrawn.", ("id",)
    )
