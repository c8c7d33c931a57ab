"""The numbers of a period over all users, in PostgreSQL."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from domain.model.operator_reports import ErrorCounts, OrderLatency, UserActivity
from domain.model.orders import OrderStatus, RiskCode
from infra.postgres.repositories.base import Repository

_USERS: Final = """
SELECT
    (SELECT count(*) FROM users WHERE created_at >= $1 AND created_at < $2 AND erased_at IS NULL) AS registered,
    (SELECT count(DISTINCT user_id) FROM activities WHERE at >= $1 AND at < $2 AND author = 'SELF') AS active,
    (SELECT count(DISTINCT user_id) FROM orders WHERE created_at >= $1 AND created_at < $2 AND role <> 'FOREIGN')
        AS trading"""
_ORDERS: Final = """
SELECT status, count(*) AS count FROM orders WHERE created_at >= $1 AND created_at < $2 AND role <> 'FOREIGN'
GROUP BY status ORDER BY count DESC, status"""
_DENIALS: Final = """
SELECT denial->>'code' AS code, count(*) AS count FROM orders, jsonb_array_elements(denials) AS denial
WHERE created_at >= $1 AND created_at < $2 AND status = 'DENIED' GROUP BY 1 ORDER BY count DESC, code"""
_FILLS: Final = "SELECT count(*) FROM fills WHERE at >= $1 AND at < $2"
# An answer that comes a while after the period's end belongs to an order that was submitted in it.
_LATENCY: Final = """
SELECT count(*) AS orders, max(milliseconds)::float8 AS longest,
    percentile_cont(ARRAY[0.5, 0.9, 0.99]) WITHIN GROUP (ORDER BY milliseconds) AS percentiles
FROM (
    SELECT extract(epoch FROM min(at) FILTER (WHERE payload->>'kind' IN ('ACCEPTED', 'FILL'))
        - min(at) FILTER (WHERE payload->>'kind' = 'SUBMITTED'))::float8 * 1000 AS milliseconds
    FROM user_events WHERE order_id IS NOT NULL AND at >= $1 AND at < $2::timestamptz + interval '1 hour'
    GROUP BY order_id
    HAVING min(at) FILTER (WHERE payload->>'kind' = 'SUBMITTED') < $2
) AS answered WHERE milliseconds IS NOT NULL"""
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

    async def user_activity(self, start: datetime, end: datetime) -> UserActivity:
        row = await self._connection.fetchrow(_USERS, start, end)
        assert row is not None  # a SELECT without FROM has one
        return UserActivity(**dict(row))

    async def orders(self, start: datetime, end: datetime) -> Mapping[OrderStatus, int]:
        rows = await self._connection.fetch(_ORDERS, start, end)
        return {OrderStatus(row["status"]): row["count"] for row in rows}

    async def denials(self, start: datetime, end: datetime) -> Mapping[RiskCode, int]:
        rows = await self._connection.fetch(_DENIALS, start, end)
        # A newer version of the engine may know more codes.
        return {RiskCode(row["code"]): row["count"] for row in rows if row["code"] in RiskCode.__members__}

    async def fills(self, start: datetime, end: datetime) -> int:
        return int(await self._connection.fetchval(_FILLS, start, end))

    async def latency(self, start: datetime, end: datetime) -> OrderLatency:
        row = await self._connection.fetchrow(_LATENCY, start, end)
        assert row is not None  # an aggregate has one
        median, p90, p99 = row["percentiles"] or (None, None, None)
        return OrderLatency(row["orders"], median, p90, p99, row["longest"])

    async def errors(self, start: datetime, end: datetime) -> ErrorCounts:
        row = await self._connection.fetchrow(_ERRORS, start, end)
        assert row is not None  # as above
        jobs = {found["kind"]: found["count"] for found in await self._connection.fetch(_JOBS, start, end)}
        return ErrorCounts(row["trading_sessions"], jobs, row["mails"], row["account_alerts"])
