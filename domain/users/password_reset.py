"""A new password for who has forgotten the old one, by a code that is sent to the user's email."""

from dataclasses import replace
from typing import Final
from uuid import UUID

from domain.core.clock import Clock, IdGenerator
from domain.core.validation import normalise_email, validate_password
from domain.model.mail import CodePurpose, EmailCode, MailKind
from domain.ports.unit_of_work import Database, UnitOfWork
from domain.users.activity import record_activity
from domain.users.authentication import Authenticator
from domain.users.code_checks import MailLimits, code_rejected, find_code, take_code
from domain.users.new_passwords import store_password
from domain.users.password_hashing import HashQueue
from domain.users.standing_access import end_standing_access
from domain.users.user_mails import UserMails

_PURPOSES: Final = frozenset({CodePurpose.PASSWORD_RESET, CodePurpose.OPERATOR_RESET})


class PasswordResetService:
    """Sends reset codes, and takes them with a new password."""

    def __init__(
        self,
        database: Database,
        authenticator: Authenticator,
        mails: UserMails,
        limits: MailLimits,
        hashing: HashQueue,
        clock: Clock,
        ids: IdGenerator,
    ) -> None:
        self._database = database
        self._authenticator = authenticator
        self._mails = mails
        self._limits = limits
        self._hashing = hashing
        self._clock = clock
        self._ids = ids

    async def request(self, email: str, address: str) -> None:
        """Have a code sent to the email if a user has it.

        The same statements run whether or not a user has it, so that neither the answer nor its time reveals that:
        who has the email is looked up when the mail is sent. Soon after another request nothing is sent: the mail of
        that one is under way, with a code that is as good. Raises UNSUPPORTED, INVALID and `RateLimited`.
        """
        self._mails.require()
        email = normalise_email(email)
        await self._limits.count_mail(address, email)
        if not await self._limits.may_send_reset(email):
            return
        async with self._database.transaction() as transaction:
            await self._mails.add(transaction, MailKind.PASSWORD_RESET, email, self._clock.now())

    async def reset(
        self, code: str, password: str, address: str, signed_in: UUID | None, *, revoke_api_keys: bool = False
    ) -> None:
        """Set the password of the code's user, and end all login sessions of theirs.

        API keys, webhooks, linked identities and notification channels stay, unless `revoke_api_keys`, or the email was
        never verified: then somebody else may have registered it and made them, and a second factor, which ends as
        well. An operator's code unlinks identities in any case: who asked the operator has none to sign in by, or
        fears that of a thief. Raises CREDENTIALS_REJECTED, PASSWORD_TOO_WEAK, INVALID and `RateLimited`.
        """
        validate_password(password)
        now = self._clock.now()
        async with self._database.read_only() as reading:
            found = await find_code(reading, code, _PURPOSES, now, signed_in)
        if found is None:
            await self._limits.count_wrong_code(address)
            raise code_rejected()
        new_hash = await self._hashing.hash(address, password)
        async with self._database.transaction() as transaction:
            if not await transaction.users.lock(found.user_id):
                raise code_rejected()
            await take_code(transaction, code, found, now)
            ended = await self._set_password(transaction, found, new_hash, revoke_api_keys=revoke_api_keys)
        await self._authenticator.revoke(ended)

    async def _set_password(
        self, transaction: UnitOfWork, code: EmailCode, new_hash: str, *, revoke_api_keys: bool
    ) -> list[UUID]:
        """Store the hash; return the ids of the credentials that were revoked."""
        user_id, now = code.user_id, self._clock.now()
        user = await transaction.users.get(user_id)
        if user is None or user.email != code.email:
            raise code_rejected()
        ended = await store_password(transaction, user_id, new_hash, None, now)
        is_first_proof = code.purpose is CodePurpose.PASSWORD_RESET and user.email_verified_at is None
        proved_at = now if is_first_proof else user.email_verified_at
        if revoke_api_keys or is_first_proof:
            ended += await end_standing_access(transaction, user_id, now)
        elif code.purpose is CodePurpose.OPERATOR_RESET:
            await transaction.oidc.remove_all(user_id)
        if is_first_proof:
            await transaction.two_factors.delete(user_id)
            await transaction.users.set_email(user_id, user.email, now)
        await self._mails.notify(
            transaction, MailKind.PASSWORD_CHANGED, replace(user, email_verified_at=proved_at), now
        )
        await record_activity(transaction, self._ids, now, user_id, "passwordReset", ("User", str(user_id)))
        return ended
