"""The port of alert rules."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from domain.model.alert_rules import AlertRule


@dataclass(frozen=True, slots=True)
class RuleOutcome:
    """How a rule that was evaluated stands now: whether it is armed, when it fired last if it has, and how often."""

    rule_id: UUID
    revision: int
    is_armed: bool | None
    fired_at: datetime | None = None
    fired: int = 0


class AlertRuleRepository(Protocol):
    """Alert rules, and how each stands."""

    async def add(self, rule: AlertRule) -> None:
        """Insert a rule."""
        ...

    async def get(self, user_id: UUID, rule_id: UUID) -> AlertRule | None:
        """Return a rule of the user."""
        ...

    async def get_for_update(self, user_id: UUID, rule_id: UUID) -> AlertRule | None:
        """Return a rule of the user, and lock it until the transaction ends."""
        ...

    async def save(self, rule: AlertRule) -> None:
        """Store a rule that the user has changed."""
        ...

    async def delete(self, rule_id: UUID) -> None:
        """Delete a rule."""
        ...

    async def list_active(self, user_id: UUID | None = None) -> list[AlertRule]:
        """Return the active rules of a user, or of all users who aren't disabled."""
        ...

    async def save_outcomes(self, outcomes: Sequence[RuleOutcome]) -> set[UUID]:
        """Store how rules stand; return the ids of those that are still active and haven't been changed meanwhile."""
        ...

    async def heads(self, user_ids: Sequence[UUID]) -> dict[UUID, int]:
        """Return the heads of those users' event logs."""
        ...

    async def save_sequence(self, rule_ids: Sequence[UUID], sequence: int) -> None:
        """Store up to which event the rules have looked at their user's log."""
        ...
