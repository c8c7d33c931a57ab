"""Registration, login and logout, and changes of a user's profile and password."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from domain.core.changes import UNCHANGED, Unchanged, reject_nulls, value_or_current
from domain.core.clock import Clock, IdGenerator
from domain.core.errors import ErrorCode, Forbidden, InputError, RateLimited
from domain.core.validation import normalise_email, normalise_name, validate_email, validate_password
from domain.model.mail import MailKind
from domain.model.users import Device, Identity, LoginSession, User
from domain.ports.unit_of_work import Database, UnitOfWork
from domain.users.activity import record_activity
from domain.users.authentication import Authenticator
from domain.users.identity_lock import lock_identity
from domain.users.login_throttle import LoginThrottle
from domain.users.new_passwords import store_password
from domain.users.password_check import PasswordCheck, current_password_rejected
from domain.users.password_hashing import NO_PASSWORD, HashQueue
from domain.users.profile import ProfileChanges, normalise_profile, with_profile
from domain.users.registration import Registrar
from domain.users.sign_in import SignedIn, SignIn, require_enabled
from domain.users.two_factor import SecondFactor, Verdict, two_factor_rejected, two_factor_required
from domain.users.user_mails import UserMails

SIGN_IN_SECONDS = 8.0
"""A sign-in that takes longer creates no login session: its client has likely given up (an operation has 10 s)."""


@dataclass(frozen=True, slots=True)
class _PasswordChange:
    """The hash that the current password was verified against, and the hash of the new one."""

    verified_hash: str | None
    new_hash: str


OnTimeZone = Callable[[UnitOfWork, User, str, datetime], Awaitable[None]]
"""Has what goes by the clock on a user's wall follow another time zone than the one before, in the transaction that
changes it."""


async def _nothing_to_follow(_transaction: UnitOfWork, _user: User, _before: str, _now: datetime) -> None: ...


class UserService:
    """Registers users and signs them in and out."""

    def __init__(
        self,
        database: Database,
        authenticator: Authenticator,
        throttle: LoginThrottle,
        registrar: Registrar,
        hashing: HashQueue,
        passwords: PasswordCheck,
        mails: UserMails,
        second_factor: SecondFactor,
        sign_in: SignIn,
        clock: Clock,
        ids: IdGenerator,
        on_time_zone: OnTimeZone = _nothing_to_follow,
    ) -> None:
        self._database = database
        self._authenticator = authenticator
        self._throttle = throttle
        self._registrar = registrar
        self._hashing = hashing
        self._passwords = passwords
        self._mails = mails
        self._second_factor = second_factor
        self._sign_in = sign_in
        self._clock = clock
        self._ids = ids
        self._on_time_zone = on_time_zone

    async def register(
        self,
        email: str,
        password: str,
        display_name: str | None,
        address: str,
        device: Device | None = None,
        invitation_code: str | None = None,
    ) -> SignedIn:
        """Create a user and sign them in; the very first user becomes the operator.

        Raises `InputError`: INVALID (email, name), PASSWORD_TOO_WEAK, EMAIL_TAKEN, UNSUPPORTED (registration is
        closed), CREDENTIALS_REJECTED (the invitation); `RateLimited` if too many users are registered from the address.
        """
        started = self._clock.monotonic()
        email = validate_email(email)
        validate_password(password)
        name = normalise_name(display_name, "displayName") if display_name is not None else None
        new = await self._registrar.admit(email, name, invitation_code, address)
        password_hash = await self._hashing.hash(address, password)
        self._check_duration(started)
        async with self._database.transaction() as transaction:
            user = await self._registrar.add(transaction, new, password_hash)
            signed_in, _ = await self._sign_in.open_session(transaction, user, "userRegister", device)
        self._throttle.remember(address, email)
        return signed_in

    async def login(
        self,
        email: str,
        password: str,
        address: str,
        two_factor_code: str | None = None,
        device: Device | None = None,
    ) -> SignedIn:
        """Sign in; raises CREDENTIALS_REJECTED, the same for an unknown email and for a wrong password.

        Raises TWO_FACTOR_REQUIRED if the password is right and the user has a second factor, CREDENTIALS_REJECTED if
        that is wrong, USER_DISABLED, and `RateLimited` if too many passwords or codes are tried.
        """
        started = self._clock.monotonic()
        email = normalise_email(email)
        async with self._database.read_only() as reading:
            found = await reading.users.get_by_email(email)
        user, stored_hash = found or (None, None)
        is_known = self._throttle.is_known(address, email)
        is_right = await self._throttle.verify(
            address, email, lambda: self._hashing.verify(address, stored_hash, password, known=is_known)
        )
        if user is None or stored_hash is None or not is_right:
            raise _rejected()
        new_hash = None
        if self._hashing.needs_rehash(stored_hash):
            new_hash = await self._hashing.hash(address, password, known=True)
        self._check_duration(started)
        async with self._database.transaction() as transaction:
            # A password that was changed since it was verified has revoked all sessions: this one too.
            if await transaction.users.password_hash(user.id, lock=True) != stored_hash:
                raise _rejected()
            # Before a code of the second factor is used up.
            await require_enabled(transaction, user.id)
            verdict = await self._second_factor.verify(transaction, user.id, two_factor_code)
            if verdict in {Verdict.NOT_ENABLED, Verdict.RIGHT}:
                if new_hash is not None:
                    await transaction.users.set_password(user.id, new_hash)
                await self._sign_in.report(transaction, user, device)
                signed_in, ended = await self._sign_in.open_session(transaction, user, "userLogin", device)
        if verdict is Verdict.MISSING:
            raise two_factor_required()
        if verdict is Verdict.WRONG:
            raise two_factor_rejected("twoFactorCode")
        await self._authenticator.revoke(ended)
        return signed_in

    def _check_duration(self, started: float) -> None:
        if self._clock.monotonic() - started > SIGN_IN_SECONDS:
            raise RateLimited("Signing in took too long, since too many users do so at once", 5)

    async def logout(self, identity: Identity) -> None:
        """Revoke the login session of the request; raises UNSUPPORTED if the request came with an API key."""
        if not identity.is_login_session:
            raise InputError(ErrorCode.UNSUPPORTED, "An API key can't log out; revoke it with apiKeyRevoke.")
        await self._end_login_session(identity.user.id, identity.credential_id, "userLogout")

    async def revoke_login_session(self, user_id: UUID, session_id: UUID) -> LoginSession:
        """Revoke one of the user's login sessions and close its connections; raises NOT_FOUND."""
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
        profile: ProfileChanges = ProfileChanges(),  # noqa: B008  # frozen
        revoke_api_keys: bool = False,
        revoke_signal_webhooks: bool = False,
    ) -> User:
        """Change the profile, or the password (given the current one); a new password revokes all other login sessions.

        `revoke_api_keys` also revokes all API keys but the one that the request came with, and unlinks all identities,
        unless the user has no password to sign in by, or an API key asks without one; `revoke_signal_webhooks` revokes
        all webhooks of trading sessions.
        """
        reject_nulls(password=password)
        if not identity.is_login_session and profile.notify_sign_in is not UNCHANGED:
            raise Forbidden(
                "An API key can't change the notification settings: a thief of it would go unnoticed; sign in."
            )
        profile = normalise_profile(profile)
        user_id, now = identity.user.id, self._clock.now()
        if isinstance(display_name, str):
            display_name = normalise_name(display_name, "displayName")
        change = None
        if isinstance(password, str):
            change = await self._new_password(identity, password, current_password)
        ended: list[UUID] = []
        async with self._database.transaction() as transaction:
            # The row is locked, so that concurrent changes of the user (a halt) aren't overwritten.
            stored_hash = await lock_identity(transaction, identity, now)
            user = await transaction.users.get(user_id) or identity.user
            changed = with_profile(user, profile)
            changed = replace(changed, display_name=value_or_current(display_name, user.display_name))
            await self._store_profile(transaction, user, changed, now)
            user = changed
            if change is not None:
                if change.verified_hash != stored_hash:
                    raise current_password_rejected("currentPassword")
                keep = identity.credential_id if identity.is_login_session else None
                ended = await store_password(transaction, user_id, change.new_hash, keep, now)
                await self._mails.notify(transaction, MailKind.PASSWORD_CHANGED, user, now)
            if revoke_api_keys:
                ended += await transaction.users.revoke_api_keys(user_id, identity.credential_id, now)
                if change is not None or (identity.is_login_session and stored_hash != NO_PASSWORD):
                    await transaction.oidc.remove_all(user_id)
            if revoke_signal_webhooks:
                await transaction.signal_webhooks.revoke_all(user_id, now)
            await record_activity(transaction, self._ids, now, user_id, "userUpdate", ("User", str(user_id)))
        await self._authenticator.revoke(ended)
        return user

    async def _store_profile(self, transaction: UnitOfWork, user: User, changed: User, now: datetime) -> None:
        if changed != user:
            await transaction.users.update(changed)
        if changed.time_zone != user.time_zone:
            await self._on_time_zone(transaction, changed, user.time_zone, now)

    async def _new_password(self, identity: Identity, password: str, current_password: str | None) -> "_PasswordChange":
        validate_password(password)
        stored = await self._passwords.verify(identity, current_password, "currentPassword")
        return _PasswordChange(stored, await self._hashing.hash(f"user:{identity.user.id}", password, known=True))

    async def _end_login_session(self, user_id: UUID, session_id: UUID, action: str) -> LoginSession | None:
        now = self._clock.now()
        async with self._database.transaction() as transaction:
            session = await transaction.users.revoke_login_session(user_id, session_id, now)
            if session is None:
                return None
            await record_activity(transaction, self._ids, now, user_id, action, ("LoginSession", str(session_id)))
        await self._authenticator.revoke([session_id])
        return session

    async def revoke_other_login_sessions(self, identity: Identity) -> int:
        """End all login sessions of the user but the one of the request; return how many."""
        user_id, now = identity.user.id, self._clock.now()
        keep = identity.credential_id if identity.is_login_session else None
        async with self._database.transaction() as transaction:
            ended = await transaction.users.revoke_other_login_sessions(user_id, keep, now)
            await record_activity(transaction, self._ids, now, user_id, "loginSessionsRevoke", ("User", str(user_id)))
        await self._authenticator.revoke(ended)
        return len(ended)


def _rejected() -> InputError:
    return InputError(ErrorCode.CREDENTIALS_REJECTED, "The email or the password is wrong.", ("input",))
