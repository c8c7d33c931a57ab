"""What gets into a user's account without the password, or brings news out of it, and how all of it ends at once."""

from datetime import datetime
from uuid import UUID

from domain.ports.unit_of_work import UnitOfWork


async def end_standing_access(transaction: UnitOfWork, user_id: UUID, now: datetime) -> list[UUID]:
    """Revoke the user's API keys and webhooks, unlink identities, and disable notification channels.

    Somebody else may have made them. Return the ids of the keys; login sessions and the password are the caller's.
    """
    await transaction.signal_webhooks.revoke_all(user_id, now)
    await transaction.oidc.remove_all(user_id)
    await transaction.channels.disable_all(user_id)
    return await transaction.users.revoke_api_keys(user_id, None, now)
