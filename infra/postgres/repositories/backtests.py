"""Backtests, and what they came to, in PostgreSQL."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

import msgspec

from domain.model.backtests import Backtest, BacktestOutcome, RoundTripSlice, RunSettings
from domain.model.markets import Timeframe
from domain.model.reports import RoundTrip
from domain.model.trading import ParameterValue
from infra.postgres.repositories.base import Repository
from infra.postgres.repositories.strategies import decode_definition, encode_definition
from infra.postgres.rows.columns import market_symbol, members_by_value, to_json
from infra.postgres.rows.mapper import RowMapper

SETTINGS: Final = msgspec.json.Decoder(RunSettings)
_BACKTESTS: Final = RowMapper(
    "backtests",
    Backtest,
    decoders={
        "definition": decode_definition,
        "parameters": msgspec.json.Decoder(tuple[ParameterValue, ...]).decode,
        "market": market_symbol,
        "timeframe": members_by_value(Timeframe).__getitem__,
        "other_markets": lambda symbols: tuple(map(market_symbol, symbols)),
        "settings": SETTINGS.decode,
    },
    encoders={
        "definition": encode_definition,
        "parameters": to_json,
        "market": str,
        "other_markets": lambda symbols: [str(symbol) for symbol in symbols],
        "settings": to_json,
    },
)
SELECT_BACKTEST: Final = _BACKTESTS.select
INSERT_BACKTEST: Final = _BACKTESTS.insert()
backtest_from_row = _BACKTESTS.from_row

BACKTEST: Final = SELECT_BACKTEST + " WHERE id = $1 AND user_id = $2"
BACKTESTS_BY_IDS: Final = SELECT_BACKTEST + " WHERE id = ANY($1::uuid[])"
BACKTEST_OF_JOB: Final = SELECT_BACKTEST + " WHERE job_id = $1"
SET_OUTCOME: Final = "UPDATE backtests SET outcome = $2 WHERE id = $1"
OUTCOMES: Final = """
SELECT backtests.id, outcome FROM backtests JOIN jobs ON jobs.id = backtests.job_id
WHERE backtests.id = ANY($1::uuid[]) AND jobs.status = 'SUCCEEDED'"""
OUTCOMES_WITHOUT_TRIPS: Final = OUTCOMES.replace(
    "outcome FROM", "jsonb_set(outcome, '{round_trips}', '[]') AS outcome FROM", 1
)
# The database unpacks all round trips faster than they are sent and read here.
ROUND_TRIPS: Final = """
WITH stored AS MATERIALIZED (
    SELECT outcome -> 'round_trips' AS trips FROM backtests JOIN jobs ON jobs.id = backtests.job_id
    WHERE backtests.id = $1 AND jobs.status = 'SUCCEEDED'
), counted AS (
    SELECT trips, jsonb_array_length(trips) AS count FROM stored
), bounded AS (
    SELECT trips, count, coalesce($3::int + 1, 0) AS low, least($4::int, count) AS high FROM counted
), chosen AS (
    SELECT trips, count, CASE WHEN $5 THEN greatest(high - $2::int, low) ELSE low END AS first,
        CASE WHEN $5 THEN high ELSE least(low + $2::int, high) END AS until
    FROM bounded
)
SELECT count, first, CASE WHEN first < until THEN
    jsonb_path_query_array(trips, '$[$first to $last]', jsonb_build_object('first', first, 'last', until - 1))
    ELSE '[]' END AS trips
FROM chosen"""
DELETE_OLD: Final = """
WITH old AS (
    SELECT numbered.id, numbered.job_id FROM (
        SELECT id, job_id, row_number() OVER (PARTITION BY user_id ORDER BY id DESC) AS number FROM backtests
    ) numbered JOIN jobs ON jobs.id = numbered.job_id
    WHERE number > $1 AND jobs.finished_at IS NOT NULL LIMIT $2
), deleted AS (DELETE FROM backtests WHERE id IN (SELECT id FROM old))
DELETE FROM jobs WHERE id IN (SELECT job_id FROM old)"""

_OUTCOME: Final = msgspec.json.Decoder(BacktestOutcome)
_ROUND_TRIPS: Final = msgspec.json.Decoder(tuple[RoundTrip, ...])


class PostgresBacktests(Repository):
    """See `domain.ports.backtests.BacktestRepository`."""

    async def add(self, backtest: Backtest) -> None:
        await self._connection.execute(INSERT_BACKTEST, *_BACKTESTS.params(backtest))

    async def get(self, user_id: UUID, backtest_id: UUID) -> Backtest | None:
        row = await self._connection.fetchrow(BACKTEST, backtest_id, user_id)
        return None if row is None else backtest_from_row(row)

    async def get_many(self, ids: Sequence[UUID]) -> list[Backtest]:
        return [backtest_from_row(row) for row in await self._connection.fetch(BACKTESTS_BY_IDS, ids)]

    async def get_for_job(self, job_id: UUID) -> Backtest | None:
        row = await self._connection.fetchrow(BACKTEST_OF_JOB, job_id)
        return None if row is None else backtest_from_row(row)

    async def set_outcome(self, backtest_id: UUID, outcome: BacktestOutcome) -> None:
        await self._connection.execute(SET_OUTCOME, backtest_id, to_json(outcome))

    async def outcomes(self, ids: Sequence[UUID]) -> dict[UUID, BacktestOutcome]:
        return await self._outcomes(OUTCOMES, ids)

    async def outcomes_without_trips(self, ids: Sequence[UUID]) -> dict[UUID, BacktestOutcome]:
        return await self._outcomes(OUTCOMES_WITHOUT_TRIPS, ids)

    async def round_trips(
        self, backtest_id: UUID, limit: int, after: int | None, before: int | None, *, backwards: bool
    ) -> RoundTripSlice:
        row = await self._connection.fetchrow(ROUND_TRIPS, backtest_id, limit, after, before, backwards)
        if row is None:
            return RoundTripSlice()
        return RoundTripSlice(_ROUND_TRIPS.decode(row["trips"]), row["first"], row["count"])

    async def delete_old(self, kept: int, limit: int) -> int:
        return int((await self._connection.execute(DELETE_OLD, kept, limit)).removeprefix("DELETE "))

    async def _outcomes(self, text: str, ids: Sequence[UUID]) -> dict[UUID, BacktestOutcome]:
        return {row["id"]: _OUTCOME.decode(row["outcome"]) for row in await self._connection.fetch(text, ids)}
