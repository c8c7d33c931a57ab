"""The second factor of a sign-in: one-time passwords by time (TOTP, RFC 6238), and recovery codes."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum
from typing import Final
from uuid import UUID

import pyotp

from domain.core.clock import Clock, IdGenerator
from domain.core.errors import ErrorCode, Forbidden, InputError, RateLimited, Unavailable
from domain.model.mail import MailKind
from domain.model.users import Identity, TwoFactor
from domain.ports.unit_of_work import Database, UnitOfWork
from domain.ports.users import SecretVault, TokenSource
from domain.users.activity import record_activity
from domain.users.identity_lock import lock_identity
from domain.users.password_check import PasswordCheck, current_password_rejected
from domain.users.recent_sign_in import lock_recent_sign_in
from domain.users.tokens import credential_hash
from domain.users.user_mails import UserMails

ISSUER: Final = "r3edge"
SECRET_CHARACTERS: Final = 32
"""160 bits in base32, as RFC 4226 (4, R6) recommends."""

RECOVERY_CODES: Final = 10
RECOVERY_CODE_CHARACTERS: Final = 16
STEPS_OFF: Final = 1
"""How many steps of 30 s a phone's clock may be off, before and after."""

MOST_FAILURES: Final = 10
"""Wrong codes of a user in an hour; further ones aren't looked at until the hour is over.

A code has 6 digits, of which three are right at a time: that leaves a thief of the password a chance of one in 1,400 a
day.
"""

FAILURE_WINDOW: Final = timedelta(hours=1)


class Verdict(Enum):
    """What a second factor says to a sign-in."""

    NOT_ENABLED = "NOT_ENABLED"
    MISSING = "MISSING"
    RIGHT = "RIGHT"
    WRONG = "WRONG"


@dataclass(frozen=True, slots=True)
class NewSecret:
    """A secret for an authenticator app, and as the URI that it scans; it isn't shown again."""

    secret: str
    uri: str


class SecondFactor:
    """Verifies codes, in the transaction of what they allow."""

    def __init__(self, vault: SecretVault, clock: Clock) -> None:
        self._vault = vault
        self._clock = clock

    async def verify(self, transaction: UnitOfWork, user_id: UUID, code: str | None) -> Verdict:
        """Use a one-time password or a recovery code, each of which is accepted once.

        The transaction must be committed whatever the verdict: it counts wrong codes. Raises `RateLimited` after too
        many of them, and `Unavailable` if the secret can't be opened.
        """
        factor = await transaction.two_factors.get(user_id, lock=True)
        if factor is None or factor.enabled_at is None:
            return Verdict.NOT_ENABLED
        if code is None:
            return Verdict.MISSING
        return Verdict.RIGHT if await self.accepts(transaction, factor, code) else Verdict.WRONG

    async def accepts(self, transaction: UnitOfWork, factor: TwoFactor, code: str) -> bool:
        """Return whether the code is right, and store that it was used, or that it was wrong; `factor` is locked."""
        now = self._clock.now()
        compact = "".join(code.split()).replace("-", "").upper()
        is_recovery = len(compact) == RECOVERY_CODE_CHARACTERS
        # Nobody guesses one of these: who has one signs in although somebody else tries codes of the app.
        if is_recovery and await transaction.two_factors.take_recovery_code(factor.user_id, _recovery_hash(compact)):
            await transaction.two_factors.save(replace(factor, failures=0, failures_since=None))
            return True
        started = factor.failures_since
        is_open = started is not None and now - started < FAILURE_WINDOW
        if started is not None and is_open and factor.failures >= MOST_FAILURES:
            left = started + FAILURE_WINDOW - now
            raise RateLimited("Too many wrong codes of the second factor were tried", int(left.total_seconds()) + 1)
        step = None if is_recovery else self._step(factor, compact, now)
        if step is not None:
            await transaction.two_factors.save(replace(factor, last_step=step, failures=0, failures_since=None))
            return True
        failures, since = (factor.failures, factor.failures_since) if is_open else (0, now)
        await transaction.two_factors.save(replace(factor, failures=failures + 1, failures_since=since))
        return False

    def _step(self, factor: TwoFactor, code: str, now: datetime) -> int | None:
        """Return the time step of which the code is; None if it is of none near now, or of one that was used."""
        try:
            totp = pyotp.TOTP(self._vault.unseal_secret(factor.sealed_secret, factor.user_id))
        except ValueError:
            raise Unavailable("The second factor can't be checked: this server's secret key is another one.") from None
        if not (code.isascii() and code.isdecimal()):
            return None
        present = totp.timecode(now)
        used = -1 if factor.last_step is None else factor.last_step
        for step in range(present - STEPS_OFF, present + STEPS_OFF + 1):
            is_same = pyotp.utils.strings_equal(totp.generate_otp(step), code)
            if is_same and step > used:
                return step
        return None


class TwoFactorService:
    """Sets the second factor up, and takes it away."""

    def __init__(
        self,
        database: Database,
        second_factor: SecondFactor,
        vault: SecretVault,
        passwords: PasswordCheck,
        mails: UserMails,
        tokens: TokenSource,
        clock: Clock,
        ids: IdGenerator,
    ) -> None:
        self._database = database
        self._second_factor = second_factor
        self._vault = vault
        self._passwords = passwords
        self._mails = mails
        self._tokens = tokens
        self._clock = clock
        self._ids = ids

    async def set_up(self, identity: Identity, password: str | None) -> NewSecret:
        """Return a new secret, which counts once `enable` has proved that an app has it.

        Raises CREDENTIALS_REJECTED, CONFLICT if a second factor is enabled, and `Forbidden` for an API key.
        """
        _require_login(identity)
        verified = await self._passwords.verify(identity, password)
        user_id, secret = identity.user.id, self._tokens.next_base32(SECRET_CHARACTERS)
        now = self._clock.now()
        factor = TwoFactor(user_id, self._vault.seal_secret(secret, user_id), now)
        async with self._database.transaction() as transaction:
            if await lock_identity(transaction, identity, now) != verified:
                raise current_password_rejected()
            present = await transaction.two_factors.get(user_id)
            if present is not None and present.enabled_at is not None:
                raise InputError(
                    ErrorCode.CONFLICT, "A second factor is enabled; disable it before you set up another."
                )
            await transaction.two_factors.save(factor)
            await self._record(transaction, user_id, "twoFactorSetup")
        uri = pyotp.TOTP(secret).provisioning_uri(name=identity.user.email, issuer_name=ISSUER)
        return NewSecret(secret, uri)

    async def enable(self, identity: Identity, code: str) -> list[str]:
        """Enable the secret that was set up, given a code of it; return the recovery codes, which aren't shown again.

        Raises CREDENTIALS_REJECTED, CONFLICT if none was set up, `RateLimited` and `Forbidden`.
        """
        _require_login(identity)
        user_id, now, codes = identity.user.id, self._clock.now(), self._new_codes()
        async with self._database.transaction() as transaction:
            await lock_identity(transaction, identity, now)
            factor = await transaction.two_factors.get(user_id, lock=True)
            if factor is None or factor.enabled_at is not None:
                what = "is enabled already" if factor else "was not set up; call twoFactorSetup first"
                raise InputError(ErrorCode.CONFLICT, f"The second factor {what}.")
            is_right = await self._second_factor.accepts(transaction, factor, code)
            factor = await transaction.two_factors.get(user_id)
            if is_right and factor is not None:
                await transaction.two_factors.save(replace(factor, enabled_at=now))
                await transaction.two_factors.replace_recovery_codes(user_id, list(map(_recovery_hash, codes)))
                user = await transaction.users.get(user_id) or identity.user
                await self._mails.notify(transaction, MailKind.TWO_FACTOR_ENABLED, user, now)
                await self._record(transaction, user_id, "twoFactorEnable")
        if not is_right:
            raise two_factor_rejected("code")
        return list(map(_shown, codes))

    async def disable(self, identity: Identity, code: str) -> None:
        """Take the second factor away, given a code of it; raises as `enable`, and CONFIRMATION_REQUIRED."""
        await self._with_code(identity, code, "twoFactorDisable", MailKind.TWO_FACTOR_DISABLED)

    async def replace_recovery_codes(self, identity: Identity, code: str) -> list[str]:
        """Return new recovery codes, given a code; the old ones are worthless. Raises as `disable`."""
        codes = self._new_codes()
        await self._with_code(identity, code, "recoveryCodesReplace", None, codes)
        return list(map(_shown, codes))

    async def _with_code(
        self, identity: Identity, code: str, action: str, notice: MailKind | None, codes: list[str] | None = None
    ) -> None:
        _require_login(identity)
        user_id, now = identity.user.id, self._clock.now()
        async with self._database.transaction() as transaction:
            await lock_recent_sign_in(transaction, identity, now)
            verdict = await self._second_factor.verify(transaction, user_id, code)
            if verdict is Verdict.RIGHT:
                if codes is None:
                    await transaction.two_factors.delete(user_id)
                else:
                    await transaction.two_factors.replace_recovery_codes(user_id, list(map(_recovery_hash, codes)))
                if notice is not None:
                    user = await transaction.users.get(user_id) or identity.user
                    await self._mails.notify(transaction, notice, user, now)
                await self._record(transaction, user_id, action)
        if verdict is Verdict.NOT_ENABLED:
            raise InputError(ErrorCode.CONFLICT, "No second factor is enabled.")
        if verdict is Verdict.WRONG:
            raise two_factor_rejected("code")

    def _new_codes(self) -> list[str]:
        return [self._tokens.next_base32(RECOVERY_CODE_CHARACTERS) for _ in range(RECOVERY_CODES)]

    async def _record(self, transaction: UnitOfWork, user_id: UUID, action: str) -> None:
        await record_activity(transaction, self._ids, self._clock.now(), user_id, action, ("User", str(user_id)))


def two_factor_required() -> InputError:
    """Return the error for a right password without the second factor."""
    message = "The password is right; twoFactorCode must be a code of the authenticator app, or a recovery code."
    return InputError(ErrorCode.TWO_FACTOR_REQUIRED, message, ("input", "twoFactorCode"))


def two_factor_rejected(field: str) -> InputError:
    """Return the error for a code that is wrong or was used."""
    message = (
        f"{field} is not the present code of the authenticator app nor a recovery code, or it was used already: each "
        "is accepted once. If it is always wrong, set the clock of the phone."
    )
    return InputError(ErrorCode.CREDENTIALS_REJECTED, message, ("input", field))


def _require_login(identity: Identity) -> None:
    if not identity.is_login_session:
        raise Forbidden("An API key can't change the second factor; sign in to change it.")


def _recovery_hash(code: str) -> bytes:
    # A fast hash is right: a code has 80 random bits.
    return credential_hash(code)


def _shown(code: str) -> str:
    return "-".join(code[start : start + 4] for start in range(0, len(code), 4))
