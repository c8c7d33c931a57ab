"""The port to what a database needs to be told after it was restored to an earlier moment."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from domain.model.markets import MarketSymbol


@dataclass(frozen=True, slots=True)
class RestoreMark:
    """What was marked: accounts that ask their venues first, login sessions that ended, users with an event log.

    `skipped_messages` counts the notification channels whose waiting events aren't sent, and mails that aren't.
    """

    accounts: int
    login_sessions: int
    users: Sequence[UUID]
    skipped_messages: int


class RestoreRepository(Protocol):
    """Restored databases, and the accounts that haven't agreed with their venues since."""

    async def mark(self, restored_to: datetime, now: datetime) -> RestoreMark:
        """Mark the database as one that doesn't know what happened after `restored_to`.

        Every account is restored until `settle`. Event logs go on at sequences that nobody has seen, leases at epochs
        that nobody holds; login sessions and codes sent by mail end; what waited to be notified of isn't sent.
        """
        ...

    async def restored_to(self, account_id: UUID) -> datetime | None:
        """Return the moment after which the database doesn't know the account; None if it knows all."""
        ...

    async def settle(self, account_id: UUID) -> None:
        """Note that the account agrees with its venue again."""
        ...

    async def traded_markets(self, account_id: UUID) -> set[MarketSymbol]:
        """Return the markets of all orders, positions and trading sessions of the account."""
        ...
