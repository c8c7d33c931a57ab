"""The port of what protects positions and closes them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from domain.model.orders import Order
from domain.model.protection import PositionIntent, PositionProtection


class ProtectionRepository(Protocol):
    """Protections of positions, and intents to close positions; both stay after they have ended."""

    async def add(self, protection: PositionProtection) -> None:
        """Store a new protection."""
        ...

    async def add_many(self, protections: Sequence[PositionProtection]) -> None:
        """Store new protections, which are sent together."""
        ...

    async def save(self, protection: PositionProtection) -> None:
        """Store a changed protection."""
        ...

    async def end(self, protection_ids: Sequence[UUID], at: datetime) -> int:
        """End those of the protections that have not ended; return how many those are."""
        ...

    async def needs_keeper(self, account_id: UUID) -> bool:
        """Return whether the account has a protection or an intent that has not ended, or a position to be closed.

        The latter is one that `PositionRepository.list_halted` returns. Active orders count that keep a protection at
        the venue, or by hand only reduce a position.
        """
        ...

    async def get_for_update(self, protection_id: UUID) -> PositionProtection | None:
        """Return a protection and lock its row until the transaction ends."""
        ...

    async def list_open(self, account_id: UUID) -> list[PositionProtection]:
        """Return the account's protections that have not ended, oldest first."""
        ...

    async def list_of_positions(self, position_ids: Sequence[UUID]) -> list[PositionProtection]:
        """Return all protections of these positions, ended ones too, oldest first (for batches)."""
        ...

    async def list_of_entries(self, order_ids: Sequence[UUID]) -> list[PositionProtection]:
        """Return all protections of what these entry orders bring, ended ones too, oldest first (for batches)."""
        ...

    async def add_intent(self, intent: PositionIntent) -> bool:
        """Store a new intent.

        False, and nothing is stored, if an intent for the same trading session's position, or for the same protection,
        has not ended yet: the first reason counts.
        """
        ...

    async def save_intent(self, intent: PositionIntent) -> None:
        """Store a changed intent."""
        ...

    async def get_intent_for_update(self, intent_id: UUID) -> PositionIntent | None:
        """Return an intent and lock its row until the transaction ends."""
        ...

    async def get_ended_intent(self, order: Order, protection_id: UUID, newest_id: UUID) -> PositionIntent | None:
        """Return the newest intent that has ended and meant the fills of an entry order too; None if there is none.

        That is one to close all that `protection_id` protects, or the whole position of the order's trading session,
        and was formed after the order was made. One above `newest_id`, an id of now, was formed by a node whose clock
        was ahead, and perhaps before the order: it counts as none.
        """
        ...

    async def list_open_intents(self, account_id: UUID) -> list[PositionIntent]:
        """Return the account's intents that have not ended, oldest first."""
        ...

    async def list_intents_of_positions(self, position_ids: Sequence[UUID]) -> list[PositionIntent]:
        """Return all intents to close these positions, ended ones too, oldest first (for batches)."""
        ...
