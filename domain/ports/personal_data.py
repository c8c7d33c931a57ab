"""The port of all that is stored about a user."""

from datetime import datetime
from typing import Protocol
from uuid import UUID


class PersonalData(Protocol):
    """Everything that is stored about one user, whatever part of the engine stored it."""

    async def is_last_operator(self, user_id: UUID) -> bool:
        """Return whether other users are left and none of them is an operator."""
        ...

    async def erase(self, user_id: UUID, at: datetime) -> list[UUID]:
        """Erase who the user is; return the ids of the login sessions and API keys that ended.

        Deleted are credentials, mails, research, reports, strategies that never traded, and events but those of orders.
        What is a record of trading stays, under the user's id alone: accounts without their names and credentials,
        orders, fills, positions, transfers, equity, signals, trading sessions with their strategies' rules, and which
        actions the user took.
        """
        ...
