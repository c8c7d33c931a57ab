"""Verification and change of a user's email address, by a code that is sent there."""

from typing import Final
from uuid import UUID

from domain.core.clock import Clock, IdGenerator
from domain.core.errors import ErrorCode, Forbidden, InputError
from domain.core.validation import validate_email
from domain.model.mail import CodePurpose, EmailCode, MailKind
from domain.model.users import Identity
from domain.ports.unit_of_work import Database, UnitOfWork
from domain.users.activity import record_activity
from domain.users.code_checks import MailLimits, code_rejected, find_code, take_code
from domain.users.identity_lock import lock_identity, lock_user
from domain.users.password_check import PasswordCheck, current_password_rejected
from domain.users.user_mails import UserMails

_PURPOSES: Final = frozenset({CodePurpose.EMAIL_VERIFICATION, CodePurpose.EMAIL_CHANGE})


class EmailService:
    """Verifies and changes emails."""

    def __init__(
        self,
        database: Database,
        mails: UserMails,
        limits: MailLimits,
        passwords: PasswordCheck,
        clock: Clock,
        ids: IdGenerator,
    ) -> None:
        self._database = database
        self._mails = mails
        self._limits = limits
        self._passwords = passwords
        self._clock = clock
        self._ids = ids

    async def send_verification(self, identity: Identity, address: str) -> None:
        """Send the user a mail with a code, unless the email is verified.

        Raises UNSUPPORTED without a mail server, and CONFLICT if the email is verified.
        """
        self._mails.require()
        user_id, now = identity.user.id, self._clock.now()
        async with self._database.read_only() as reading:
            user = await reading.users.get(user_id) or identity.user
        if user.email_verified_at is not None:
            raise InputError(ErrorCode.CONFLICT, f"{user.email} is verified already.")
        await self._limits.count_mail(address, user.email, f"user:{user_id}")
        async with self._database.transaction() as transaction:
            await lock_identity(transaction, identity, now)
            await transaction.mails.withdraw(user_id, [MailKind.EMAIL_VERIFICATION])
            await self._mails.add(transaction, MailKind.EMAIL_VERIFICATION, user.email, now, user_id)
            await record_activity(transaction, self._ids, now, user_id, "emailVerificationSend")

    async def request_change(self, identity: Identity, email: str, password: str | None, address: str) -> None:
        """Send a mail with a code to the new address; the email changes when the code comes back.

        If another user has the address no mail is sent, and the answer is the same. Raises UNSUPPORTED, INVALID,
        CREDENTIALS_REJECTED, `RateLimited`, and `Forbidden` if the request came with an API key.
        """
        if not identity.is_login_session:
            raise Forbidden("An API key can't change the email address; sign in to change it.")
        self._mails.require()
        email = validate_email(email)
        verified = await self._passwords.verify(identity, password)
        await self._limits.count_mail(address, email, f"user:{identity.user.id}")
        await self._limits.count_new_email(email)
        user_id, now = identity.user.id, self._clock.now()
        async with self._database.transaction() as transaction:
            if await lock_identity(transaction, identity, now) != verified:
                raise current_password_rejected()
            user = await transaction.users.get(user_id) or identity.user
            # The last request counts.
            await transaction.mails.withdraw(user_id, [MailKind.EMAIL_CHANGE])
            await transaction.email_codes.revoke(user_id, [CodePurpose.EMAIL_CHANGE])
            await self._mails.add(transaction, MailKind.EMAIL_CHANGE, email, now, user_id)
            await self._mails.notify(transaction, MailKind.EMAIL_CHANGE_REQUESTED, user, now)
            await record_activity(transaction, self._ids, now, user_id, "emailChange", ("User", str(user_id)))

    async def verify(self, code: str, address: str, user_id: UUID) -> str:
        """Use the code of a mail to the user who is signed in: its address is then verified, and is the user's.

        Return the address. Who reads it and isn't signed in may be somebody whose address another one registered: a
        code alone doesn't make the other one's credentials theirs. Raises CREDENTIALS_REJECTED, EMAIL_TAKEN and
        `RateLimited`.
        """
        now = self._clock.now()
        async with self._database.read_only() as reading:
            found = await find_code(reading, code, _PURPOSES, now, user_id)
        if found is None:
            await self._limits.count_wrong_code(address)
            raise code_rejected()
        async with self._database.transaction() as transaction:
            await lock_user(transaction, found.user_id)
            await take_code(transaction, code, found, now)
            await self._use(transaction, found)
            subject = ("User", str(found.user_id))
            await record_activity(transaction, self._ids, now, found.user_id, "emailVerify", subject)
        return found.email

    async def _use(self, transaction: UnitOfWork, code: EmailCode) -> None:
        user = await transaction.users.get(code.user_id)
        if user is None or (code.purpose is CodePurpose.EMAIL_VERIFICATION and user.email != code.email):
            raise code_rejected()
        now = self._clock.now()
        is_change = user.email != code.email
        if is_change:
            # What was sent to the old address opens nothing any more.
            await transaction.mails.withdraw(user.id, [MailKind.PASSWORD_RESET, MailKind.EMAIL_VERIFICATION])
            await transaction.email_codes.revoke(user.id, list(CodePurpose))
        if not await transaction.users.set_email(user.id, code.email, now):
            # Nobody but the reader of this address learns it.
            message = f"{code.email} is registered already; choose another one."
            raise InputError(ErrorCode.EMAIL_TAKEN, message, ("input", "code"))
        if is_change:
            await self._mails.add(transaction, MailKind.EMAIL_CHANGED, user.email, now, user.id)
