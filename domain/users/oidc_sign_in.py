"""Signing in, and registering, by an identity at an OpenID provider; linking identities to users.

An identity is known by its issuer and subject alone. That it has the email of a user proves nothing: the user links it,
signed in.
"""

from uuid import UUID

from domain.core.clock import Clock, IdGenerator
from domain.core.errors import ErrorCode, Forbidden, InputError
from domain.core.validation import normalise_name, validate_email
from domain.model.mail import MailKind
from domain.model.oidc import ExternalIdentity, LinkedIdentity, OidcResult
from domain.model.users import Device, Identity, User
from domain.ports.unit_of_work import Database, UnitOfWork
from domain.users.activity import record_activity
from domain.users.authentication import Authenticator
from domain.users.identity_lock import lock_identity
from domain.users.oidc_attempts import OidcAttempts, sign_in_rejected
from domain.users.password_hashing import NO_PASSWORD
from domain.users.recent_sign_in import lock_recent_sign_in, require_recent_sign_in
from domain.users.registration import Registrar
from domain.users.sign_in import SignedIn, SignIn
from domain.users.two_factor import SecondFactor, Verdict, two_factor_rejected, two_factor_required
from domain.users.user_mails import UserMails

MAXIMUM_IDENTITIES = 20


class OidcSignIn:
    """Signs users in by identities at providers, and links such identities."""

    def __init__(
        self,
        database: Database,
        authenticator: Authenticator,
        attempts: OidcAttempts,
        registrar: Registrar,
        second_factor: SecondFactor,
        sign_in: SignIn,
        mails: UserMails,
        clock: Clock,
        ids: IdGenerator,
    ) -> None:
        self._database = database
        self._authenticator = authenticator
        self._attempts = attempts
        self._registrar = registrar
        self._second_factor = second_factor
        self._sign_in = sign_in
        self._mails = mails
        self._clock = clock
        self._ids = ids

    async def sign_in(
        self,
        code: str,
        verifier: str,
        address: str,
        two_factor_code: str | None = None,
        invitation_code: str | None = None,
        device: Device | None = None,
    ) -> SignedIn:
        """Sign in the user to whom the identity is linked; without one register a new user.

        Raises CREDENTIALS_REJECTED (the code, the second factor, the invitation), TWO_FACTOR_REQUIRED, after which the
        code is still good, EMAIL_TAKEN, INVALID if the provider gave no email, UNSUPPORTED if registration is closed,
        and `RateLimited`.
        """
        result = await self._attempts.find(code, verifier, address)
        async with self._database.read_only() as reading:
            linked = await reading.oidc.find(result.identity.issuer, result.identity.subject)
        if linked is None:
            return await self._register(result, address, invitation_code, device)
        return await self._sign_in_linked(result, linked, two_factor_code, device)

    async def _sign_in_linked(
        self, result: OidcResult, linked: LinkedIdentity, two_factor_code: str | None, device: Device | None
    ) -> SignedIn:
        async with self._database.transaction() as transaction:
            user = await self._still_linked(transaction, linked)
            verdict = await self._second_factor.verify(transaction, user.id, two_factor_code)
            if verdict in {Verdict.NOT_ENABLED, Verdict.RIGHT}:
                await self._use_up(transaction, result)
                await transaction.oidc.touch(linked.id, result.identity.email, self._clock.now())
                await self._sign_in.report(transaction, user, device)
                signed_in, ended = await self._sign_in.open_session(
                    transaction, user, "oidcSignIn", device, linked.provider
                )
        if verdict is Verdict.MISSING:
            raise two_factor_required()
        if verdict is Verdict.WRONG:
            raise two_factor_rejected("twoFactorCode")
        await self._authenticator.revoke(ended)
        return signed_in

    async def _still_linked(self, transaction: UnitOfWork, linked: LinkedIdentity) -> User:
        """Return the user, locked; unlinking the identity locks the same row."""
        is_there = await transaction.users.lock(linked.user_id)
        user = await transaction.users.get(linked.user_id) if is_there else None
        if user is None or await transaction.oidc.get(linked.user_id, linked.id) is None:
            raise sign_in_rejected()
        return user

    async def _register(
        self, result: OidcResult, address: str, invitation_code: str | None, device: Device | None
    ) -> SignedIn:
        identity = result.identity
        email = _email(identity)
        new = await self._registrar.admit(email, _name(identity), invitation_code, address)
        async with self._database.transaction() as transaction:
            await self._use_up(transaction, result)
            user = await self._registrar.add(
                transaction, new, NO_PASSWORD, is_verified=identity.email_verified, taken=_taken(email)
            )
            if not await transaction.oidc.add(self._linked(identity, user.id)):
                raise sign_in_rejected()  # another attempt was faster
            signed_in, _ = await self._sign_in.open_session(
                transaction, user, "userRegister", device, identity.provider
            )
        return signed_in

    async def link(self, identity: Identity, code: str, verifier: str, address: str) -> LinkedIdentity:
        """Link the identity to the user who is signed in.

        Raises CREDENTIALS_REJECTED, CONFIRMATION_REQUIRED, CONFLICT if the identity is linked already, LIMIT_REACHED,
        and `Forbidden` for an API key.
        """
        _require_login(identity)
        result = await self._attempts.find(code, verifier, address)
        user_id, now = identity.user.id, self._clock.now()
        linked = self._linked(result.identity, user_id)
        async with self._database.transaction() as transaction:
            await lock_recent_sign_in(transaction, identity, now)
            await self._use_up(transaction, result)
            if len(await transaction.oidc.list_of_user(user_id)) >= MAXIMUM_IDENTITIES:
                message = f"A user has at most {MAXIMUM_IDENTITIES} linked identities; unlink one first."
                raise InputError(ErrorCode.LIMIT_REACHED, message, ("input",))
            if not await transaction.oidc.add(linked):
                message = "This identity signs a user in already; unlink it there first."
                raise InputError(ErrorCode.CONFLICT, message, ("input", "code"))
            await self._report(transaction, identity, MailKind.IDENTITY_LINKED, "oidcLink", linked)
        return linked

    async def unlink(self, identity: Identity, identity_id: UUID) -> LinkedIdentity:
        """Unlink an identity; login sessions stay.

        Raises NOT_FOUND, CONFLICT if the user could no longer sign in, CONFIRMATION_REQUIRED, and `Forbidden` for an
        API key.
        """
        _require_login(identity)
        user_id, now = identity.user.id, self._clock.now()
        async with self._database.transaction() as transaction:
            password_hash = await lock_identity(transaction, identity, now)
            linked = await transaction.oidc.get(user_id, identity_id)
            if linked is None:
                raise InputError(ErrorCode.NOT_FOUND, "You have no such linked identity.", ("id",))
            await require_recent_sign_in(transaction, identity, now)
            if password_hash == NO_PASSWORD and len(await transaction.oidc.list_of_user(user_id)) == 1:
                message = "You couldn't sign in any more: set a password by userUpdate, or link another identity first."
                raise InputError(ErrorCode.CONFLICT, message, ("id",))
            await transaction.oidc.remove(user_id, identity_id)
            await self._report(transaction, identity, MailKind.IDENTITY_UNLINKED, "oidcUnlink", linked)
        return linked

    def _linked(self, identity: ExternalIdentity, user_id: UUID) -> LinkedIdentity:
        known = (identity.provider, identity.issuer, identity.subject, identity.email)
        return LinkedIdentity(self._ids.next_id(), user_id, *known, self._clock.now())

    async def _use_up(self, transaction: UnitOfWork, result: OidcResult) -> None:
        if not await transaction.oidc.take_result(result.attempt_id):
            raise sign_in_rejected()

    async def _report(
        self, transaction: UnitOfWork, identity: Identity, kind: MailKind, action: str, linked: LinkedIdentity
    ) -> None:
        now = self._clock.now()
        user = await transaction.users.get(identity.user.id) or identity.user
        await self._mails.notify(transaction, kind, user, now, f"at {linked.provider}")
        subject = ("LinkedIdentity", str(linked.id))
        await record_activity(transaction, self._ids, now, user.id, action, subject, linked.provider)


def _require_login(identity: Identity) -> None:
    if not identity.is_login_session:
        raise Forbidden("An API key can't change how its user signs in; sign in to do so.")


def _email(identity: ExternalIdentity) -> str:
    """Return the email of a new user; raises INVALID without one that can be used."""
    try:
        return validate_email(identity.email or "")
    except InputError:
        message = (
            f"{identity.provider} gave no email address with which you could be registered. Register with a password, "
            "and link this identity by oidcLink."
        )
        raise InputError(ErrorCode.INVALID, message, ("input", "code")) from None


def _name(identity: ExternalIdentity) -> str | None:
    """Return the provider's name of the user, if it can be a display name here."""
    try:
        return normalise_name(identity.name, "displayName") if identity.name else None
    except InputError:
        return None


def _taken(email: str) -> InputError:
    message = (
        f"{email} is registered already. If you are that user, sign in as you did before, and link this identity by "
        "oidcLink."
    )
    return InputError(ErrorCode.EMAIL_TAKEN, message, ("input", "code"))
