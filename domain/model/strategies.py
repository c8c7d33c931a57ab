"""A named strategy of a user, and the immutable versions of it."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from domain.model.definitions import StrategyDefinition


@dataclass(frozen=True, slots=True)
class Strategy:
    """A named list of versions; `current_version` is the number of the newest, counted from 1."""

    id: UUID
    user_id: UUID
    name: str
    description: str | None
    created_at: datetime
    archived_at: datetime | None = None
    current_version: int = 1


@dataclass(frozen=True, slots=True)
class StrategyVersion:
    """One immutable definition; `language_version` is that of the rule language in which it was written."""

    id: UUID
    strategy_id: UUID
    user_id: UUID
    number: int
    created_at: datetime
    definition: StrategyDefinition
    language_version: int
