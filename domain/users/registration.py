"""Who may register, and the new user: anybody, or only the first user and who is invited."""

from dataclasses import dataclass, replace
from enum import Enum

from domain.core.clock import Clock, IdGenerator
from domain.core.errors import ErrorCode, InputError
from domain.model.invitations import InvitationCode
from domain.model.mail import MailKind
from domain.model.trading_state import TradingState
from domain.model.users import User, UserRole
from domain.ports.unit_of_work import Database, UnitOfWork
from domain.users.code_checks import MailLimits
from domain.users.invitations import find_invitation, invitation_rejected, lock_inviter
from domain.users.login_throttle import RegistrationLimit
from domain.users.user_mails import UserMails


class Registration(Enum):
    """Who may register without an invitation: anybody, or nobody after the first user."""

    OPEN = "open"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class NewUser:
    """Who registers: the email, the name, and the invitation if there is one."""

    email: str
    display_name: str | None
    invitation: InvitationCode | None = None


class Registrar:
    """Admits new users, and stores them."""

    def __init__(
        self,
        database: Database,
        limit: RegistrationLimit,
        code_limits: MailLimits,
        mails: UserMails,
        clock: Clock,
        ids: IdGenerator,
        registration: Registration = Registration.OPEN,
    ) -> None:
        self._database = database
        self._limit = limit
        self._code_limits = code_limits
        self._mails = mails
        self._clock = clock
        self._ids = ids
        self._registration = registration

    async def admit(self, email: str, display_name: str | None, invitation_code: str | None, address: str) -> NewUser:
        """Return who may go on to register: who has a valid invitation isn't counted.

        Raises CREDENTIALS_REJECTED for an invitation that can't be used, and `RateLimited`.
        """
        if invitation_code is None:
            await self._limit.count(address)
            return NewUser(email, display_name)
        async with self._database.read_only() as reading:
            invitation = await find_invitation(reading, invitation_code, email, self._clock.now())
        if invitation is None:
            await self._code_limits.count_wrong_code(address)
            raise invitation_rejected()
        return NewUser(email, display_name, invitation)

    async def add(
        self,
        transaction: UnitOfWork,
        new: NewUser,
        password_hash: str,
        *,
        is_verified: bool = False,
        taken: InputError | None = None,
    ) -> User:
        """Store the user; the very first one becomes the operator. `is_verified` says that the email is proved.

        Raises UNSUPPORTED if registration is closed, EMAIL_TAKEN (or `taken`), and CREDENTIALS_REJECTED if the
        invitation was used or withdrawn in the meantime, or who invited may not any more.
        """
        now, email, invited = self._clock.now(), new.email, new.invitation
        role = UserRole.USER if invited is None else invited.invitation.role
        if invited is not None:
            await lock_inviter(transaction, invited.invitation)
        user = User(self._ids.next_id(), email, new.display_name, now, role, TradingState.ACTIVE)
        added = await transaction.users.add(user, password_hash)
        stored = await transaction.users.get(user.id)
        is_first = stored is not None and stored.role is UserRole.OPERATOR and role is not UserRole.OPERATOR
        if self._registration is Registration.CLOSED and not is_first and invited is None:
            # Checked before the email: a stranger mustn't learn who is registered here.
            raise InputError(ErrorCode.UNSUPPORTED, "Registration is closed on this server.", ("input",))
        if not added or stored is None:
            message = f"{email} is registered already; log in."
            raise taken or InputError(ErrorCode.EMAIL_TAKEN, message, ("input", "email"))
        if invited is not None and not await transaction.invitations.accept(invited.invitation.id, user.id, now):
            raise invitation_rejected()
        if is_verified or (invited is not None and invited.sent_by_mail):
            await transaction.users.set_email(user.id, email, now)
            return replace(stored, email_verified_at=now)
        await self._mails.add(transaction, MailKind.EMAIL_VERIFICATION, email, now, user.id)
        return stored
