"""The port of what operators see of users and of the engine."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from domain.model.administration import ManagedUser, UserCounts


class AdministrationReads(Protocol):
    """Reads over all users."""

    async def users(self, ids: Sequence[UUID]) -> list[ManagedUser]:
        """Return the users of these ids who aren't erased."""
        ...

    async def counts(self, user_ids: Sequence[UUID], now: datetime) -> dict[UUID, UserCounts]:
        """Return how much each user has."""
        ...
