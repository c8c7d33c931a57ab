"""Trials on a real database: runners that share them, die and come back."""

import asyncio
from dataclasses import replace
from decimal import Decimal

import pytest

from domain.backtest.market_bars import MarketCandles
from domain.core.errors import Unavailable
from domain.model.jobs import JobStatus
from domain.model.optimizations import Optimization, Trial, TrialResult
from domain.optimization.folds import folds_of
from domain.optimization.search import search_of
from domain.optimization.trial import run_trial, trial_plan
from domain.research.compute_pool import ComputationCrashed, ComputationFailed, ComputationTooLarge, ComputationTooLong
from domain.research.trial_runner import MOST_ATTEMPTS
from infra.clock import SystemClock
from infra.embedded.bus import EmbeddedBus
from infra.postgres.connection import Connection
from infra.postgres.database import PostgresDatabase
from infra.postgres.pool import Pool
from infra.runtime.compute_pool import ProcessPool
from infra.tpe_sampler import TpeSampler
from tests.support.background import running
from tests.support.optimizations import (
    PATIENT,
    QUICK,
    FailingPool,
    HangingPool,
    running_optimization,
    stored_optimization,
    together,
    trial_runner,
    walk_of,
)
from tests.support.searches import OPTIMIZATION, hourly_walk
from tests.support.trading import World, stored_world
from tests.support.waiting import eventually, read_until

WALK = [MarketCandles(OPTIMIZATION.market, hourly_walk())]


async def trials_of(database: PostgresDatabase, optimization: Optimization) -> list[Trial]:
    async with database.read_only() as reading:
        return await reading.optimizations.trials(optimization.id)


async def ended_trials(database: PostgresDatabase, optimization: Optimization) -> list[Trial]:
    def have_ended(trials: list[Trial]) -> bool:
        return len(trials) == optimization.trials and all(trial.result is not None for trial in trials)

    return await read_until(lambda: trials_of(database, optimization), have_ended, "all trials end")


def expected_trials(optimization: Optimization) -> list[Trial]:
    """Run the search here, one trial after another."""
    search, trials = search_of(optimization), dict[int, Trial]()
    folds = folds_of(optimization)
    while len(trials) < search.size:
        number = len(trials)
        parameters = search.parameters(number, trials, TpeSampler())
        assert parameters is not None
        fold = search.fold_of(number)
        result = run_trial(
            trial_plan(optimization), [MarketCandles(optimization.market, hourly_walk())], folds[fold], parameters
        )
        trials[number] = Trial(number, fold, parameters, TrialResult(score=result.score, moments=result.moments))
    return list(trials.values())


@pytest.mark.parametrize("folds", [1, 2])
async def test_two_workers_make_the_trials_that_one_makes(
    database: PostgresDatabase, world: World, bus: EmbeddedBus, folds: int
) -> None:
    optimization = await running_optimization(database, world, folds=folds)
    async with running(together(trial_runner(database, "one", bus).run(), trial_runner(database, "two", bus).run())):
        trials = await ended_trials(database, optimization)
    assert trials == expected_trials(optimization)
    assert any(trial.result and trial.result.score is not None for trial in trials)


async def test_the_result_of_a_trial_has_the_metrics_of_both_parts(database: PostgresDatabase, world: World) -> None:
    optimization = await running_optimization(database, world)
    assert await trial_runner(database).work_once()
    async with database.read_only() as reading:
        results = await reading.optimizations.results([(optimization.id, 0), (optimization.id, 1)])
    (fold,) = folds_of(optimization)
    first = {"fast": Decimal(5), "slow": Decimal(20)}
    assert results == {
        (optimization.id, 0): run_trial(
            trial_plan(optimization), [MarketCandles(optimization.market, hourly_walk())], fold, first
        )
    }


async def test_the_trial_of_a_worker_that_is_gone_is_run_by_another_one(
    database: PostgresDatabase, world: World
) -> None:
    optimization = await running_optimization(database, world, trials=2)
    async with database.transaction() as transaction:
        trial = Trial(0, 0, {"fast": Decimal(5), "slow": Decimal(20)})
        assert await transaction.optimizations.claim_new(optimization.id, trial, "gone", 0.2)
    async with running(trial_runner(database).run()):
        assert await ended_trials(database, optimization) == expected_trials(optimization)


async def test_a_worker_that_stops_gives_its_trial_back(database: PostgresDatabase, world: World) -> None:
    optimization = await running_optimization(database, world, trials=1)
    pool = HangingPool()
    async with running(trial_runner(database, pool=pool).run()):
        await eventually(pool.started.is_set, "the trial runs")
    assert pool.ended.is_set()
    async with database.transaction() as transaction:
        claimed = await transaction.optimizations.claim_lapsed(optimization.id, "two", 30)
    assert claimed is not None
    assert claimed.attempts == 1


async def test_a_node_that_stood_still_does_not_run_its_own_trial_a_second_time(
    database: PostgresDatabase, world: World, pool: Pool
) -> None:
    optimization = await running_optimization(database, world, trials=1)
    hanging = HangingPool()
    runner = trial_runner(database, pool=hanging)
    async with running(runner.run()), pool.acquire() as driver:
        await eventually(hanging.started.is_set, "the trial runs")
        for _ in range(MOST_ATTEMPTS + 1):
            await driver.execute("UPDATE optimization_trials SET lease_until = '-infinity'")
            assert not await runner.work_once()
        assert await driver.fetchval("SELECT attempts FROM optimization_trials") == 1
        assert [trial.result for trial in await trials_of(database, optimization)] == [None]
        assert not hanging.ended.is_set()
    async with database.transaction() as transaction:
        assert await transaction.optimizations.claim_lapsed(optimization.id, "two", 30)


async def test_the_trial_of_a_cancelled_job_ends(database: PostgresDatabase, world: World) -> None:
    optimization = await running_optimization(database, world, trials=3)
    pool = HangingPool()
    async with running(trial_runner(database, pool=pool, options=QUICK).run()):
        await eventually(pool.started.is_set, "the trial runs")
        async with database.transaction() as transaction:
            await transaction.jobs.finish(optimization.job_id, JobStatus.CANCELED, None, SystemClock().now())
        await eventually(pool.ended.is_set, "the trial ends")
    assert [trial.result for trial in await trials_of(database, optimization)] == [None]
    assert not await trial_runner(database, "two").work_once()


async def test_a_lease_is_renewed_while_a_trial_runs(database: PostgresDatabase, world: World, pool: Pool) -> None:
    await running_optimization(database, world, trials=1)
    hanging = HangingPool()
    async with (
        running(trial_runner(database, pool=hanging, options=QUICK).run()),
        pool.acquire() as driver,
    ):
        await eventually(hanging.started.is_set, "the trial runs")
        first = await driver.fetchval("SELECT lease_until FROM optimization_trials")
        await read_until(
            lambda: driver.fetchval("SELECT lease_until FROM optimization_trials"),
            lambda lease_until: lease_until > first,
            "the lease is renewed",
        )


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ComputationTooLarge(), "The trial needs more memory than a computation may have."),
        (ComputationTooLong(3_600), "The trial took longer than 3,600 s."),
        (ComputationFailed("a secret"), "The trial could not be run: a fault of the engine, which its log describes."),
    ],
)
async def test_a_trial_that_fails_says_so_and_the_search_goes_on(
    database: PostgresDatabase, world: World, error: Exception, message: str
) -> None:
    optimization = await running_optimization(database, world, trials=2)
    assert await trial_runner(database, pool=FailingPool(error)).work_once()
    assert await trial_runner(database, "two").work_once()
    first, second = await ended_trials(database, optimization)
    assert first.result == TrialResult(message=message)
    assert second.result is not None
    assert second.result.message is None


async def test_a_trial_whose_process_crashes_again_and_again_is_given_up(
    database: PostgresDatabase, world: World
) -> None:
    optimization = await running_optimization(database, world, trials=1)
    runner = trial_runner(database, pool=FailingPool(ComputationCrashed("status -9")))
    for _ in range(MOST_ATTEMPTS):
        assert await runner.work_once()
        assert [trial.result for trial in await trials_of(database, optimization)] == [None]
    assert await runner.work_once()
    (ended,) = await ended_trials(database, optimization)
    assert ended.result is not None
    assert "given up" in (ended.result.message or "")


async def test_a_real_process_makes_the_same_trials(database: PostgresDatabase, world: World) -> None:
    optimization = await running_optimization(database, world, trials=3)
    pool = ProcessPool(2)
    try:
        async with running(trial_runner(database, pool=pool, options=replace(PATIENT, slots=2)).run()):
            assert await ended_trials(database, optimization) == expected_trials(optimization)
    finally:
        await pool.close()


async def test_nothing_runs_before_the_candles_are_there_or_after_the_job_s_worker_is_gone(
    database: PostgresDatabase, world: World, pool: Pool
) -> None:
    optimization = await stored_optimization(database, world)
    assert not await trial_runner(database).work_once()  # the job waits
    async with database.transaction() as transaction:
        assert await transaction.jobs.claim(("optimization",), "a worker", 300)
    assert not await trial_runner(database).work_once()  # its candles aren't known to be there
    async with database.transaction() as transaction:
        await transaction.optimizations.set_prepared(optimization.id)
    assert await trial_runner(database).work_once()
    async with pool.acquire() as driver:
        await driver.execute("UPDATE jobs SET lease_until = statement_timestamp() - interval '1 second'")
    assert not await trial_runner(database).work_once()


async def test_users_take_turns(database: PostgresDatabase, world: World, pool: Pool) -> None:
    async with pool.acquire() as driver:
        other = await stored_world(Connection(driver))
    many = await running_optimization(database, world, trials=6)
    await running_optimization(database, world, trials=6)
    theirs = await running_optimization(database, other, trials=6)
    runner = trial_runner(database)
    for _ in range(4):
        assert await runner.work_once()
    assert [len(await trials_of(database, one)) for one in (many, theirs)] == [2, 2]


async def test_a_database_that_is_away_while_candles_are_read_costs_no_attempt(
    database: PostgresDatabase, world: World
) -> None:
    is_away = True

    async def load(optimization: Optimization) -> list[MarketCandles]:
        if is_away:
            raise Unavailable("the database is away")
        return await walk_of(optimization)

    optimization = await running_optimization(database, world, trials=1)
    runner = trial_runner(database, load_candles=load)
    for _ in range(MOST_ATTEMPTS + 1):
        assert await runner.work_once()
        await asyncio.sleep(0)
    is_away = False
    assert await runner.work_once()
    assert await ended_trials(database, optimization) == expected_trials(optimization)
