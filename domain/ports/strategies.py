"""What the strategies' domain needs of the outside."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from domain.core.pagination import KeysetPage
from domain.model.strategies import Strategy, StrategyVersion


class StrategyRepository(Protocol):
    """Strategies and their immutable versions."""

    async def add(self, strategy: Strategy, version: StrategyVersion) -> None:
        """Store a new strategy with its first version."""
        ...

    async def get(self, user_id: UUID, strategy_id: UUID) -> Strategy | None:
        """Return a strategy of the user."""
        ...

    async def get_for_update(self, user_id: UUID, strategy_id: UUID) -> Strategy | None:
        """Return a strategy of the user and lock its row until the transaction ends."""
        ...

    async def update(self, strategy: Strategy) -> None:
        """Store name, description, archiving and the number of the newest version."""
        ...

    async def add_version(self, version: StrategyVersion) -> None:
        """Store a new version."""
        ...

    async def get_version(self, user_id: UUID, version_id: UUID) -> StrategyVersion | None:
        """Return a version of a strategy of the user."""
        ...

    async def get_version_by_number(self, user_id: UUID, strategy_id: UUID, number: int) -> StrategyVersion | None:
        """Return a version by its number."""
        ...

    async def get_many(self, ids: Sequence[UUID]) -> list[Strategy]:
        """Return the strategies that exist, in any order (for batches)."""
        ...

    async def get_many_versions(self, ids: Sequence[UUID]) -> list[StrategyVersion]:
        """Return the versions that exist, in any order (for batches)."""
        ...

    async def get_latest_versions(self, strategy_ids: Sequence[UUID]) -> list[StrategyVersion]:
        """Return the newest version of each strategy, in any order (for batches)."""
        ...

    async def list_page(self, user_id: UUID, window: KeysetPage, *, archived: bool = False) -> list[Strategy]:
        """Return the user's strategies, archived ones alone or none of them."""
        ...

    async def list_versions(self, user_id: UUID, strategy_id: UUID, window: KeysetPage) -> list[StrategyVersion]:
        """Return the versions of a strategy."""
        ...

    async def archive(self, user_id: UUID, strategy_id: UUID, at: datetime) -> Strategy | None:
        """Mark a strategy as archived; None where there is none."""
        ...
