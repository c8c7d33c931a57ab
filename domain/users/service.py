"""What users do with their own sign-in: register, log in and out, change name and password."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum
from uuid import UUID

from domain.core.changes import UNCHANGED, Unchanged, reject_nulls, value_or_current
from domain.core.clock import Clock, IdGenerator
from domain.core.errors import ErrorCode, InputError, RateLimited
from domain.core.validation import normalise_email, normalise_name, validate_email, validate_password
from domain.model.trading_state import TradingState
from domain.model.users import Identity, LoginSession, User, UserRole
from domain.ports.unit_of_work import Database, UnitOfWork
from domain.ports.users import PasswordHasher, TokenSource
from domain.users.activity import record_activity
from domain.users.authentication import Authenticator
from domain.users.login_throttle import LoginThrottle, RegistrationLimit
from domain.users.password_hashing import HashQueue
from domain.users.tokens import credential_hash, new_login_token

LOGIN_SESSION_LIFE = timedelta(days=30)
MAXIMUM_LOGIN_SESSIONS = 100
"""How many sessions of a user are alive; who signs in once more ends the oldest."""

SIGN_IN_SECONDS = 8.0
"""A sign-in that took longer makes no session: nobody waits for its token any more (an operation has 10 s)."""


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


@dataclass(frozen=True, slots=True)
class _PasswordChange:
    """The hash that the present password was checked against, and the new password's."""

    checked_hash: str | None
    new_hash: str


class UserService:
    """Registers users and signs them in and out."""

    def __init__(
        self,
        database: Database,
        authenticator: Authenticator,
        throttle: LoginThrottle,
        registrations: RegistrationLimit,
        hasher: PasswordHasher,
        tokens: TokenSource,
        clock: Clock,
        ids: IdGenerator,
        registration: Registration = Registration.OPEN,
    ) -> None:
        self._database = database
        self._authenticator = authenticator
        self._throttle = throttle
        self._registrations = registrations
        self._hasher = hasher
        self._hashing = HashQueue(hasher)
        self._tokens = tokens
        self._clock = clock
        self._ids = ids
        self._registration = registration

    async def register(self, email: str, password: str, display_name: str | None, address: str) -> SignedIn:
        """Make a user and sign them in; the first of all becomes the operator.

        Raises `InputError`: INVALID (email, name), PASSWORD_TOO_WEAK, EMAIL_TAKEN, UNSUPPORTED (registration is
        closed); `RateLimited` where the address registers too many.
        """
        began = self._clock.monotonic()
        email = validate_email(email)
        validate_password(password)
        name = normalise_name(display_name, "displayName") if display_name is not None else None
        await self._registrations.count(address)
        password_hash = await self._hashing.hash(address, password)
        now = self._clock.now()
        user = User(self._ids.next_id(), email, name, now, UserRole.USER, "standard", TradingState.ACTIVE)
        self._check_time(began)
        async with self._database.transaction() as transaction:
            added = await transaction.users.add(user, password_hash)
            stored = await transaction.users.get(user.id)
            if self._registration is Registration.CLOSED and (stored is None or stored.role is not UserRole.OPERATOR):
                # Before a word about the email: who is registered here is no stranger's business.
                raise InputError(ErrorCode.UNSUPPORTED, "Registration is closed on this server.", ("input",))
            if not added or stored is None:
                raise InputError(ErrorCode.EMAIL_TAKEN, f"{email} is registered already; log in.", ("input", "email"))
            signed_in, _ = await self._sign_in(transaction, stored, "userRegister")
        self._throttle.remember(address, email)
        return signed_in

    async def login(self, email: str, password: str, address: str) -> SignedIn:
        """Sign in; raises CREDENTIALS_REJECTED, which doesn't tell an unknown email from a wrong password.

        Raises `RateLimited` where too many passwords are tried at once.
        """
        began = self._clock.monotonic()
        email = normalise_email(email)
        async with self._database.read_only() as reading:
            found = await reading.users.get_by_email(email)
        user, known_hash = found or (None, None)
        known = self._throttle.is_known(address, email)
        right = await self._throttle.verify(
            address, email, lambda: self._hashing.verify(address, known_hash, password, known=known)
        )
        if user is None or known_hash is None or not right:
            raise _rejected()
        fresh_hash = None
        if self._hasher.needs_rehash(known_hash):
            fresh_hash = await self._hashing.hash(address, password, known=True)
        self._check_time(began)
        async with self._database.transaction() as transaction:
            # A password that was changed since it was checked has ended all sessions, this one too.
            if await transaction.users.password_hash(user.id, lock=True) != known_hash:
                raise _rejected()
            if fresh_hash is not None:
                await transaction.users.set_password(user.id, fresh_hash)
            signed_in, ended = await self._sign_in(transaction, user, "userLogin")
        await self._authenticator.revoke(ended)
        return signed_in

    def _check_time(self, began: float) -> None:
        if self._clock.monotonic() - began > SIGN_IN_SECONDS:
            raise RateLimited("Signing in took too long, for too many do so at once", 5)

    async def logout(self, identity: Identity) -> None:
        """End the login session, if it hasn't ended in between; raises UNSUPPORTED where an API key was used."""
        if not identity.is_login_session:
            raise InputError(ErrorCode.UNSUPPORTED, "An API key can't log out; revoke it with apiKeyRevoke.")
        await self._end_login_session(identity.user.id, identity.credential_id, "userLogout")

    async def revoke_login_session(self, user_id: UUID, session_id: UUID) -> LoginSession:
        """End one of the user's login sessions, its sockets with it; raises NOT_FOUND."""
        session = await self._end_login_session(user_id, session_id, "loginSessionRevoke")
        if session is None:
            raise InputError(ErrorCode.NOT_FOUND, "You have no such login session.", ("id",))
        return session

    async def update(
        self,
        identity: Identity,
        display_name: str | Unchanged | None = UNCHANGED,
        password: str | Unchanged | None = UNCHANGED,
        current_password: str | None = None,
        *,
        revoke_api_keys: bool = False,
    ) -> User:
        """Change the name, or the password (with the present one); a new password ends all other login sessions.

        `revoke_api_keys` ends all API keys as well, but the one that is used for it.
        """
        reject_nulls(password=password)
        user_id, now = identity.user.id, self._clock.now()
        if isinstance(display_name, str):
            display_name = normalise_name(display_name, "displayName")
        change = None
        if isinstance(password, str):
            change = await self._new_password(identity.user, password, current_password)
        ended: list[UUID] = []
        async with self._database.transaction() as transaction:
            # The row is held, so that what else changes the user (a halt) isn't written over.
            present_hash = await transaction.users.password_hash(user_id, lock=True)
            user = await transaction.users.get(user_id) or identity.user
            if display_name is not UNCHANGED:
                user = replace(user, display_name=value_or_current(display_name, user.display_name))
                await transaction.users.update(user)
            if change is not None:
                if change.checked_hash != present_hash:
                    raise _current_password_wrong()
                ended = await _set_password(transaction, identity, change.new_hash, now)
            if revoke_api_keys:
                ended += await transaction.users.revoke_api_keys(user_id, identity.credential_id, now)
            await record_activity(transaction, self._ids, now, user_id, "userUpdate", ("User", str(user_id)))
        await self._authenticator.revoke(ended)
        return user

    async def _new_password(self, user: User, password: str, current_password: str | None) -> "_PasswordChange":
        validate_password(password)
        if current_password is None:
            raise _current_password_wrong()
        async with self._database.read_only() as reading:
            stored = await reading.users.password_hash(user.id)
        # A stolen token is no way around the throttle; nobody else's wrong passwords count here.
        client = f"user:{user.id}"
        right = await self._throttle.verify(
            client, client, lambda: self._hashing.verify(client, stored, current_password, known=True)
        )
        if not right:
            raise _current_password_wrong()
        return _PasswordChange(stored, await self._hashing.hash(client, password, known=True))

    async def _end_login_session(self, user_id: UUID, session_id: UUID, action: str) -> LoginSession | None:
        now = self._clock.now()
        async with self._database.transaction() as transaction:
            session = await transaction.users.revoke_login_session(user_id, session_id, now)
            if session is None:
                return None
            await record_activity(transaction, self._ids, now, user_id, action, ("LoginSession", str(session_id)))
        await self._authenticator.revoke([session_id])
        return session

    async def _sign_in(self, transaction: UnitOfWork, user: User, action: str) -> tuple[SignedIn, list[UUID]]:
        """Make a session; return it with the ids of the oldest ones, which make room for it."""
        now = self._clock.now()
        token = new_login_token(self._tokens)
        session = LoginSession(self._ids.next_id(), user.id, now, now, now + LOGIN_SESSION_LIFE)
        await transaction.users.add_login_session(session, credential_hash(token))
        subject = ("LoginSession", str(session.id))
        await record_activity(transaction, self._ids, now, user.id, action, subject)
        ended = await transaction.users.revoke_surplus_login_sessions(user.id, MAXIMUM_LOGIN_SESSIONS, now)
        return SignedIn(user, token, session.expires_at), ended


async def _set_password(transaction: UnitOfWork, identity: Identity, new_hash: str, now: datetime) -> list[UUID]:
    """Store the new password's hash and end the other login sessions; return which."""
    await transaction.users.set_password(identity.user.id, new_hash)
    keep = identity.credential_id if identity.is_login_session else None
    return await transaction.users.revoke_other_login_sessions(identity.user.id, keep, now)


def _rejected() -> InputError:
    return InputError(ErrorCode.CREDENTIALS_REJECTED, "The email or the password is wrong.", ("input",))


def _current_password_wrong() -> InputError:
    return InputError(
        ErrorCode.CREDENTIALS_REJECTED,
        "currentPassword must be the present password to set a new one.",
        ("input", "currentPassword"),
    )
