"""Asks again, under a lock, whether who sends a request may still act.

An identity is read when a request begins. By the time at which a mutation changes something its user may be erased, or
its credential revoked: by an earlier mutation of the same document, or by another client.
"""

from datetime import datetime
from uuid import UUID

from domain.core.errors import Unauthenticated
from domain.model.users import Identity
from domain.ports.unit_of_work import UnitOfWork


async def lock_user(transaction: UnitOfWork, user_id: UUID) -> None:
    """Lock the user's row until the transaction ends; raises `Unauthenticated` if the user is erased."""
    if not await transaction.users.lock(user_id):
        raise Unauthenticated


async def lock_identity(transaction: UnitOfWork, identity: Identity, now: datetime) -> str | None:
    """Lock the user's row until the transaction ends, and return the password's hash.

    Raises `Unauthenticated` if the user is erased, or the credential was revoked or has expired. What revokes the
    credentials of a user locks the same row, so none is revoked before the end of the transaction.
    """
    await lock_user(transaction, identity.user.id)
    if not await transaction.users.valid_credential_ids([identity.credential_id], now):
        raise Unauthenticated
    return await transaction.users.password_hash(identity.user.id)
