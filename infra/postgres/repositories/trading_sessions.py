"""Trading sessions and their signals in PostgreSQL."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from domain.core.pagination import KeysetPage
from domain.model.markets import MarketSymbol
from domain.model.trading import Signal, TradingSession
from domain.ports.trading_sessions import SeenCandle, TradingSessionFilter
from infra.postgres.repositories.base import Repository
from infra.postgres.rows.columns import market_symbol
from infra.postgres.rows.orders import IS_ACTIVE
from infra.postgres.rows.trading_sessions import (
    INSERT_SIGNAL,
    INSERT_TRADING_SESSION,
    SELECT_SIGNAL,
    SELECT_TRADING_SESSION,
    UPDATE_SIGNAL,
    UPDATE_TRADING_SESSION,
    signal_from_row,
    signal_params,
    trading_session_from_row,
    trading_session_params,
)
from infra.postgres.sql import Condition

# The text of the partial index trading_sessions_live, or PostgreSQL won't use it.
IS_LIVE = "status IN ('STARTING', 'RUNNING', 'PAUSED', 'STOPPING')"
GET = SELECT_TRADING_SESSION + " WHERE id = $1 AND user_id = $2"
GET_FOR_UPDATE = SELECT_TRADING_SESSION + " WHERE id = $1 FOR NO KEY UPDATE"
GET_UNLOCKED_FOR_UPDATE = (
    SELECT_TRADING_SESSION + " WHERE id = ANY($1::uuid[]) FOR NO KEY UPDATE OF trading_sessions SKIP LOCKED"
)
LIST_LIVE = SELECT_TRADING_SESSION + f" WHERE account_id = $1 AND {IS_LIVE} ORDER BY id"
COUNT_LIVE = f"SELECT count(*) FROM trading_sessions WHERE user_id = $1 AND {IS_LIVE}"
MARKETS_OF_USER = f"""
SELECT market FROM trading_sessions WHERE user_id = $1 AND {IS_LIVE}
UNION SELECT unnest(other_markets) FROM trading_sessions WHERE user_id = $1 AND {IS_LIVE}"""
GET_MANY = SELECT_TRADING_SESSION + " WHERE id = ANY($1::uuid[])"
MARKETS_IN_USE = f"""
SELECT market FROM trading_sessions WHERE {IS_LIVE}
UNION SELECT unnest(other_markets) FROM trading_sessions WHERE {IS_LIVE}
UNION SELECT market FROM positions WHERE closed_at IS NULL
UNION SELECT market FROM orders WHERE {IS_ACTIVE}"""
MARKETS_OF_ACCOUNT = MARKETS_IN_USE.replace("WHERE", "WHERE account_id = $1 AND")

OF_STRATEGY = "strategy_version_id IN (SELECT version.id FROM strategy_versions AS version WHERE strategy_id = {})"

GET_SIGNAL = SELECT_SIGNAL + " WHERE id = $1 AND user_id = $2"
GET_MANY_SIGNALS = SELECT_SIGNAL + " WHERE id = ANY($1::uuid[])"
LIST_WAITING_SIGNALS = SELECT_SIGNAL + " WHERE trading_session_id = $1 AND waiting ORDER BY id"
LIST_ALL_WAITING_SIGNALS = SELECT_SIGNAL + " WHERE trading_session_id = ANY($1::uuid[]) AND waiting ORDER BY id"
LAST_CANDLE = """
SELECT last_candle_at FROM trading_session_candles WHERE trading_session_id = $1 AND market = $2"""
LAST_CANDLES = """
SELECT trading_session_id, market, last_candle_at FROM trading_session_candles
WHERE trading_session_id = ANY($1::uuid[])"""
SAVE_LAST_CANDLES = """
INSERT INTO trading_session_candles AS known (trading_session_id, market, last_candle_at)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::timestamptz[])
ON CONFLICT (trading_session_id, market) DO UPDATE SET last_candle_at = excluded.last_candle_at
WHERE known.last_candle_at < excluded.last_candle_at"""
LIST_SIGNALLED = f"""
SELECT id FROM trading_sessions
WHERE account_id = $1 AND {IS_LIVE} AND EXISTS (
    SELECT FROM signals WHERE trading_session_id = trading_sessions.id AND waiting)"""
LIST_ADDS = "SELECT add_number FROM signals WHERE position_id = $1 AND add_number IS NOT NULL"
SET_SIGNAL_ORDER = "UPDATE signals SET order_id = $2 WHERE id = $1"


class PostgresTradingSessions(Repository):
    """See `domain.ports.trading_sessions.TradingSessionRepository`."""

    async def add(self, session: TradingSession) -> None:
        await self._connection.execute(INSERT_TRADING_SESSION, *trading_session_params(session))

    async def get(self, user_id: UUID, session_id: UUID) -> TradingSession | None:
        return await self._fetch_trading_session(GET, session_id, user_id)

    async def get_for_update(self, session_id: UUID) -> TradingSession | None:
        return await self._fetch_trading_session(GET_FOR_UPDATE, session_id)

    async def get_unlocked_for_update(self, session_ids: Sequence[UUID]) -> list[TradingSession]:
        rows = await self._connection.fetch(GET_UNLOCKED_FOR_UPDATE, session_ids)
        return [trading_session_from_row(row) for row in rows]

    async def save(self, session: TradingSession) -> None:
        await self._connection.execute(UPDATE_TRADING_SESSION, *trading_session_params(session))

    async def save_many(self, sessions: Sequence[TradingSession]) -> None:
        await self._connection.executemany(UPDATE_TRADING_SESSION, map(trading_session_params, sessions))

    async def list_live(self, account_id: UUID) -> list[TradingSession]:
        return [trading_session_from_row(row) for row in await self._connection.fetch(LIST_LIVE, account_id)]

    async def markets_of_user(self, user_id: UUID) -> list[MarketSymbol]:
        return sorted(market_symbol(row["market"]) for row in await self._connection.fetch(MARKETS_OF_USER, user_id))

    async def count_live(self, user_id: UUID) -> int:
        return int(await self._connection.fetchval(COUNT_LIVE, user_id))

    async def markets_in_use(self) -> list[MarketSymbol]:
        return sorted(market_symbol(row["market"]) for row in await self._connection.fetch(MARKETS_IN_USE))

    async def markets_of_account(self, account_id: UUID) -> list[MarketSymbol]:
        rows = await self._connection.fetch(MARKETS_OF_ACCOUNT, account_id)
        return sorted(market_symbol(row["market"]) for row in rows)

    async def last_candle_at(self, session_id: UUID, market: MarketSymbol) -> datetime | None:
        at: datetime | None = await self._connection.fetchval(LAST_CANDLE, session_id, str(market))
        return at

    async def last_candles(self, session_ids: Sequence[UUID]) -> dict[tuple[UUID, MarketSymbol], datetime]:
        rows = await self._connection.fetch(LAST_CANDLES, session_ids)
        return {(row["trading_session_id"], market_symbol(row["market"])): row["last_candle_at"] for row in rows}

    async def save_last_candles(self, seen: Sequence[SeenCandle]) -> int:
        columns = ([one.session_id for one in seen], [str(one.market) for one in seen], [one.open_time for one in seen])
        return int((await self._connection.execute(SAVE_LAST_CANDLES, *columns)).rpartition(" ")[2])

    async def list_page(
        self, user_id: UUID, page: KeysetPage, session_filter: TradingSessionFilter
    ) -> list[TradingSession]:
        conditions = [("user_id = {}", user_id), *trading_session_conditions(session_filter)]
        return [trading_session_from_row(row) for row in await self._page(SELECT_TRADING_SESSION, page, conditions)]

    async def get_many(self, ids: Sequence[UUID]) -> list[TradingSession]:
        return [trading_session_from_row(row) for row in await self._connection.fetch(GET_MANY, ids)]

    async def add_signal(self, signal: Signal) -> bool:
        return await self._connection.execute(INSERT_SIGNAL, *signal_params(signal)) == "INSERT 0 1"

    async def add_signals(self, signals: Sequence[Signal]) -> None:
        await self._connection.executemany(INSERT_SIGNAL, map(signal_params, signals))

    async def list_adds(self, position_id: UUID) -> list[int]:
        return [row["add_number"] for row in await self._connection.fetch(LIST_ADDS, position_id)]

    async def save_signal(self, signal: Signal) -> None:
        await self._connection.execute(UPDATE_SIGNAL, *signal_params(signal))

    async def list_waiting_signals(self, session_id: UUID) -> list[Signal]:
        return [signal_from_row(row) for row in await self._connection.fetch(LIST_WAITING_SIGNALS, session_id)]

    async def list_all_waiting_signals(self, session_ids: Sequence[UUID]) -> list[Signal]:
        rows = await self._connection.fetch(LIST_ALL_WAITING_SIGNALS, session_ids)
        return [signal_from_row(row) for row in rows]

    async def list_signalled(self, account_id: UUID) -> list[UUID]:
        return [row["id"] for row in await self._connection.fetch(LIST_SIGNALLED, account_id)]

    async def set_signal_order(self, signal_id: UUID, order_id: UUID) -> None:
        await self._connection.execute(SET_SIGNAL_ORDER, signal_id, order_id)

    async def get_signal(self, user_id: UUID, signal_id: UUID) -> Signal | None:
        row = await self._connection.fetchrow(GET_SIGNAL, signal_id, user_id)
        return None if row is None else signal_from_row(row)

    async def get_many_signals(self, ids: Sequence[UUID]) -> list[Signal]:
        return [signal_from_row(row) for row in await self._connection.fetch(GET_MANY_SIGNALS, ids)]

    async def list_signals(self, user_id: UUID, session_id: UUID, page: KeysetPage) -> list[Signal]:
        conditions = [("trading_session_id = {}", session_id), ("user_id = {}", user_id)]
        return [signal_from_row(row) for row in await self._page(SELECT_SIGNAL, page, conditions)]

    async def _fetch_trading_session(self, text: str, *arguments: object) -> TradingSession | None:
        row = await self._connection.fetchrow(text, *arguments)
        return None if row is None else trading_session_from_row(row)


def trading_session_conditions(session_filter: TradingSessionFilter) -> list[Condition]:
    """Return the conditions of a filter of trading sessions."""
    return [
        ("account_id = {}", session_filter.account_id),
        ("{} = ANY(market || other_markets)", None if session_filter.market is None else str(session_filter.market)),
        ("status = ANY({}::text[])", session_filter.statuses),
        (OF_STRATEGY, session_filter.strategy_id),
    ]
