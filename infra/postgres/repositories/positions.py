"""Positions in PostgreSQL, one row from opening to flat."""

from collections.abc import Sequence
from uuid import UUID

from domain.core.pagination import KeysetPage
from domain.model.markets import MarketSymbol
from domain.model.trading import Position
from infra.postgres.repositories.base import Repository
from infra.postgres.rows.accounts import SAVE_POSITION, SELECT_POSITION, position_from_row, position_params
from infra.postgres.rows.halts import applies_to

GET_OPEN_FOR_UPDATE = SELECT_POSITION + (
    " WHERE account_id = $1 AND market = $2 AND trading_session_id = $3 AND closed_at IS NULL FOR NO KEY UPDATE"
)
GET_OPEN_WITHOUT_SESSION_FOR_UPDATE = SELECT_POSITION + (
    " WHERE account_id = $1 AND market = $2 AND trading_session_id IS NULL AND closed_at IS NULL FOR NO KEY UPDATE"
)
GET = SELECT_POSITION + " WHERE id = $1 AND user_id = $2"
LIST_OPEN = SELECT_POSITION + " WHERE account_id = $1 AND closed_at IS NULL ORDER BY id"
# Looks for nothing while no halt closes positions, as nearly always.
LIST_HALTED = (
    SELECT_POSITION
    + f"""
WHERE EXISTS (SELECT FROM halts WHERE close_positions) AND closed_at IS NULL
AND ($1::uuid[] IS NULL OR account_id = ANY ($1))
AND EXISTS (SELECT FROM halts WHERE close_positions
    AND {applies_to("positions.user_id", "positions.account_id", "positions.trading_session_id")})
AND NOT EXISTS (SELECT FROM position_intents AS intent WHERE intent.account_id = positions.account_id
    AND intent.ended_at IS NULL AND intent.quantity IS NULL AND intent.market = positions.market
    AND intent.trading_session_id IS NOT DISTINCT FROM positions.trading_session_id
    AND (intent.trading_session_id IS NOT NULL OR intent.protection_id IS NULL))
ORDER BY id"""
)
# Open positions have a text of their own that the partial index positions_open_of_user answers.
OWNER_CONDITIONS = {
    None: "user_id = {}",
    True: "user_id = {} AND closed_at IS NULL",
    False: "user_id = {} AND closed_at IS NOT NULL",
}
# One index look-up for each session, however many positions it has had.
LATEST_BY_SESSION = f"""
SELECT latest.* FROM unnest($1::uuid[]) AS asked (session_id)
CROSS JOIN LATERAL ({SELECT_POSITION} WHERE trading_session_id = asked.session_id ORDER BY id DESC LIMIT 1) AS latest"""


class PostgresPositions(Repository):
    """See `domain.ports.positions.PositionRepository`."""

    async def get_open_for_update(
        self, account_id: UUID, market: MarketSymbol, trading_session_id: UUID | None
    ) -> Position | None:
        if trading_session_id is None:
            return await self._fetch_position(GET_OPEN_WITHOUT_SESSION_FOR_UPDATE, account_id, str(market))
        return await self._fetch_position(GET_OPEN_FOR_UPDATE, account_id, str(market), trading_session_id)

    async def save(self, position: Position) -> None:
        await self._connection.execute(SAVE_POSITION, *position_params(position))

    async def get(self, user_id: UUID, position_id: UUID) -> Position | None:
        return await self._fetch_position(GET, position_id, user_id)

    async def list_page(
        self,
        user_id: UUID,
        page: KeysetPage,
        account_id: UUID | None = None,
        market: MarketSymbol | None = None,
        *,
        is_open: bool | None = None,
    ) -> list[Position]:
        conditions = [
            (OWNER_CONDITIONS[is_open], user_id),
            ("account_id = {}", account_id),
            ("market = {}", None if market is None else str(market)),
        ]
        return [position_from_row(row) for row in await self._page(SELECT_POSITION, page, conditions)]

    async def list_open(self, account_id: UUID) -> list[Position]:
        return [position_from_row(row) for row in await self._connection.fetch(LIST_OPEN, account_id)]

    async def list_halted(self, account_ids: Sequence[UUID] | None) -> list[Position]:
        ids = None if account_ids is None else list(account_ids)
        return [position_from_row(row) for row in await self._connection.fetch(LIST_HALTED, ids)]

    async def latest_by_session(self, trading_session_ids: Sequence[UUID]) -> list[Position]:
        ids = list(set(trading_session_ids))
        return [position_from_row(row) for row in await self._connection.fetch(LATEST_BY_SESSION, ids)]

    async def _fetch_position(self, text: str, *arguments: object) -> Position | None:
        row = await self._connection.fetchrow(text, *arguments)
        return None if row is None else position_from_row(row)
