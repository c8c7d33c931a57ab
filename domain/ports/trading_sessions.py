"""The port of trading sessions and their signals."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from domain.core.pagination import KeysetPage
from domain.model.markets import MarketSymbol
from domain.model.trading import Signal, TradingSession, TradingSessionStatus


@dataclass(frozen=True, slots=True)
class TradingSessionFilter:
    """Which trading sessions of a user to list; a field that is None lets all of them through."""

    account_id: UUID | None = None
    market: MarketSymbol | None = None
    statuses: tuple[TradingSessionStatus, ...] | None = None
    strategy_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class SeenCandle:
    """The open time of a closed candle that a trading session has acted on."""

    session_id: UUID
    market: MarketSymbol
    open_time: datetime


class TradingSessionRepository(Protocol):
    """Trading sessions and their signals."""

    async def add(self, session: TradingSession) -> None:
        """Store a new trading session."""
        ...

    async def get(self, user_id: UUID, session_id: UUID) -> TradingSession | None:
        """Return a trading session of the user."""
        ...

    async def get_for_update(self, session_id: UUID) -> TradingSession | None:
        """Return any trading session and lock its row until the transaction ends."""
        ...

    async def get_unlocked_for_update(self, session_ids: Sequence[UUID]) -> list[TradingSession]:
        """Return those of the trading sessions whose rows no transaction has locked, and lock them; in any order."""
        ...

    async def save(self, session: TradingSession) -> None:
        """Store a changed trading session."""
        ...

    async def save_many(self, sessions: Sequence[TradingSession]) -> None:
        """Store changed trading sessions, which are sent together."""
        ...

    async def list_live(self, account_id: UUID) -> list[TradingSession]:
        """Return the account's trading sessions that are not final, oldest first."""
        ...

    async def markets_of_user(self, user_id: UUID) -> list[MarketSymbol]:
        """Return the markets of the user's live trading sessions, each once."""
        ...

    async def count_live(self, user_id: UUID) -> int:
        """Return how many of the user's trading sessions are not final."""
        ...

    async def markets_in_use(self) -> list[MarketSymbol]:
        """Return the markets of live trading sessions, of open positions and of active orders, sorted."""
        ...

    async def markets_of_account(self, account_id: UUID) -> list[MarketSymbol]:
        """Return the same of one account, sorted."""
        ...

    async def last_candle_at(self, session_id: UUID, market: MarketSymbol) -> datetime | None:
        """Return the open time of the newest candle of a market that the trading session has acted on."""
        ...

    async def last_candles(self, session_ids: Sequence[UUID]) -> dict[tuple[UUID, MarketSymbol], datetime]:
        """Return the same of several trading sessions, by their ids and markets."""
        ...

    async def save_last_candles(self, seen: Sequence[SeenCandle]) -> int:
        """Store which candles were acted on; return for how many trading sessions that is new.

        Each trading session and market may be named once; one that has acted on a later candle stays as it is.
        """
        ...

    async def list_page(
        self, user_id: UUID, page: KeysetPage, session_filter: TradingSessionFilter
    ) -> list[TradingSession]:
        """Return a page of the user's trading sessions."""
        ...

    async def get_many(self, ids: Sequence[UUID]) -> list[TradingSession]:
        """Return the trading sessions that exist, in any order (for batches)."""
        ...

    async def add_signal(self, signal: Signal) -> bool:
        """Store a signal; False if the same action on the same candle, or the same add, was signalled already."""
        ...

    async def add_signals(self, signals: Sequence[Signal]) -> None:
        """Store signals, which are sent together, but those that `add_signal` would not store."""
        ...

    async def list_adds(self, position_id: UUID) -> list[int]:
        """Return the numbers of the further entries into a position that were signalled."""
        ...

    async def save_signal(self, signal: Signal) -> None:
        """Store a changed signal."""
        ...

    async def list_waiting_signals(self, session_id: UUID) -> list[Signal]:
        """Return the trading session's signals that were submitted and not acted on yet, oldest first."""
        ...

    async def list_all_waiting_signals(self, session_ids: Sequence[UUID]) -> list[Signal]:
        """Return the same of several trading sessions, oldest first."""
        ...

    async def list_signalled(self, account_id: UUID) -> list[UUID]:
        """Return the account's live trading sessions for which a submitted signal waits."""
        ...

    async def set_signal_order(self, signal_id: UUID, order_id: UUID) -> None:
        """Store which order the signal caused."""
        ...

    async def get_signal(self, user_id: UUID, signal_id: UUID) -> Signal | None:
        """Return a signal of the user."""
        ...

    async def get_many_signals(self, ids: Sequence[UUID]) -> list[Signal]:
        """Return the signals that exist, in any order (for batches)."""
        ...

    async def list_signals(self, user_id: UUID, session_id: UUID, page: KeysetPage) -> list[Signal]:
        """Return a page of a trading session's signals."""
        ...
