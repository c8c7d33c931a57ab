"""Reports in PostgreSQL."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import msgspec
from asyncpg import Record

from domain.core.pagination import KeysetPage
from domain.model.fill_lines import FillLines, FillPlace, FillSums
from domain.model.markets import MarketSymbol
from domain.model.order_side import OrderSide
from domain.model.orders import Fill, OrderRole
from domain.model.reports import Report, ReportResult, ReportScope
from domain.ports.orders import OrderFilter
from domain.ports.reports import FillSpan, OrderFacts
from infra.postgres.repositories.base import Repository
from infra.postgres.repositories.order_conditions import fill_conditions
from infra.postgres.rows.columns import members_by_value, to_json
from infra.postgres.rows.orders import SELECT_FILL, fills_from_rows
from infra.postgres.sql import Condition, where

_COLUMNS = """
id, user_id, scope, scope_id, period_start, period_end, created_at, job_id, benchmark, schedule_id, schedule_period"""
SELECT_REPORT = f"SELECT {_COLUMNS} FROM reports"
INSERT_REPORT = f"INSERT INTO reports ({_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"
REPORT = SELECT_REPORT + " WHERE id = $1 AND user_id = $2"
REPORT_OF_JOB = SELECT_REPORT + " WHERE job_id = $1"
SET_RESULT = "UPDATE reports SET result = $2 WHERE id = $1"
RESULT = """
SELECT result FROM reports JOIN jobs ON jobs.id = reports.job_id
WHERE reports.id = $1 AND jobs.status = 'SUCCEEDED'"""

SESSIONS = """
SELECT s.id, s.account_id, v.number FROM trading_sessions s JOIN strategy_versions v ON v.id = s.strategy_version_id
WHERE s.user_id = $1 AND v.strategy_id = $2 AND s.started_at < $4 AND coalesce(s.stopped_at, 'infinity') > $3
ORDER BY v.number, s.id LIMIT $5"""
ACCOUNTS = "SELECT id FROM accounts WHERE user_id = $1 AND created_at < $2 ORDER BY id LIMIT $3"

FILL_LINES = """
SELECT market, side, trim_scale(quantity), trim_scale(price), trim_scale(fee), fee_currency, maker, account_id,
    trading_session_id, order_id, venue_trade_id, (extract(epoch FROM at) * 1000000)::bigint, id
FROM fills"""
"""In the order of `FILL_LINE_COLUMNS`."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LONGEST_PLACE = 100
"""Bytes of a time and an id at the end of a line."""
_SIDES = members_by_value(OrderSide)
_ROLES = members_by_value(OrderRole)
_SCOPES = members_by_value(ReportScope)
_RESULT = msgspec.json.Decoder(ReportResult)


class PostgresReports(Repository):
    """See `domain.ports.reports.ReportRepository`."""

    async def add_report(self, report: Report) -> None:
        await self._connection.execute(INSERT_REPORT, *_report_params(report))

    async def get_report(self, user_id: UUID, report_id: UUID) -> Report | None:
        return await self._report(REPORT, report_id, user_id)

    async def get_report_for_job(self, job_id: UUID) -> Report | None:
        return await self._report(REPORT_OF_JOB, job_id)

    async def list_reports(self, user_id: UUID, page: KeysetPage) -> list[Report]:
        return [report_from_row(row) for row in await self._page(SELECT_REPORT, page, [("user_id = {}", user_id)])]

    async def sessions_of_strategy(
        self, user_id: UUID, strategy_id: UUID, start: datetime, end: datetime, limit: int
    ) -> list[tuple[UUID, UUID, int]]:
        rows = await self._connection.fetch(SESSIONS, user_id, strategy_id, start, end, limit)
        return [(row["id"], row["account_id"], row["number"]) for row in rows]

    async def accounts_of_user(self, user_id: UUID, end: datetime, limit: int) -> list[UUID]:
        return [row["id"] for row in await self._connection.fetch(ACCOUNTS, user_id, end, limit)]

    async def fill_span(self, user_id: UUID, order_filter: OrderFilter, every: int) -> FillSpan | None:
        clause, arguments = _selected(user_id, order_filter)
        query = f"""
            SELECT max(number), min(at), max(at), array_agg(DISTINCT at) FILTER (WHERE number % {every:d} = 0)
            FROM (SELECT at, row_number() OVER (ORDER BY at, id) AS number FROM fills{clause}) AS numbered"""
        row = await self._connection.fetchrow(query, *arguments)
        if row is None or row[0] is None:
            return None
        return FillSpan(row[0], row[1], row[2], tuple(sorted(row[3] or ())))

    async def fill_currencies(self, user_id: UUID, order_filter: OrderFilter) -> list[tuple[MarketSymbol, str]]:
        clause, arguments = _selected(user_id, order_filter)
        rows = await self._connection.fetch(f"SELECT DISTINCT market, fee_currency FROM fills{clause}", *arguments)
        return [(MarketSymbol.parse(market), currency) for market, currency in rows]

    async def fill_sums(self, user_id: UUID, order_filter: OrderFilter) -> list[FillSums]:
        clause, arguments = _selected(user_id, order_filter)
        query = f"""
            SELECT market, side, fee_currency, sum(quantity), sum(price * quantity), sum(fee)
            FROM fills{clause} GROUP BY market, side, fee_currency"""
        rows = await self._connection.fetch(query, *arguments)
        return [FillSums(MarketSymbol.parse(market), _SIDES[side], *values) for market, side, *values in rows]

    async def order_facts(self, user_id: UUID, order_filter: OrderFilter) -> list[OrderFacts]:
        clause, arguments = _selected(user_id, order_filter)
        query = f"""
            SELECT id, role, arrival_price::text FROM orders WHERE id IN (SELECT order_id FROM fills{clause})"""
        rows = await self._connection.fetch(query, *arguments)
        return [OrderFacts(id_, _ROLES[role], None if price is None else Decimal(price)) for id_, role, price in rows]

    async def with_fills_from(
        self, user_id: UUID, order_filter: OrderFilter, start: datetime, end: datetime
    ) -> set[UUID]:
        # What is later is looked for among the fills of the same account or session alone, not among everybody's.
        user: Condition = ("user_id = {}", user_id)
        later = fill_conditions(replace(order_filter, start=start, end=end))
        clause, arguments = where([user, *later, _of_order([user, *fill_conditions(order_filter)])])
        rows = await self._connection.fetch(f"SELECT DISTINCT order_id FROM fills{clause}", *arguments)
        return {row["order_id"] for row in rows}

    async def fill_lines(
        self, user_id: UUID, order_filter: OrderFilter, after: FillPlace | None, limit: int
    ) -> FillLines:
        clause, arguments = _selected(user_id, order_filter, after)
        text, count = await self._connection.copy_to_csv(
            f"{FILL_LINES}{clause} ORDER BY at, id LIMIT {limit:d}", *arguments
        )
        return FillLines(text, count, _last_place(text) if count else None)

    async def fills_page(self, user_id: UUID, order_filter: OrderFilter, after: Fill | None, limit: int) -> list[Fill]:
        place = None if after is None else (after.at, after.id)
        clause, arguments = _selected(user_id, order_filter, place)
        return await self._fills(f"{SELECT_FILL}{clause} ORDER BY at, id LIMIT {limit:d}", *arguments)

    async def set_result(self, report_id: UUID, result: ReportResult) -> None:
        await self._connection.execute(SET_RESULT, report_id, to_json(result))

    async def get_result(self, report_id: UUID) -> ReportResult | None:
        stored: bytes | None = await self._connection.fetchval(RESULT, report_id)
        return None if stored is None else _RESULT.decode(stored)

    async def _fills(self, text: str, *arguments: object) -> list[Fill]:
        return fills_from_rows(await self._connection.fetch(text, *arguments))

    async def _report(self, text: str, *arguments: object) -> Report | None:
        row = await self._connection.fetchrow(text, *arguments)
        return None if row is None else report_from_row(row)


def report_from_row(row: Record) -> Report:
    """Return the report in a row of `SELECT_REPORT`."""
    return Report(
        id=row["id"],
        user_id=row["user_id"],
        scope=_SCOPES[row["scope"]],
        scope_id=row["scope_id"],
        from_=row["period_start"],
        to=row["period_end"],
        created_at=row["created_at"],
        job_id=row["job_id"],
        benchmark=None if row["benchmark"] is None else MarketSymbol.parse(row["benchmark"]),
        schedule_id=row["schedule_id"],
        schedule_period=row["schedule_period"],
    )


def _selected(user_id: UUID, order_filter: OrderFilter, after: FillPlace | None = None) -> tuple[str, list[object]]:
    """Return the WHERE clause, with its arguments, of a user's selected fills after a place."""
    return where([("user_id = {}", user_id), *fill_conditions(order_filter), *_after(after)])


def _after(place: FillPlace | None) -> list[Condition]:
    """Return the conditions of the fills after a place; that of the time alone is the one that prunes."""
    return [] if place is None else [("at >= {}", place[0]), ("(at, id) > ({}, {})", *place)]


def _of_order(conditions: Sequence[Condition]) -> Condition:
    """Return the condition of the fills of orders that have a fill with these conditions."""
    given = [(text, values) for text, *values in conditions if None not in values]
    clause = " AND ".join(str(text) for text, _ in given)
    return (f"order_id IN (SELECT order_id FROM fills WHERE {clause})", *(one for _, values in given for one in values))


def _last_place(text: bytes) -> FillPlace:
    """Return the place of the fill in the last line, which ends with its time and id."""
    *_, at, id_ = text[-_LONGEST_PLACE:].rstrip().decode("utf-8", "ignore").rsplit(",", 2)
    return _EPOCH + timedelta(microseconds=int(at)), UUID(id_)


def _report_params(report: Report) -> tuple[object, ...]:
    return (
        report.id,
        report.user_id,
        report.scope,
        report.scope_id,
        report.from_,
        report.to,
        report.created_at,
        report.job_id,
        None if report.benchmark is None else str(report.benchmark),
        report.schedule_id,
        report.schedule_period,
    )
