"""Opens login sessions, in the transaction of what proved who signs in."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from domain.core.clock import Clock, IdGenerator
from domain.core.errors import ErrorCode, InputError
from domain.model.mail import MailKind
from domain.model.users import Device, LoginSession, User
from domain.ports.unit_of_work import UnitOfWork
from domain.ports.users import TokenSource
from domain.users.activity import record_activity
from domain.users.identity_lock import lock_user
from domain.users.tokens import credential_hash, new_login_token
from domain.users.user_mails import UserMails

LOGIN_SESSION_LIFE: Final = timedelta(days=30)
MAXIMUM_LOGIN_SESSIONS: Final = 100
"""How many live login sessions a user may have; one more login revokes the oldest."""


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A user and the token of a new login session, which is never shown again."""

    user: User
    token: str
    expires_at: datetime


class SignIn:
    """Opens login sessions, and reports those from new devices."""

    def __init__(
        self,
        mails: UserMails,
        tokens: TokenSource,
        clock: Clock,
        ids: IdGenerator,
        maximum_login_sessions: int = MAXIMUM_LOGIN_SESSIONS,
    ) -> None:
        self._mails = mails
        self._tokens = tokens
        self._clock = clock
        self._ids = ids
        self._maximum_login_sessions = maximum_login_sessions

    async def open_session(
        self, transaction: UnitOfWork, user: User, action: str, device: Device | None, provider: str | None = None
    ) -> tuple[SignedIn, list[UUID]]:
        """Create a login session; return it with the ids of the oldest sessions, which were revoked to make room.

        Raises USER_DISABLED. The user is locked: who disables the user at this moment waits, and ends the session.
        `provider` names the OpenID provider that proved who signs in.
        """
        now = self._clock.now()
        await lock_user(transaction, user.id)
        user = await require_enabled(transaction, user.id)
        token = new_login_token(self._tokens)
        session = LoginSession(self._ids.next_id(), user.id, now, now, now + LOGIN_SESSION_LIFE, device, provider)
        await transaction.users.add_login_session(session, credential_hash(token))
        subject = ("LoginSession", str(session.id))
        await record_activity(transaction, self._ids, now, user.id, action, subject)
        ended = await transaction.users.revoke_surplus_login_sessions(user.id, self._maximum_login_sessions, now)
        return SignedIn(user, token, session.expires_at), ended

    async def report(self, transaction: UnitOfWork, user: User, device: Device | None) -> None:
        """Send a mail about a sign-in from a device that is new, unless the user doesn't want it."""
        if device is None or not user.notify_sign_in or not self._mails.is_configured:
            return
        if not await transaction.users.has_signed_in_from(user.id, device):
            now = self._clock.now()
            await self._mails.notify(transaction, MailKind.SIGN_IN, user, now, f"from {device.address}")


async def require_enabled(transaction: UnitOfWork, user_id: UUID) -> User:
    """Return the user, whose row is locked; raises USER_DISABLED."""
    user = await transaction.users.get(user_id)
    assert user is not None, "the row is locked"
    if user.disabled_at is not None:
        message = "An operator of this server has disabled this user; ask them. Nothing is lost meanwhile."
        raise InputError(ErrorCode.USER_DISABLED, message, ("input",))
    return user
