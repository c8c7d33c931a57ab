from decimal import Decimal

from domain.model.jobs import JobStatus
from domain.model.optimizations import ReturnMoments, Trial, TrialResult
from infra.clock import SystemClock
from infra.postgres.connection import Connection
from infra.postgres.database import PostgresDatabase
from infra.postgres.pool import Pool
from tests.support.optimizations import running_optimization, stored_optimization
from tests.support.trading import World, new_id, stored_world

TRIAL = Trial(0, 0, {"fast": Decimal("5.10"), "slow": Decimal(20)})
RESULT = TrialResult(score=1.5, moments=ReturnMoments(30, 0.1, -0.5, 4.5), message="a note")


async def a_world(pool: Pool) -> World:
    async with pool.acquire() as driver:
        return await stored_world(Connection(driver))


async def test_an_optimization_comes_back_as_it_was_and_to_its_user_alone(
    database: PostgresDatabase, pool: Pool
) -> None:
    world = await a_world(pool)
    stored = await stored_optimization(database, world, strategy_version_id=world.version.id, seed=-(2**31))
    async with database.read_only() as reading:
        assert await reading.optimizations.get(world.user.id, stored.id) == stored
        assert await reading.optimizations.get(new_id(), stored.id) is None
        assert await reading.optimizations.get_for_job(stored.job_id) == stored
        assert await reading.optimizations.get_many([stored.id, new_id()]) == [stored]


async def test_a_trial_has_one_worker_and_one_result(database: PostgresDatabase, pool: Pool) -> None:
    stored = await running_optimization(database, await a_world(pool))
    async with database.transaction() as transaction:
        trials = transaction.optimizations
        assert await trials.claim_new(stored.id, TRIAL, "one", 30)
        assert not await trials.claim_new(stored.id, TRIAL, "two", 30)
        assert await trials.renew(stored.id, 0, "one", 30)
        assert not await trials.renew(stored.id, 0, "two", 30)
        assert await trials.claim_lapsed(stored.id, "two", 30) is None
        assert await trials.finish(stored.id, 0, RESULT)
        assert not await trials.finish(stored.id, 0, TrialResult(score=9.0))
        assert not await trials.renew(stored.id, 0, "one", 30)
    async with database.read_only() as reading:
        (trial,) = await reading.optimizations.trials(stored.id)
        assert (trial.parameters, trial.result) == (TRIAL.parameters, RESULT)
        assert await reading.optimizations.results([(stored.id, 0), (stored.id, 1)]) == {(stored.id, 0): RESULT}
        assert await reading.optimizations.count_ended(stored.id) == 1


async def test_all_trials_of_a_database_that_no_worker_uses_are_given_back(
    database: PostgresDatabase, pool: Pool
) -> None:
    stored = await running_optimization(database, await a_world(pool))
    async with database.transaction() as transaction:
        assert await transaction.optimizations.claim_new(stored.id, TRIAL, "gone", 3_600)
        assert await transaction.optimizations.release_all() == 1
        claimed = await transaction.optimizations.claim_lapsed(stored.id, "new", 30)
    assert claimed is not None
    assert claimed.attempts == 1


async def test_the_newest_optimizations_of_a_user_are_kept_and_those_that_have_not_ended(
    database: PostgresDatabase, pool: Pool
) -> None:
    world, other = await a_world(pool), await a_world(pool)
    ended = [await stored_optimization(database, world) for _ in range(3)]
    async with database.transaction() as transaction:
        assert await transaction.optimizations.claim_new(ended[0].id, TRIAL, "one", 30)
        for optimization in ended:
            await transaction.jobs.finish(optimization.job_id, JobStatus.SUCCEEDED, None, SystemClock().now())
    newest = await stored_optimization(database, world)
    theirs = await stored_optimization(database, other)
    async with database.transaction() as transaction:
        assert await transaction.optimizations.delete_old(2, 1) == 1
        assert await transaction.optimizations.delete_old(2, 10) == 1
        assert await transaction.optimizations.delete_old(0, 10) == 1
        left = await transaction.optimizations.get_many([one.id for one in (*ended, newest, theirs)])
        jobs = await transaction.jobs.get_many([one.job_id for one in (*ended, newest, theirs)])
    assert {one.id for one in left} == {newest.id, theirs.id}
    assert {job.id for job in jobs} == {newest.job_id, theirs.job_id}
