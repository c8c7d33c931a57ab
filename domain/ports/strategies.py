"""The port of strategies."""

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

    async def get_for_update(self, user_id: UUID, strategy_id: UUID) -> Strategy | None:
        """Return a strategy of the user and lock its row until the transaction ends."""
        ...

    async def update(self, strategy: Strategy) -> None:
        """Store the strategy's name, description, time of archiving and number of the newest version."""
        ...

    async def add_version(self, version: StrategyVersion) -> None:
        """Store a new version."""
        ...

    async def get_version(self, user_id: UUID, version_id: UUID) -> StrategyVersion | None:
        """Return a version of a strategy of the user."""
        ...

    async def get_version_by_number(self, user_id: UUID, strategy_id: UUID, number: int) -> StrategyVersion | None:
        """Return a version of a strategy by its number, counted from 1."""
        ...

    async def get_by_name(self, user_id: UUID, name: str) -> list[Strategy]:
        """Return the user's strategies of that name that aren't archived, oldest first."""
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

    async def list_page(self, user_id: UUID, page: KeysetPage, *, archived: bool = False) -> list[Strategy]:
        """Return a page of the user's strategies: only archived ones, or only others."""
        ...

    async def list_versions(self, user_id: UUID, strategy_id: UUID, page: KeysetPage) -> list[StrategyVersion]:
        """Return a page of a strategy's versions."""
        ...

    async def archive(self, user_id: UUID, strategy_id: UUID, at: datetime) -> Strategy | None:
        """Archive and return a strategy, whose first time of archiving stays; None if there is no such strategy."""
        ...
