"""Asks for a recent proof of who acts, before something that a thief of a login session mustn't do."""

from datetime import datetime, timedelta
from typing import Final

from domain.core.errors import ErrorCode, InputError
from domain.model.users import Identity
from domain.ports.unit_of_work import UnitOfWork
from domain.users.identity_lock import lock_identity

RECENT: Final = timedelta(hours=2)
"""For how long a sign-in, or a confirmation by the password, proves who acts; GitHub's sudo mode lasts as long."""


async def lock_recent_sign_in(transaction: UnitOfWork, identity: Identity, now: datetime) -> str | None:
    """Lock the user's row as `lock_identity` does; raises as it, and CONFIRMATION_REQUIRED."""
    password_hash = await lock_identity(transaction, identity, now)
    await require_recent_sign_in(transaction, identity, now)
    return password_hash


async def require_recent_sign_in(reading: UnitOfWork, identity: Identity, now: datetime) -> None:
    """Raise CONFIRMATION_REQUIRED unless the login session was opened or confirmed within `RECENT`."""
    confirmed_at = await reading.users.confirmed_at(identity.credential_id)
    if confirmed_at is None or now - confirmed_at > RECENT:
        raise confirmation_required()


def confirmation_required() -> InputError:
    """Return the error for a login session whose last proof is too old."""
    message = (
        f"It takes a sign-in of the last {RECENT.total_seconds() / 3600:.0f} hours: call loginSessionConfirm with the "
        "password, or without one sign in again, and repeat this."
    )
    return InputError(ErrorCode.CONFIRMATION_REQUIRED, message)
