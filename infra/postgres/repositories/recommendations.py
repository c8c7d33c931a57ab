"""Analyses of strategies on markets, and the runs that compute them, in PostgreSQL."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from domain.model.jobs import JobStatus
from domain.model.markets import MarketSymbol, Timeframe
from domain.model.recommendations import RecommendationRun, WalkForward, WalkForwardAnalysis
from infra.postgres.repositories.base import Repository
from infra.postgres.rows.columns import market_symbol, to_json
from infra.postgres.rows.mapper import RowMapper

_RESULT = msgspec.json.Decoder(WalkForward)


def _decode_result(stored: bytes | None) -> WalkForward | None:
    return None if stored is None else _RESULT.decode(stored)


_ANALYSES: Final = RowMapper(
    "strategy_evaluations",
    WalkForwardAnalysis,
    decoders={"market": market_symbol, "timeframe": Timeframe, "result": _decode_result},
    encoders={"market": str, "result": to_json},
)
_RUNS: Final = RowMapper(
    "recommendation_runs",
    RecommendationRun,
    decoders={"market": market_symbol, "timeframe": Timeframe},
    encoders={"market": str},
)
ANALYSES: Final = _ANALYSES.select + " WHERE market = $1 AND timeframe = $2 AND definition_hash = ANY($3::bytea[])"
SAVE_ANALYSIS: Final = (
    f"{_ANALYSES.insert()} ON CONFLICT (market, timeframe, definition_hash) DO UPDATE "
    "SET computed_at = excluded.computed_at, result = excluded.result, message = excluded.message"
)
INSERT_RUN: Final = _RUNS.insert()
RUN_OF_JOB: Final = _RUNS.select + " WHERE job_id = $1"
LATEST_RUN: Final = """
SELECT runs.*, jobs.status FROM recommendation_runs AS runs JOIN jobs ON jobs.id = runs.job_id
WHERE runs.user_id = $1 AND runs.market = $2 AND runs.timeframe = $3 ORDER BY runs.id DESC LIMIT 1"""
COUNT_OPEN_RUNS: Final = """
SELECT count(*) FROM recommendation_runs AS runs JOIN jobs ON jobs.id = runs.job_id
WHERE runs.user_id = $1 AND jobs.status IN ('QUEUED', 'RUNNING')"""
DELETE_ANALYSES: Final = """
DELETE FROM strategy_evaluations WHERE (market, timeframe, definition_hash) IN (
    SELECT market, timeframe, definition_hash FROM strategy_evaluations WHERE computed_at < $1 LIMIT $2)"""
DELETE_RUNS: Final = """
DELETE FROM recommendation_runs WHERE id IN (
    SELECT runs.id FROM recommendation_runs AS runs JOIN jobs ON jobs.id = runs.job_id
    WHERE runs.created_at < $1 AND jobs.status NOT IN ('QUEUED', 'RUNNING') LIMIT $2)
RETURNING job_id"""
DELETE_JOBS: Final = "DELETE FROM jobs WHERE id = ANY($1::uuid[])"


class PostgresRecommendations(Repository):
    """See `domain.ports.recommendations.RecommendationRepository`."""

    async def analyses(
        self, market: MarketSymbol, timeframe: Timeframe, hashes: Sequence[bytes]
    ) -> list[WalkForwardAnalysis]:
        rows = await self._connection.fetch(ANALYSES, str(market), timeframe, hashes)
        return [_ANALYSES.from_row(row) for row in rows]

    async def save_analyses(self, analyses: Sequence[WalkForwardAnalysis]) -> None:
        # In one order, so that two workers that store the same ones don't wait for each other in a circle.
        for analysis in sorted(analyses, key=lambda one: one.definition_hash):
            await self._connection.execute(SAVE_ANALYSIS, *_ANALYSES.params(analysis))

    async def add_run(self, run: RecommendationRun) -> None:
        await self._connection.execute(INSERT_RUN, *_RUNS.params(run))

    async def get_run_for_job(self, job_id: UUID) -> RecommendationRun | None:
        row = await self._connection.fetchrow(RUN_OF_JOB, job_id)
        return None if row is None else _RUNS.from_row(row)

    async def latest_run(
        self, user_id: UUID, market: MarketSymbol, timeframe: Timeframe
    ) -> tuple[RecommendationRun, JobStatus] | None:
        row = await self._connection.fetchrow(LATEST_RUN, user_id, str(market), timeframe)
        return None if row is None else (_RUNS.from_row(row), JobStatus(row["status"]))

    async def count_open_runs(self, user_id: UUID) -> int:
        count: int = await self._connection.fetchval(COUNT_OPEN_RUNS, user_id)
        return count

    async def delete_before(self, before: datetime, limit: int) -> int:
        deleted = await self._connection.execute(DELETE_ANALYSES, before, limit)
        jobs = [row["job_id"] for row in await self._connection.fetch(DELETE_RUNS, before, limit)]
        await self._connection.execute(DELETE_JOBS, jobs)
        return int(deleted.rpartition(" ")[2]) + len(jobs)
