"""Confirms a login session: its user proves once more who they are, for what a recent sign-in is required."""

from domain.core.clock import Clock, IdGenerator
from domain.core.errors import Forbidden
from domain.model.users import Identity
from domain.ports.unit_of_work import Database
from domain.users.activity import record_activity
from domain.users.identity_lock import lock_identity
from domain.users.password_check import PasswordCheck, current_password_rejected
from domain.users.password_hashing import NO_PASSWORD
from domain.users.recent_sign_in import confirmation_required
from domain.users.two_factor import SecondFactor, Verdict, two_factor_rejected, two_factor_required


class ConfirmationService:
    """Confirms login sessions."""

    def __init__(
        self, database: Database, passwords: PasswordCheck, second_factor: SecondFactor, clock: Clock, ids: IdGenerator
    ) -> None:
        self._database = database
        self._passwords = passwords
        self._second_factor = second_factor
        self._clock = clock
        self._ids = ids

    async def confirm(self, identity: Identity, password: str | None, two_factor_code: str | None) -> None:
        """Store that the user of the login session has proved who they are now.

        Raises CREDENTIALS_REJECTED, TWO_FACTOR_REQUIRED, `RateLimited`, and `Forbidden` for an API key. A user without
        a password proves nothing but by a second factor while the sign-in is recent: else it is CONFIRMATION_REQUIRED,
        and they sign in again, since a session that confirmed itself would be a thief's for ever.
        """
        if not identity.is_login_session:
            raise Forbidden("An API key has no login session to confirm.")
        verified = await self._passwords.verify(identity, password)
        user_id, now = identity.user.id, self._clock.now()
        async with self._database.transaction() as transaction:
            if await lock_identity(transaction, identity, now) != verified:
                raise current_password_rejected()
            verdict = await self._second_factor.verify(transaction, user_id, two_factor_code)
            if verdict is Verdict.NOT_ENABLED and verified == NO_PASSWORD:
                raise confirmation_required()
            if verdict in {Verdict.NOT_ENABLED, Verdict.RIGHT}:
                await transaction.users.confirm_login_session(identity.credential_id, now)
                subject = ("LoginSession", str(identity.credential_id))
                await record_activity(transaction, self._ids, now, user_id, "loginSessionConfirm", subject)
        if verdict is Verdict.MISSING:
            raise two_factor_required()
        if verdict is Verdict.WRONG:
            raise two_factor_rejected("twoFactorCode")
