"""The port of positions."""

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from domain.core.pagination import KeysetPage
from domain.model.markets import MarketSymbol
from domain.model.trading import Position


class PositionRepository(Protocol):
    """Positions, one row from opening to flat."""

    async def get_open_for_update(
        self, account_id: UUID, market: MarketSymbol, trading_session_id: UUID | None
    ) -> Position | None:
        """Return the open position of the market and trading session and lock its row; None if there is none.

        Without a session it is the position that manual orders have opened.
        """
        ...

    async def save(self, position: Position) -> None:
        """Store a new or changed position."""
        ...

    async def get(self, user_id: UUID, position_id: UUID) -> Position | None:
        """Return a position of the user."""
        ...

    async def list_page(
        self,
        user_id: UUID,
        page: KeysetPage,
        account_id: UUID | None = None,
        market: MarketSymbol | None = None,
        *,
        is_open: bool | None = None,
    ) -> list[Position]:
        """Return a page of the user's positions; a filter that is None lets all of them through."""
        ...

    async def list_open(self, account_id: UUID) -> list[Position]:
        """Return the open positions of an account, oldest first."""
        ...

    async def list_halted(self, account_ids: Sequence[UUID] | None) -> list[Position]:
        """Return the open positions of these accounts (None: of all) that a halt in force closes, oldest first.

        Those that are being closed as a whole already are left out.
        """
        ...

    async def latest_by_session(self, trading_session_ids: Sequence[UUID]) -> list[Position]:
        """Return the newest position of each trading session, open or closed, in any order (for batches)."""
        ...
