"""Realised profit in PostgreSQL, from closed positions."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from domain.model.orders import OrderRole
from domain.model.profit import GroupKey, ProfitGrouping, ProfitRow
from infra.postgres.repositories.base import Repository
from infra.postgres.rows.columns import market_symbol, members_by_value

# Sums by day of UTC, at whose end they are converted: so every grouping of the same round trips has the same sum.
ROWS: Final = """
SELECT width_bucket(closed_at, $2::timestamptz[]) - 1 AS part, {key} AS key, accounts.venue,
    split_part(split_part(positions.market, ':', 2), '/', 2) AS quote, date_trunc('day', closed_at, 'UTC') AS day,
    sum(realized_profit) AS profit, sum(fees) AS fees, count(*) AS round_trips,
    count(*) FILTER (WHERE realized_profit > 0) AS wins, count(*) FILTER (WHERE realized_profit < 0) AS losses,
    string_agg(DISTINCT array_to_string(unpriced_fees, ' '), ' ') FILTER (WHERE unpriced_fees <> '{{}}') AS unpriced
FROM positions JOIN accounts ON accounts.id = positions.account_id {join}
WHERE positions.account_id = ANY($1::uuid[]) AND closed_at >= $3 AND closed_at < $4
GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 5 LIMIT $5"""
OF_STRATEGY: Final = """
LEFT JOIN trading_sessions ON trading_sessions.id = positions.trading_session_id
LEFT JOIN strategy_versions ON strategy_versions.id = trading_sessions.strategy_version_id"""
# The last sale of a position is what closed it.
OF_EXIT: Final = """
LEFT JOIN LATERAL (
    SELECT orders.role FROM fills JOIN orders ON orders.id = fills.order_id
    WHERE fills.account_id = positions.account_id AND fills.market = positions.market AND fills.side = 'SELL'
        AND fills.at >= positions.opened_at AND fills.at <= positions.closed_at
        AND fills.trading_session_id IS NOT DISTINCT FROM positions.trading_session_id
    ORDER BY fills.at DESC, fills.id DESC LIMIT 1
) AS closing ON true"""
TAGS: Final = "SELECT id, tag FROM positions WHERE id = ANY($1::uuid[]) AND tag IS NOT NULL"
SET_TAG: Final = "UPDATE positions SET tag = $3 WHERE id = $2 AND user_id = $1"

_ROLES = members_by_value(OrderRole)
_GROUPINGS: Final[dict[ProfitGrouping | None, tuple[str, str, Callable[[str], GroupKey]]]] = {
    None: ("NULL::text", "", str),
    ProfitGrouping.MARKET: ("positions.market", "", market_symbol),
    ProfitGrouping.STRATEGY: ("strategy_versions.strategy_id::text", OF_STRATEGY, UUID),
    ProfitGrouping.TAG: ("positions.tag", "", str),
    ProfitGrouping.EXIT_REASON: ("closing.role", OF_EXIT, _ROLES.__getitem__),
}


class PostgresProfit(Repository):
    """See `domain.ports.profit.ProfitRepository`."""

    async def rows(
        self,
        account_ids: Sequence[UUID],
        starts: Sequence[datetime],
        end: datetime,
        grouping: ProfitGrouping | None,
        limit: int,
    ) -> list[ProfitRow]:
        key, join, parse = _GROUPINGS[grouping]
        statement = ROWS.format(key=key, join=join)
        rows = await self._connection.fetch(statement, list(account_ids), list(starts), starts[0], end, limit)
        return [
            ProfitRow(
                part=row["part"],
                key=None if row["key"] is None else parse(row["key"]),
                venue=row["venue"],
                quote=row["quote"],
                day=row["day"],
                profit=row["profit"],
                fees=row["fees"],
                round_trips=row["round_trips"],
                wins=row["wins"],
                losses=row["losses"],
                unpriced_fees=frozenset((row["unpriced"] or "").split()),
            )
            for row in rows
        ]

    async def tags(self, position_ids: Sequence[UUID]) -> dict[UUID, str]:
        return {row["id"]: row["tag"] for row in await self._connection.fetch(TAGS, list(position_ids))}

    async def set_tag(self, user_id: UUID, position_id: UUID, tag: str | None) -> bool:
        return await self._connection.execute(SET_TAG, user_id, position_id, tag) == "UPDATE 1"
