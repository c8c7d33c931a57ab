"""Stored equity in PostgreSQL, and what the limits on losses are measured from."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from asyncpg import Record

from domain.model.equity import (
    AccountLedger,
    ClosedResult,
    MarketResult,
    StoredEquity,
    TradingSessionLedger,
    UnvaluedTransfer,
)
from domain.model.trading import TradingSession
from infra.postgres.repositories.base import Repository
from infra.postgres.rows.accounts import ACCOUNT_COLUMNS, account_from_row
from infra.postgres.rows.columns import market_symbol

LAST_AND_BASELINE = """
    (SELECT point FROM equity_points AS point WHERE point.subject_id = $1 ORDER BY at DESC LIMIT 1) AS last,
    coalesce(
        (SELECT point FROM equity_points AS point WHERE point.subject_id = $1 AND at <= $2 ORDER BY at DESC LIMIT 1),
        (SELECT point FROM equity_points AS point WHERE point.subject_id = $1 ORDER BY at LIMIT 1)
    ) AS baseline"""
ACCOUNT_LEDGER = f"""
SELECT {ACCOUNT_COLUMNS}, halt_state('ACCOUNT', accounts.id) AS trading_state,
    ARRAY (SELECT currency FROM ledger_totals WHERE account_id = $1 ORDER BY currency) AS currencies,
    ARRAY (SELECT amount FROM ledger_totals WHERE account_id = $1 ORDER BY currency) AS amounts,
    (SELECT coalesce(sum(worth), 0) FROM account_transfers WHERE account_id = $1) AS deposited,
    ARRAY (SELECT moved FROM account_transfers AS moved WHERE account_id = $1 AND worth IS NULL ORDER BY id)
        AS unvalued, {LAST_AND_BASELINE}
FROM accounts WHERE id = $1"""
SESSION_POINTS = f"SELECT {LAST_AND_BASELINE}"
SESSION_RESULTS = """
SELECT market, sum(realized_profit) AS realized, sum(quantity) AS quantity,
    sum(coalesce(average_price, 0) * quantity) AS cost
FROM positions WHERE trading_session_id = $1 GROUP BY market ORDER BY market"""
CLOSED_RESULTS = """
SELECT realized_profit, closed_at FROM positions WHERE {owner} = $1 AND closed_at IS NOT NULL
ORDER BY closed_at DESC, id DESC LIMIT $2"""
CLOSED_OF_ACCOUNT = CLOSED_RESULTS.format(owner="account_id")
CLOSED_OF_SESSION = CLOSED_RESULTS.format(owner="trading_session_id")
SAVE = """
INSERT INTO equity_points
    (subject_id, account_id, at, equity, deposited, peak, growth, highest_growth, rests, unpriced)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT (subject_id, at) DO NOTHING"""
DELETE_LATER = "DELETE FROM equity_points WHERE subject_id = $1 AND at > $2"
SAVE_WORTHS = """
UPDATE account_transfers SET worth = given.worth FROM unnest($1::uuid[], $2::numeric[]) AS given (id, worth)
WHERE account_transfers.id = given.id"""
# Looked up interval by interval: an interval of a day may have 1,440 points, of which one is wanted.
HISTORY = """
SELECT found.* FROM unnest($2::timestamptz[], $3::timestamptz[]) AS interval (starts, ends) CROSS JOIN LATERAL (
    SELECT * FROM equity_points WHERE subject_id = $1 AND at >= starts AND at < ends ORDER BY at DESC LIMIT 1
) AS found ORDER BY at"""
NEWEST = """
SELECT found.* FROM unnest($1::uuid[]) AS subject (id) CROSS JOIN LATERAL (
    SELECT * FROM equity_points WHERE subject_id = subject.id ORDER BY at DESC LIMIT 1
) AS found"""
LAST_BEFORE = "SELECT * FROM equity_points WHERE subject_id = $1 AND at < $2 ORDER BY at DESC LIMIT 1"
# The newest point of each subject has none after it, and so is in neither part.
DELETE_OLD = """
DELETE FROM equity_points USING (
    SELECT subject_id, at FROM (
        SELECT subject_id, at, lead(at) OVER (PARTITION BY subject_id ORDER BY at) AS following
        FROM equity_points WHERE at >= $1::timestamptz - interval '30 days' AND at < $1
    ) AS recent WHERE date_trunc('hour', following, 'UTC') = date_trunc('hour', at, 'UTC')
    UNION
    SELECT subject_id, at FROM (
        SELECT subject_id, at, lead(at) OVER (PARTITION BY subject_id ORDER BY at) AS following
        FROM equity_points WHERE at >= $2::timestamptz - interval '30 days' AND at < $2
    ) AS old WHERE date_trunc('day', following, 'UTC') = date_trunc('day', at, 'UTC')
    LIMIT $3
) AS superfluous WHERE equity_points.subject_id = superfluous.subject_id AND equity_points.at = superfluous.at"""


class PostgresEquity(Repository):
    """See `domain.ports.equity.EquityRepository`."""

    async def account_ledger(self, account_id: UUID, since: datetime) -> AccountLedger | None:
        row = await self._connection.fetchrow(ACCOUNT_LEDGER, account_id, since)
        if row is None:
            return None
        return AccountLedger(
            account=account_from_row(row),
            totals=dict(zip(row["currencies"], row["amounts"], strict=True)),
            deposited=row["deposited"],
            unvalued=tuple(
                UnvaluedTransfer(moved["id"], moved["currency"], moved["amount"]) for moved in row["unvalued"]
            ),
            last=_point(row["last"]),
            baseline=_point(row["baseline"]),
        )

    async def session_ledger(self, session: TradingSession, since: datetime) -> TradingSessionLedger:
        points = await self._connection.fetchrow(SESSION_POINTS, session.id, since)
        assert points is not None
        rows = await self._connection.fetch(SESSION_RESULTS, session.id)
        results = tuple(
            MarketResult(market_symbol(row["market"]), row["realized"], row["quantity"], row["cost"]) for row in rows
        )
        return TradingSessionLedger(session, results, _point(points["last"]), _point(points["baseline"]))

    async def closed_results(self, account_id: UUID, trading_session_id: UUID | None, limit: int) -> list[ClosedResult]:
        statement = CLOSED_OF_ACCOUNT if trading_session_id is None else CLOSED_OF_SESSION
        rows = await self._connection.fetch(statement, trading_session_id or account_id, limit)
        return [ClosedResult(row["realized_profit"], row["closed_at"]) for row in rows]

    async def save(self, point: StoredEquity, worths: Mapping[UUID, Decimal]) -> None:
        amounts = (point.equity, point.deposited, point.peak)
        state = (point.growth, point.highest_growth, point.rests, list(point.unpriced))
        await self._connection.execute(SAVE, point.subject_id, point.account_id, point.at, *amounts, *state)
        if worths:
            await self._connection.execute(SAVE_WORTHS, list(worths), list(worths.values()))

    async def delete_later(self, subject_id: UUID, at: datetime) -> None:
        await self._connection.execute(DELETE_LATER, subject_id, at)

    async def history(
        self, subject_id: UUID, intervals: Sequence[tuple[datetime, datetime]]
    ) -> tuple[StoredEquity | None, list[StoredEquity]]:
        before = await self._connection.fetchrow(LAST_BEFORE, subject_id, intervals[0][0])
        starts, ends = [start for start, _ in intervals], [end for _, end in intervals]
        rows = await self._connection.fetch(HISTORY, subject_id, starts, ends)
        return _point(before), [_stored_equity(row) for row in rows]

    async def newest(self, subject_ids: Sequence[UUID]) -> list[StoredEquity]:
        return [_stored_equity(row) for row in await self._connection.fetch(NEWEST, list(subject_ids))]

    async def delete_old(self, hourly_before: datetime, daily_before: datetime, most: int) -> int:
        answer = await self._connection.execute(DELETE_OLD, hourly_before, daily_before, most)
        return int(answer.rpartition(" ")[2])


def _point(row: Record | None) -> StoredEquity | None:
    return None if row is None else _stored_equity(row)


def _stored_equity(row: Record) -> StoredEquity:
    return StoredEquity(
        subject_id=row["subject_id"],
        account_id=row["account_id"],
        at=row["at"],
        equity=row["equity"],
        deposited=row["deposited"],
        peak=row["peak"],
        growth=row["growth"],
        highest_growth=row["highest_growth"],
        rests=row["rests"],
        unpriced=tuple(row["unpriced"]),
    )
