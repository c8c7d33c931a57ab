"""The numbers of a period over all users, in PostgreSQL."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final
from uuid import UUID

from domain.model.operator_reports import ErrorCounts, OrderLatency
from domain.model.orders import OrderStatus, RiskCode
from infra.postgres.repositories.base import Repository

_REGISTERED: Final = "SELECT count(*) FROM users WHERE created_at >= $1 AND created_at < $2 AND erased_at IS NULL"
_ACTIVE: Final = """
SELECT count(*) FROM (
    SELECT FROM activities WHERE at >= $1 AND at < $2 AND author = 'SELF' GROUP BY user_id
) AS active"""
_ORDERS: Final = """
SELECT user_id, status, count(*) AS count FROM orders
WHERE created_at >= $1 AND created_at < $2 AND role <> 'FOREIGN' GROUP BY user_id, status ORDER BY status"""
_DENIALS: Final = """
SELECT denial->>'code' AS code, count(*) AS count FROM orders, jsonb_array_elements(denials) AS denial
WHERE created_at >= $1 AND created_at < $2 AND status = 'DENIED' GROUP BY 1 ORDER BY count DESC, code"""
_FILLS: Final = "SELECT count(*) FROM fills WHERE at >= $1 AND at < $2"
# An answer that comes a while after the period's end belongs to an order that was created in it. Ids are random enough.
_LATENCY: Final = """
SELECT count(*) AS orders, max(milliseconds)::float8 AS longest,
    percentile_cont(ARRAY[0.5, 0.9, 0.99]) WITHIN GROUP (ORDER BY milliseconds) AS percentiles
FROM orders CROSS JOIN LATERAL (
    SELECT extract(epoch FROM min(at) FILTER (WHERE payload->>'kind' IN ('ACCEPTED', 'FILL'))
        - min(at) FILTER (WHERE payload->>'kind' = 'SUBMITTED'))::float8 * 1000 AS milliseconds
    FROM user_events WHERE order_id = orders.id AND at >= orders.created_at AND at < $2::timestamptz + interval '1 hour'
) AS answered
WHERE created_at >= $1 AND created_at < $2 AND role <> 'FOREIGN' AND status <> 'DENIED'
AND uuid_hash(id) % $3 = 0 AND milliseconds IS NOT NULL"""
_ERRORS: Final = """
SELECT
    (SELECT count(*) FROM trading_sessions WHERE status = 'FAILED' AND stopped_at >= $1 AND stopped_at < $2)
        AS trading_sessions,
    (SELECT count(*) FROM mails WHERE given_up_at >= $1 AND given_up_at < $2) AS mails,
    (SELECT count(*) FROM account_alerts WHERE raised_at >= $1 AND raised_at < $2) AS account_alerts"""
_JOBS: Final = """
SELECT kind, count(*) AS count FROM jobs WHERE status = 'FAILED' AND finished_at >= $1 AND finished_at < $2
GROUP BY kind ORDER BY count DESC, kind"""


class PostgresOperatorReports(Repository):
    """See `domain.ports.operator_reports.OperatorReportReads`."""

    async def registered(self, start: datetime, end: datetime) -> int:
        return int(await self._connection.fetchval(_REGISTERED, start, end))

    async def active(self, start: datetime, end: datetime) -> int:
        return int(await self._connection.fetchval(_ACTIVE, start, end))

    async def orders(self, start: datetime, end: datetime) -> Mapping[tuple[UUID, OrderStatus], int]:
        rows = await self._connection.fetch(_ORDERS, start, end)
        return {(row["user_id"], OrderStatus(row["status"])): row["count"] for row in rows}

    async def denials(self, start: datetime, end: datetime) -> Mapping[RiskCode, int]:
        rows = await self._connection.fetch(_DENIALS, start, end)
        # A newer version of the engine may know more codes.
        return {RiskCode(row["code"]): row["count"] for row in rows if row["code"] in RiskCode.__members__}

    async def fills(self, start: datetime, end: datetime) -> int:
        return int(await self._connection.fetchval(_FILLS, start, end))

    async def latency(self, start: datetime, end: datetime, one_of: int) -> OrderLatency:
        row = await self._connection.fetchrow(_LATENCY, start, end, one_of)
        assert row is not None  # an aggregate has one
        median, p90, p99 = row["percentiles"] or (None, None, None)
        return OrderLatency(row["orders"], median, p90, p99, row["longest"])

    async def errors(self, start: datetime, end: datetime) -> ErrorCounts:
        row = await self._connection.fetchrow(_ERRORS, start, end)
        assert row is not None  # as above
        jobs = {found["kind"]: found["count"] for found in await self._connection.fetch(_JOBS, start, end)}
        return ErrorCounts(row["trading_sessions"], jobs, row["mails"], row["account_alerts"])
