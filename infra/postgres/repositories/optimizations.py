"""Optimizations and their trials in PostgreSQL."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from decimal import Decimal
from typing import Final
from uuid import UUID

import msgspec
from asyncpg import Record

from domain.model.markets import Market, Timeframe
from domain.model.optimizations import (
    ClaimedTrial,
    FoldTrials,
    Optimization,
    OptimizationObjective,
    Trial,
    TrialPage,
    TrialResult,
)
from domain.model.trading import ParameterValue
from infra.postgres.repositories.backtests import SETTINGS
from infra.postgres.repositories.base import Repository
from infra.postgres.repositories.strategies import decode_definition, encode_definition
from infra.postgres.rows.columns import members_by_value, to_json
from infra.postgres.rows.mapper import RowMapper
from infra.postgres.sql import where

_OPTIMIZATIONS: Final = RowMapper(
    "optimizations",
    Optimization,
    decoders={
        "definition": decode_definition,
        "parameters": msgspec.json.Decoder(tuple[ParameterValue, ...]).decode,
        "market": msgspec.json.Decoder(Market).decode,
        "timeframe": members_by_value(Timeframe).__getitem__,
        "objective": members_by_value(OptimizationObjective).__getitem__,
        "other_markets": msgspec.json.Decoder(tuple[Market, ...]).decode,
        "settings": SETTINGS.decode,
    },
    encoders={
        "definition": encode_definition,
        "parameters": to_json,
        "market": to_json,
        "other_markets": to_json,
        "settings": to_json,
    },
)
SELECT_OPTIMIZATION: Final = _OPTIMIZATIONS.select
INSERT_OPTIMIZATION: Final = _OPTIMIZATIONS.insert()
optimization_from_row = _OPTIMIZATIONS.from_row

OPTIMIZATION: Final = SELECT_OPTIMIZATION + " WHERE id = $1 AND user_id = $2"
OPTIMIZATIONS_BY_IDS: Final = SELECT_OPTIMIZATION + " WHERE id = ANY($1::uuid[])"
OPTIMIZATION_OF_JOB: Final = SELECT_OPTIMIZATION + " WHERE job_id = $1"
# The clock of the database decides about leases, so that the clocks of two workers need not agree.
RUNNING_OPTIMIZATIONS: Final = f"""
WITH running AS (
    {SELECT_OPTIMIZATION}
    WHERE is_prepared
        AND job_id IN (SELECT id FROM jobs WHERE status = 'RUNNING' AND lease_until >= statement_timestamp())
), served AS (
    SELECT user_id, count(*) FILTER (WHERE result IS NULL AND lease_until >= statement_timestamp()) AS at_work,
        max(optimization_trials.started_at) AS last_served
    FROM running JOIN optimization_trials ON optimization_id = running.id GROUP BY user_id
)
SELECT running.* FROM running LEFT JOIN served USING (user_id)
ORDER BY coalesce(at_work, 0), last_served NULLS FIRST, running.id"""
PREPARED: Final = "UPDATE optimizations SET is_prepared = true WHERE id = $1"

# Without the metrics, which only those who look at a trial need.
TRIAL: Final = "number, fold, parameters, result - 'in_sample' - 'out_of_sample' AS result"
BY_SCORE: Final = ("score IS NULL", "-coalesce(score, 0)", "number")
TRIALS: Final = f"SELECT {TRIAL} FROM optimization_trials WHERE optimization_id = $1 ORDER BY number"
# Only the page's own results are unpacked.
TRIAL_PAGE: Final = f"""
WITH page AS (SELECT number FROM optimization_trials{{fits}} ORDER BY {{order}} LIMIT {{limit}})
SELECT {TRIAL} FROM optimization_trials JOIN page USING (number)
WHERE optimization_id = $1 ORDER BY {{forwards}}"""
COUNT: Final = """
SELECT count(*) FROM optimization_trials WHERE optimization_id = $1 AND ($2::int IS NULL OR fold = $2)"""
FOLD_TRIALS: Final = f"""
WITH counted AS (
    SELECT optimization_id, fold, count(*) FILTER (WHERE result IS NOT NULL) AS ended,
        coalesce(var_samp((result -> 'moments' ->> 'sharpe')::double precision), 0) AS sharpe_variance
    FROM optimization_trials WHERE optimization_id = ANY($1::uuid[]) GROUP BY optimization_id, fold
), best AS (
    SELECT DISTINCT ON (optimization_id, fold) optimization_id, fold, number FROM optimization_trials
    WHERE optimization_id = ANY($1::uuid[]) AND score IS NOT NULL ORDER BY optimization_id, fold, {", ".join(BY_SCORE)}
)
SELECT optimization_id, ended, sharpe_variance, {TRIAL}
FROM counted LEFT JOIN best USING (optimization_id, fold)
    LEFT JOIN optimization_trials USING (optimization_id, fold, number)"""
ENDED: Final = "SELECT count(*) FROM optimization_trials WHERE optimization_id = $1 AND result IS NOT NULL"
RESULTS: Final = """
SELECT optimization_id, number, result FROM optimization_trials
WHERE (optimization_id, number) IN (SELECT * FROM unnest($1::uuid[], $2::int[])) AND result IS NOT NULL"""
CLAIM_LAPSED: Final = f"""
UPDATE optimization_trials SET worker = $2, lease_until = statement_timestamp() + $3 * interval '1 second',
    started_at = statement_timestamp(), attempts = attempts + 1
WHERE optimization_id = $1 AND number = (
    SELECT number FROM optimization_trials
    WHERE optimization_id = $1 AND result IS NULL AND lease_until < statement_timestamp() AND number <> ALL($4::int[])
    ORDER BY number LIMIT 1 FOR UPDATE SKIP LOCKED
)
RETURNING {TRIAL}, attempts"""
CLAIM_NEW: Final = """
INSERT INTO optimization_trials (optimization_id, number, fold, parameters, worker, lease_until, started_at, attempts)
VALUES ($1, $2, $3, $4, $5, statement_timestamp() + $6 * interval '1 second', statement_timestamp(), 1)
ON CONFLICT (optimization_id, number) DO NOTHING"""
RENEW: Final = """
UPDATE optimization_trials SET lease_until = statement_timestamp() + $4 * interval '1 second'
FROM optimizations JOIN jobs ON jobs.id = optimizations.job_id
WHERE optimization_id = $1 AND number = $2 AND optimization_trials.worker = $3 AND result IS NULL
    AND optimizations.id = $1 AND jobs.status IN ('QUEUED', 'RUNNING')"""
RELEASE: Final = """
UPDATE optimization_trials SET lease_until = '-infinity', attempts = attempts - $4
WHERE optimization_id = $1 AND number = $2 AND worker = $3 AND result IS NULL"""
RELEASE_ALL: Final = """
UPDATE optimization_trials SET lease_until = '-infinity', attempts = attempts - 1 WHERE result IS NULL"""
DELETE_OLD: Final = """
WITH old AS (
    SELECT numbered.id, numbered.job_id FROM (
        SELECT id, job_id, row_number() OVER (PARTITION BY user_id ORDER BY id DESC) AS number FROM optimizations
    ) numbered JOIN jobs ON jobs.id = numbered.job_id
    WHERE number > $1 AND jobs.finished_at IS NOT NULL LIMIT $2
), trials AS (DELETE FROM optimization_trials WHERE optimization_id IN (SELECT id FROM old)
), deleted AS (DELETE FROM optimizations WHERE id IN (SELECT id FROM old))
DELETE FROM jobs WHERE id IN (SELECT job_id FROM old)"""
FINISH: Final = """
UPDATE optimization_trials SET result = $3, score = $4, worker = NULL, lease_until = NULL
WHERE optimization_id = $1 AND number = $2 AND result IS NULL"""

_PARAMETERS: Final = msgspec.json.Decoder(dict[str, Decimal])
_RESULT: Final = msgspec.json.Decoder(TrialResult)


class PostgresOptimizations(Repository):
    """See `domain.ports.optimizations.OptimizationRepository`."""

    async def add(self, optimization: Optimization) -> None:
        await self._connection.execute(INSERT_OPTIMIZATION, *_OPTIMIZATIONS.params(optimization))

    async def get(self, user_id: UUID, optimization_id: UUID) -> Optimization | None:
        return await self._optimization(OPTIMIZATION, optimization_id, user_id)

    async def get_for_job(self, job_id: UUID) -> Optimization | None:
        return await self._optimization(OPTIMIZATION_OF_JOB, job_id)

    async def set_prepared(self, optimization_id: UUID) -> None:
        await self._connection.execute(PREPARED, optimization_id)

    async def list_running(self) -> list[Optimization]:
        return [optimization_from_row(row) for row in await self._connection.fetch(RUNNING_OPTIMIZATIONS)]

    async def get_many(self, ids: Sequence[UUID]) -> list[Optimization]:
        return [optimization_from_row(row) for row in await self._connection.fetch(OPTIMIZATIONS_BY_IDS, ids)]

    async def trials(self, optimization_id: UUID) -> list[Trial]:
        return [_trial_from_row(row) for row in await self._connection.fetch(TRIALS, optimization_id)]

    async def trial_page(self, optimization_id: UUID, page: TrialPage) -> list[Trial]:
        columns = BY_SCORE if page.by_score else ("number",)
        order, reversed_order = ", ".join(columns), ", ".join(f"{column} DESC" for column in columns)
        place = f"(SELECT {order} FROM optimization_trials WHERE optimization_id = $1 AND number = {{}})"
        fits, arguments = where(
            [
                ("optimization_id = {}", optimization_id),
                ("fold = {}", page.fold),
                (f"({order}) > {place}", page.after),
                (f"({order}) < {place}", page.before),
            ]
        )
        text = TRIAL_PAGE.format(
            fits=fits, order=reversed_order if page.backwards else order, limit=f"{page.limit:d}", forwards=order
        )
        return [_trial_from_row(row) for row in await self._connection.fetch(text, *arguments)]

    async def count_trials(self, optimization_id: UUID, fold: int | None = None) -> int:
        count: int = await self._connection.fetchval(COUNT, optimization_id, fold)
        return count

    async def fold_trials(self, ids: Sequence[UUID]) -> dict[UUID, dict[int, FoldTrials]]:
        found = defaultdict[UUID, dict[int, FoldTrials]](dict)
        for row in await self._connection.fetch(FOLD_TRIALS, ids):
            best = None if row["number"] is None else _trial_from_row(row)
            found[row["optimization_id"]][row["fold"]] = FoldTrials(best, row["ended"], row["sharpe_variance"])
        return found

    async def count_ended(self, optimization_id: UUID) -> int:
        ended: int = await self._connection.fetchval(ENDED, optimization_id)
        return ended

    async def results(self, trials: Sequence[tuple[UUID, int]]) -> dict[tuple[UUID, int], TrialResult]:
        ids, numbers = [optimization_id for optimization_id, _ in trials], [number for _, number in trials]
        rows = await self._connection.fetch(RESULTS, ids, numbers)
        return {(row["optimization_id"], row["number"]): _RESULT.decode(row["result"]) for row in rows}

    async def claim_lapsed(
        self, optimization_id: UUID, worker: str, lease_seconds: float, at_work: Collection[int] = ()
    ) -> ClaimedTrial | None:
        row = await self._connection.fetchrow(CLAIM_LAPSED, optimization_id, worker, lease_seconds, list(at_work))
        return None if row is None else ClaimedTrial(_trial_from_row(row), row["attempts"])

    async def claim_new(self, optimization_id: UUID, trial: Trial, worker: str, lease_seconds: float) -> bool:
        parameters = to_json(trial.parameters)
        done = await self._connection.execute(
            CLAIM_NEW, optimization_id, trial.number, trial.fold, parameters, worker, lease_seconds
        )
        return done == "INSERT 0 1"

    async def renew(self, optimization_id: UUID, number: int, worker: str, lease_seconds: float) -> bool:
        return await self._connection.execute(RENEW, optimization_id, number, worker, lease_seconds) == "UPDATE 1"

    async def release(self, optimization_id: UUID, number: int, worker: str, *, was_tried: bool) -> None:
        await self._connection.execute(RELEASE, optimization_id, number, worker, 0 if was_tried else 1)

    async def release_all(self) -> int:
        return int((await self._connection.execute(RELEASE_ALL)).removeprefix("UPDATE "))

    async def delete_old(self, kept: int, limit: int) -> int:
        return int((await self._connection.execute(DELETE_OLD, kept, limit)).removeprefix("DELETE "))

    async def finish(self, optimization_id: UUID, number: int, result: TrialResult) -> bool:
        done = await self._connection.execute(FINISH, optimization_id, number, to_json(result), result.score)
        return done == "UPDATE 1"

    async def _optimization(self, text: str, *arguments: object) -> Optimization | None:
        row = await self._connection.fetchrow(text, *arguments)
        return None if row is None else optimization_from_row(row)


def _trial_from_row(row: Record) -> Trial:
    result = row["result"]
    return Trial(
        row["number"],
        row["fold"],
        _PARAMETERS.decode(row["parameters"]),
        None if result is None else _RESULT.decode(result),
    )
