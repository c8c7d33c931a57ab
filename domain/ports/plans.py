"""The port of plans: which there are, which user has which, and how much of them is used."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from domain.model.plans import Entitlement, EntitlementUsage, Plan, PlanChange


class PlanRepository(Protocol):
    """Stores plans by their names, decisions about users' plans, and what is used up by the day."""

    async def get(self, name: str, *, lock: bool = False) -> Plan | None:
        """Return the plan of that name; `lock` locks it until the transaction ends."""
        ...

    async def list_all(self) -> list[Plan]:
        """Return all plans by name, archived ones too."""
        ...

    async def add(self, plan: Plan) -> bool:
        """Insert the plan, never as the default; return False if the name is taken."""
        ...

    async def save(self, plan: Plan) -> None:
        """Store limits and archival of a plan."""
        ...

    async def set_default(self, name: str) -> None:
        """Make this plan the default in the place of the present one."""
        ...

    async def default(self) -> Plan:
        """Return the default plan."""
        ...

    async def of_user(self, user_id: UUID) -> Plan:
        """Return the plan that the user has now."""
        ...

    async def usage(self, user_id: UUID, plan: Plan) -> list[EntitlementUsage]:
        """Return how much the user uses of each entitlement of the plan that is counted in the database."""
        ...

    async def used(self, user_id: UUID, entitlement: Entitlement) -> int:
        """Return how much the user uses of one of them."""
        ...

    async def add_use(self, user_id: UUID, entitlement: Entitlement, amount: int) -> None:
        """Add to what the user has used of a daily entitlement on this day (UTC)."""
        ...

    async def reserve_places(self, user_id: UUID, node: str, wished: tuple[int, int], most: int, seconds: float) -> int:
        """Reserve places for a user's subscriptions on a node, and return how many: `most` on all nodes together.

        `wished` is how many are in use there, which are kept also beyond `most`, and how many there should be. The
        user's row must be locked.
        """
        ...

    async def renew_places(self, user_id: UUID, node: str, places: int, seconds: float) -> None:
        """Keep so many places reserved for as long again; 0 gives all back."""
        ...

    async def add_change(
        self, change: PlanChange, event_hash: bytes | None = None, *, at_once: bool = False
    ) -> PlanChange | None:
        """Store a decision about a user's plan, and return it as stored; None if its event was stored before.

        One that takes effect `at_once` does so by the clock of the database, if that is behind the node's.
        """
        ...

    async def latest_decision_at(self, user_id: UUID) -> datetime | None:
        """Return when the last decision about the user's plan was made."""
        ...

    async def cancel_change(self, change_id: UUID, at: datetime) -> None:
        """Cancel a decision."""
        ...

    async def get_change(self, user_id: UUID, change_id: UUID) -> PlanChange | None:
        """Return a decision about the user's plan."""
        ...

    async def change_by_id(self, change_id: UUID) -> PlanChange | None:
        """Return a decision about any user's plan."""
        ...

    async def changes(self, user_id: UUID, limit: int) -> Sequence[PlanChange]:
        """Return the decisions about a user's plan, the last one first."""
        ...

    async def change_of_event(self, event_id: str) -> tuple[PlanChange, bytes | None] | None:
        """Return what an event of the billing system decided, with the hash of the event."""
        ...

    async def count_users(self) -> Mapping[str, int]:
        """Return how many users have each plan now, but for those who are erased."""
        ...
