"""What users do with their own sign-in: register, log in and out, change name and password."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum
from typing import Final, Literal
from uuid import UUID

from domain.clock import Clock, Ids
from domain.errors import ErrorCode, InputError
from domain.storage import Storage, Transaction
from domain.trading.state import TradingState
from domain.users.activity import record_activity
from domain.users.credentials import credential_hash, new_login_token
from domain.users.passwords import check_password, clean_email, clean_name
from domain.users.ports import PasswordHasher, TokenSource
from domain.users.sessions import Authenticator
from domain.users.throttle import LoginThrottle
from domain.users.types import Identity, LoginSession, User, UserRole

LOGIN_SESSION_LIFE = timedelta(days=30)


class Keep(Enum):
    """Stands for "leave as it is" where None means "take away"."""

    KEEP = "KEEP"


KEEP: Final = Keep.KEEP


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A user with a fresh token, which is shown to nobody else and never again."""

    user: User
    token: str
    expires_at: datetime


class Registration(Enum):
    """Who may register: anybody, or nobody once there is a first user."""

    OPEN = "open"
    CLOSED = "closed"


class UserService:
    """Registers users and signs them in and out."""

    def __init__(
        self,
        storage: Storage,
        authenticator: Authenticator,
        throttle: LoginThrottle,
        hasher: PasswordHasher,
        tokens: TokenSource,
        clock: Clock,
        ids: Ids,
        registration: Registration = Registration.OPEN,
    ) -> None:
        self._storage = storage
        self._authenticator = authenticator
        self._throttle = throttle
        self._hasher = hasher
        self._tokens = tokens
        self._clock = clock
        self._ids = ids
        self._registration = registration

    async def register(self, email: str, password: str, display_name: str | None) -> SignedIn:
        """Make a user and sign them in; the first of all becomes the operator.

        Raises `InputError`: INVALID (email, name), PASSWORD_TOO_WEAK, EMAIL_TAKEN, UNSUPPORTED (registration is
        closed).
        """
        email = clean_email(email)
        check_password(password)
        name = clean_name(display_name, "displayName") if display_name is not None else None
        password_hash = await self._hasher.hash(password)
        now = self._clock.now()
        user = User(self._ids.new(), email, name, now, UserRole.USER, "standard", TradingState.ACTIVE)
        async with self._storage.transaction() as transaction:
            if not await transaction.users.add(user, password_hash):
                raise InputError(ErrorCode.EMAIL_TAKEN, f"{email} is registered already; log in.", ("input", "email"))
            stored = await transaction.users.get(user.id) or user
            if self._registration is Registration.CLOSED and stored.role is not UserRole.OPERATOR:
                raise InputError(ErrorCode.UNSUPPORTED, "Registration is closed on this server.", ("input",))
            return await self._sign_in(transaction, stored, "userRegister")

    async def login(self, email: str, password: str, address: str) -> SignedIn:
        """Sign in; raises CREDENTIALS_REJECTED, which doesn't tell an unknown email from a wrong password."""
        email = clean_email(email)
        await self._throttle.wait(address, email)
        async with self._storage.reading() as reading:
            found = await reading.users.by_email(email)
        right = await self._hasher.verify(found[1] if found else None, password)
        if found is None or not right:
            await self._throttle.failed(address, email)
            raise InputError(ErrorCode.CREDENTIALS_REJECTED, "The email or the password is wrong.", ("input",))
        async with self._storage.transaction() as transaction:
            return await self._sign_in(transaction, found[0], "userLogin")

    async def logout(self, identity: Identity) -> None:
        """End the login session, or do nothing where an API key was used."""
        if not identity.is_login_session:
            raise InputError(ErrorCode.UNSUPPORTED, "An API key can't log out; revoke it with apiKeyRevoke.")
        await self.revoke_login_session(identity.user.id, identity.credential_id, "userLogout")

    async def revoke_login_session(
        self, user_id: UUID, session_id: UUID, action: str = "loginSessionRevoke"
    ) -> LoginSession:
        """End one of the user's login sessions, its sockets with it; raises NOT_FOUND."""
        now = self._clock.now()
        async with self._storage.transaction() as transaction:
            session = await transaction.users.revoke_login_session(user_id, session_id, now)
            if session is None:
                raise InputError(ErrorCode.NOT_FOUND, "You have no such login session.", ("id",))
            await record_activity(transaction, self._ids, now, user_id, action, ("LoginSession", str(session_id)))
        await self._authenticator.revoked([session_id])
        return session

    async def update(
        self,
        identity: Identity,
        display_name: str | Literal[Keep.KEEP] | None,
        password: str | None,
        current_password: str | None,
    ) -> User:
        """Change the name, or the password (with the present one); a new password ends all other login sessions."""
        user_id = identity.user.id
        name = clean_name(display_name, "displayName") if isinstance(display_name, str) else None
        password_hash = await self._new_password(user_id, password, current_password) if password is not None else None
        now = self._clock.now()
        ended: list[UUID] = []
        async with self._storage.transaction() as transaction:
            user = await transaction.users.get(user_id) or identity.user
            if display_name is not KEEP:
                user = replace(user, display_name=name)
                await transaction.users.update(user)
            if password_hash is not None:
                await transaction.users.set_password(user_id, password_hash)
                keep = identity.credential_id if identity.is_login_session else None
                ended = await transaction.users.revoke_other_login_sessions(user_id, keep, now)
            await record_activity(transaction, self._ids, now, user_id, "userUpdate", ("User", str(user_id)))
        await self._authenticator.revoked(ended)
        return user

    async def _new_password(self, user_id: UUID, password: str, current_password: str | None) -> str:
        check_password(password)
        async with self._storage.reading() as reading:
            stored = await reading.users.password_hash(user_id)
        if current_password is None or not await self._hasher.verify(stored, current_password):
            raise InputError(
                ErrorCode.CREDENTIALS_REJECTED,
                "currentPassword must be the present password to set a new one.",
                ("input", "currentPassword"),
            )
        return await self._hasher.hash(password)

    async def _sign_in(self, transaction: Transaction, user: User, action: str) -> SignedIn:
        now = self._clock.now()
        token = new_login_token(self._tokens)
        session = LoginSession(self._ids.new(), user.id, now, now, now + LOGIN_SESSION_LIFE)
        await transaction.users.add_login_session(session, credential_hash(token))
        subject = ("LoginSession", str(session.id))
        await record_activity(transaction, self._ids, now, user.id, action, subject)
        return SignedIn(user, token, session.expires_at)
