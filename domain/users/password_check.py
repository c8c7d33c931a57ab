"""Checks a signed-in user's password again, before something that a thief of the session mustn't do."""

from domain.core.clock import Clock
from domain.core.errors import ErrorCode, InputError
from domain.model.users import Identity
from domain.ports.unit_of_work import Database
from domain.users.login_throttle import LoginThrottle
from domain.users.password_hashing import NO_PASSWORD, HashQueue
from domain.users.recent_sign_in import require_recent_sign_in


class PasswordCheck:
    """Verifies present passwords; guessing is throttled for each user, apart from the wrong passwords of sign-ins."""

    def __init__(self, database: Database, throttle: LoginThrottle, hashing: HashQueue, clock: Clock) -> None:
        self._database = database
        self._throttle = throttle
        self._hashing = hashing
        self._clock = clock

    async def verify(self, identity: Identity, password: str | None, field: str = "password") -> str | None:
        """Return the hash that the password fits; raises CREDENTIALS_REJECTED for the input field `field`.

        A user who has no password proves it by a recent sign-in: else it is CONFIRMATION_REQUIRED.
        """
        user_id = identity.user.id
        async with self._database.read_only() as reading:
            stored = await reading.users.password_hash(user_id)
            if stored == NO_PASSWORD:
                await require_recent_sign_in(reading, identity, self._clock.now())
                return stored
        client = f"user:{user_id}"
        if password is None or not await self._throttle.verify(
            client, client, lambda: self._hashing.verify(client, stored, password, known=True)
        ):
            raise current_password_rejected(field)
        return stored


def current_password_rejected(field: str = "password") -> InputError:
    """Return the error for a wrong present password."""
    return InputError(ErrorCode.CREDENTIALS_REJECTED, f"{field} must be the present password.", ("input", field))
