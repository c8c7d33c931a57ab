"""The ports of the users' event logs."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from domain.model.events import NewEvent, UserEvent


class EventLog(Protocol):
    """Appends to the users' event logs; see `domain.model.events`. `EventHistory` reads them."""

    def append(self, events: Sequence[NewEvent]) -> None:
        """Append `events` to the log when the transaction commits, in this order.

        They get their sequence numbers by the last statement before the commit, so that a user's counter row is locked
        for the shortest time; the bus is notified after the commit.
        """
        ...

    async def head(self, user_id: UUID) -> tuple[int, datetime | None]:
        """Return the sequence and time of the user's newest event; 0 and None if there is none."""
        ...

    async def heads(self, user_ids: Sequence[UUID]) -> dict[UUID, int]:
        """Return the sequences of the newest events of several users; those without events are left out."""
        ...


class EventHistory(Protocol):
    """Reads the users' event logs, also what is archived of them; no connection is held while files are read.

    Methods raise `Unavailable` if an archived file that is needed can't be read.
    """

    async def read_after(
        self, user_id: UUID, sequence: int, at: datetime | None, limit: int, *, orders_only: bool = False
    ) -> list[UserEvent]:
        """Return at most `limit` events that follow `sequence`, oldest first; `at` bounds the months to read.

        With `orders_only`, only events that carry an order.
        """
        ...

    async def list_for_orders(self, user_id: UUID, order_ids: Sequence[UUID], since: datetime) -> list[UserEvent]:
        """Return all events of some orders of a user, oldest first; `since` (their creation) bounds the months."""
        ...
