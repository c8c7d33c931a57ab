"""Reads the trading sessions of one account, all that ask at the same time by the same statements."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from domain.core.background import BackgroundTasks, drop_error
from domain.model.markets import MarketSymbol
from domain.model.trading import Balance, Signal, TradingSession
from domain.ports.unit_of_work import Database
from domain.trading.session_state import TradingSessionEnded, TradingSessionRows, TradingSessionState, load_session_rows


@dataclass(frozen=True, slots=True)
class AccountSessions:
    """Trading sessions of an account with what they have and the signals that wait for them, and its balances."""

    sessions: Mapping[UUID, TradingSession]
    rows: TradingSessionRows
    waiting: Sequence[Signal]
    balances: Sequence[Balance]

    def session(self, session_id: UUID) -> TradingSession:
        """Return a trading session that was asked for; raises `TradingSessionEnded`."""
        session = self.sessions.get(session_id)
        if session is None or session.status.is_final:
            raise TradingSessionEnded
        return session

    def state(self, session_id: UUID, symbol: MarketSymbol) -> TradingSessionState:
        """Return the state of a trading session; raises `TradingSessionEnded`."""
        return self.rows.state(self.sessions.get(session_id), symbol)

    def markets_with_signals(self, session_id: UUID) -> set[MarketSymbol | None]:
        """Return the markets for which submitted signals wait."""
        return {signal.market for signal in self.waiting if signal.trading_session_id == session_id}


class TradingSessionReads:
    """Begins a read for the first that asks, and has those join it that ask before it reaches the database."""

    def __init__(self, account_id: UUID, database: Database) -> None:
        self._account_id = account_id
        self._database = database
        self._ids: set[UUID] = set()
        self._next: asyncio.Task[AccountSessions] | None = None
        self._tasks = BackgroundTasks()

    def __repr__(self) -> str:
        return f"TradingSessionReads({self._account_id}, waiting={len(self._ids)})"

    async def close(self) -> None:
        """Cancel what is being read."""
        await self._tasks.close()

    async def load(self, session_id: UUID) -> AccountSessions:
        """Return what is stored of a trading session, and of others; raises `Unavailable`."""
        self._ids.add(session_id)
        if self._next is None:
            self._next = self._tasks.start(self._read(), name=f"sessions:{self._account_id}")
            self._next.add_done_callback(drop_error)
        # One that stops waiting must not cancel what the others wait for.
        return await asyncio.shield(self._next)

    async def _read(self) -> AccountSessions:
        try:
            async with self._database.read_only() as reading:
                ids, self._ids, self._next = list(self._ids), set(), None
                sessions = {one.id: one for one in await reading.trading_sessions.get_many(ids)}
                rows = await load_session_rows(reading, self._account_id)
                waiting = await reading.trading_sessions.list_all_waiting_signals(ids)
                balances = (await reading.accounts.balances([self._account_id])).get(self._account_id, [])
            return AccountSessions(sessions, rows, waiting, balances)
        finally:
            if self._next is asyncio.current_task():
                self._ids, self._next = set(), None
