"""Trading sessions and their signals in PostgreSQL."""

from collections.abc import Sequence
from uuid import UUID

from domain.core.keyset import KeysetPage
from domain.model.markets import MarketSymbol
from domain.model.trading import Signal, TradingSession
from domain.ports.trading import TradingSessionFilter
from infra.postgres.repositories.base import Repository
from infra.postgres.rows.columns import market_symbol
from infra.postgres.rows.trading_sessions import (
    INSERT_SESSION,
    INSERT_SIGNAL,
    SELECT_SESSION,
    SELECT_SIGNAL,
    UPDATE_SESSION,
    session_of,
    session_values,
    signal_of,
    signal_values,
)
from infra.postgres.sql import Condition

# The text of the partial index trading_sessions_live, or PostgreSQL won't use it.
IS_LIVE = "status IN ('STARTING', 'RUNNING', 'PAUSED', 'STOPPING')"
GET = SELECT_SESSION + " WHERE id = $1 AND user_id = $2"
LOCKED = SELECT_SESSION + " WHERE id = $1 FOR NO KEY UPDATE"
LIVE_OF_ACCOUNT = SELECT_SESSION + f" WHERE account_id = $1 AND {IS_LIVE} ORDER BY id"
COUNT_LIVE = f"SELECT count(*) FROM trading_sessions WHERE user_id = $1 AND {IS_LIVE}"
MANY = SELECT_SESSION + " WHERE id = ANY($1::uuid[])"
MARKETS_IN_USE = f"""
SELECT market FROM trading_sessions WHERE {IS_LIVE}
UNION SELECT market FROM positions WHERE closed_at IS NULL
UNION SELECT market FROM orders
    WHERE status IN ('PENDING', 'SUBMITTED', 'IN_DOUBT', 'OPEN', 'PARTIALLY_FILLED', 'PENDING_CANCEL')"""

OF_STRATEGY = "strategy_version_id IN (SELECT version.id FROM strategy_versions AS version WHERE strategy_id = {})"

SIGNAL = SELECT_SIGNAL + " WHERE id = $1 AND user_id = $2"
SIGNALS_BY_IDS = SELECT_SIGNAL + " WHERE id = ANY($1::uuid[])"
SET_SIGNAL_ORDER = "UPDATE signals SET order_id = $2 WHERE id = $1"


class PostgresTradingSessions(Repository):
    """See `domain.ports.trading.TradingSessionRepository`."""

    async def add(self, session: TradingSession) -> None:
        """Store a new session."""
        await self._connection.execute(INSERT_SESSION, *session_values(session))

    async def get(self, user_id: UUID, session_id: UUID) -> TradingSession | None:
        """Return a session of the user."""
        return await self._one(GET, session_id, user_id)

    async def locked(self, session_id: UUID) -> TradingSession | None:
        """Return any session and hold its row until the transaction ends."""
        return await self._one(LOCKED, session_id)

    async def save(self, session: TradingSession) -> None:
        """Store a changed session."""
        await self._connection.execute(UPDATE_SESSION, *session_values(session))

    async def live_of_account(self, account_id: UUID) -> list[TradingSession]:
        """Return the account's sessions that are not final, oldest first."""
        return [session_of(row) for row in await self._connection.fetch(LIVE_OF_ACCOUNT, account_id)]

    async def count_live(self, user_id: UUID) -> int:
        """Return how many of the user's sessions are not final."""
        return int(await self._connection.fetchval(COUNT_LIVE, user_id))

    async def markets_in_use(self) -> list[MarketSymbol]:
        """Return the markets of all sessions that are not final, and of open positions and active orders, sorted."""
        return sorted(market_symbol(row["market"]) for row in await self._connection.fetch(MARKETS_IN_USE))

    async def page(self, user_id: UUID, window: KeysetPage, wanted: TradingSessionFilter) -> list[TradingSession]:
        """Return the user's sessions."""
        conditions = [("user_id = {}", user_id), *sessions_that_fit(wanted)]
        return [session_of(row) for row in await self._page(SELECT_SESSION, window, conditions)]

    async def many(self, ids: Sequence[UUID]) -> list[TradingSession]:
        """Return the sessions that exist, in any order (for batches)."""
        return [session_of(row) for row in await self._connection.fetch(MANY, ids)]

    async def add_signal(self, signal: Signal) -> bool:
        """Store a signal; False where the session said the same on the same candle already."""
        return await self._connection.execute(INSERT_SIGNAL, *signal_values(signal)) == "INSERT 0 1"

    async def set_signal_order(self, signal_id: UUID, order_id: UUID) -> None:
        """Store which order the signal caused."""
        await self._connection.execute(SET_SIGNAL_ORDER, signal_id, order_id)

    async def signal(self, user_id: UUID, signal_id: UUID) -> Signal | None:
        """Return a signal of the user."""
        row = await self._connection.fetchrow(SIGNAL, signal_id, user_id)
        return None if row is None else signal_of(row)

    async def signals_by_ids(self, ids: Sequence[UUID]) -> list[Signal]:
        """Return the signals that exist, in any order (for batches)."""
        return [signal_of(row) for row in await self._connection.fetch(SIGNALS_BY_IDS, ids)]

    async def signals(self, user_id: UUID, session_id: UUID, window: KeysetPage) -> list[Signal]:
        """Return the signals of a session."""
        conditions = [("trading_session_id = {}", session_id), ("user_id = {}", user_id)]
        return [signal_of(row) for row in await self._page(SELECT_SIGNAL, window, conditions)]

    async def _one(self, text: str, *arguments: object) -> TradingSession | None:
        row = await self._connection.fetchrow(text, *arguments)
        return None if row is None else session_of(row)


def sessions_that_fit(wanted: TradingSessionFilter) -> list[Condition]:
    """Return the conditions of a filter of trading sessions."""
    return [
        ("account_id = {}", wanted.account_id),
        ("market = {}", None if wanted.market is None else str(wanted.market)),
        ("status = ANY({}::text[])", wanted.statuses),
        (OF_STRATEGY, wanted.strategy_id),
    ]
