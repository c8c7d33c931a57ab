"""What watchers of the engine ask, in PostgreSQL."""

from collections.abc import Mapping, Sequence
from typing import Final

from asyncpg import Record

from domain.model.monitoring import TradingSituation, Waiting
from domain.model.orders import OrderStatus
from infra.postgres.repositories.base import Repository
from infra.postgres.rows.orders import IS_ACTIVE

_VENUE = "split_part(market, ':', 1)"
_AGE = "max(extract(epoch FROM statement_timestamp() - {}))::float8"
# Each part reads a partial index of what is open, never a table that grows with history.
_SITUATION: Final = f"""
SELECT 'orders' AS figure, {_VENUE} AS venue, status AS label, count(*)::int AS count,
    {_AGE.format("updated_at")} AS oldest
FROM orders WHERE {IS_ACTIVE} GROUP BY 2, 3
UNION ALL SELECT 'positions', {_VENUE}, '', count(*)::int, 0 FROM positions WHERE closed_at IS NULL GROUP BY 2
UNION ALL SELECT 'exits', {_VENUE}, '', count(*)::int, {_AGE.format("since")}
FROM position_intents WHERE ended_at IS NULL GROUP BY 2
UNION ALL SELECT 'unwatched', {_VENUE}, '', count(*)::int, {_AGE.format("unwatched_since")}
FROM position_protections WHERE ended_at IS NULL AND unwatched_since IS NOT NULL GROUP BY 2
UNION ALL SELECT 'trading_sessions', '', status, count(*)::int, 0
FROM trading_sessions WHERE status IN ('STARTING', 'RUNNING', 'PAUSED', 'STOPPING') GROUP BY 3
UNION ALL SELECT 'accounts', venue, kind, count(*)::int, 0 FROM accounts WHERE archived_at IS NULL GROUP BY 2, 3
UNION ALL SELECT 'halts', '', level, count(*)::int, 0 FROM halts GROUP BY 3
UNION ALL SELECT 'mails', '', '', count(*)::int, {_AGE.format("created_at")}
FROM mails WHERE sent_at IS NULL AND given_up_at IS NULL
UNION ALL SELECT 'equity', '', '', count(*)::int, {_AGE.format("at")}
FROM (SELECT DISTINCT account_id FROM positions WHERE closed_at IS NULL) AS holding
CROSS JOIN LATERAL (
    SELECT at FROM equity_points WHERE subject_id = holding.account_id ORDER BY at DESC LIMIT 1
) AS newest
"""


class PostgresMonitoring(Repository):
    """See `domain.ports.monitoring.MonitoringRepository`."""

    async def trading_situation(self) -> TradingSituation:
        figures: dict[str, list[Record]] = {}
        for row in await self._connection.fetch(_SITUATION):
            figures.setdefault(row["figure"], []).append(row)
        orders = figures.get("orders", [])
        return TradingSituation(
            orders={(row["venue"], OrderStatus(row["label"])): _waiting(row) for row in orders},
            positions={row["venue"]: row["count"] for row in figures.get("positions", [])},
            exits=_by_venue(figures.get("exits", [])),
            unwatched=_by_venue(figures.get("unwatched", [])),
            trading_sessions=_by_label(figures.get("trading_sessions", [])),
            accounts={(row["venue"], row["label"]): row["count"] for row in figures.get("accounts", [])},
            halts=_by_label(figures.get("halts", [])),
            equity_age_seconds=_waiting(figures["equity"][0]).oldest_seconds,
            mails=_waiting(figures["mails"][0]),
        )


def _by_venue(rows: Sequence[Record]) -> Mapping[str, Waiting]:
    return {row["venue"]: _waiting(row) for row in rows}


def _by_label(rows: Sequence[Record]) -> Mapping[str, int]:
    return {row["label"]: row["count"] for row in rows}


def _waiting(row: Record) -> Waiting:
    return Waiting(row["count"], max(row["oldest"] or 0.0, 0.0))
