from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from itertools import combinations_with_replacement

import pytest

from domain.model.jobs import JobStatus
from domain.model.optimizations import Fold, Optimization, ReturnMoments, Trial, TrialPage, TrialResult
from domain.optimization.summary import fold_trials
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


def tried(number: int, score: float | None, sharpe: float | None, *, has_ended: bool = True) -> Trial:
    moments = None if sharpe is None else ReturnMoments(30, sharpe, 0.0, 3.0)
    result = TrialResult(score=score, moments=moments, message="a note") if has_ended else None
    return Trial(number, number % 2, {"fast": Decimal(number)}, result)


TRIED = [
    tried(0, 1.5, 0.1),
    tried(1, None, None),
    tried(2, -2.0, -0.3),
    tried(3, 0.0, 0.2),
    tried(4, 1.5, 0.4),
    tried(5, 0.0, None),
    tried(6, None, None, has_ended=False),
    tried(7, None, 0.05),
]


async def store(database: PostgresDatabase, optimization: Optimization, trials: Sequence[Trial]) -> None:
    async with database.transaction() as transaction:
        for trial in trials:
            assert await transaction.optimizations.claim_new(optimization.id, trial, "one", 30)
            if trial.result is not None:
                assert await transaction.optimizations.finish(optimization.id, trial.number, trial.result)


async def test_folds_are_summed_up_by_the_database_as_by_the_rules(database: PostgresDatabase, pool: Pool) -> None:
    world = await a_world(pool)
    stored, untried = [await stored_optimization(database, world) for _ in range(2)]
    await store(database, stored, TRIED)
    async with database.read_only() as reading:
        found = await reading.optimizations.fold_trials([stored.id, untried.id])
    assert found.get(untried.id, {}) == {}
    for number in (0, 1):
        by_rules = fold_trials(Fold(number, *[stored.period_start] * 3), TRIED)
        by_database = found[stored.id][number]
        assert replace(by_database, sharpe_variance=0.0) == replace(by_rules, sharpe_variance=0.0)
        assert by_database.sharpe_variance == pytest.approx(by_rules.sharpe_variance)
    assert [found[stored.id][number].best for number in (0, 1)] == [TRIED[0], TRIED[3]]


@pytest.mark.parametrize("fold", [None, 0, 1, 2])
@pytest.mark.parametrize("by_score", [False, True])
async def test_trials_are_paged_in_both_orders_and_directions(
    database: PostgresDatabase, pool: Pool, fold: int | None, by_score: bool
) -> None:
    stored = await running_optimization(database, await a_world(pool))
    await store(database, stored, TRIED)
    listed = [trial for trial in TRIED if fold in {None, trial.fold}]
    if by_score:
        scores = {trial.number: None if trial.result is None else trial.result.score for trial in listed}
        listed.sort(key=lambda trial: (scores[trial.number] is None, -(scores[trial.number] or 0), trial.number))
    numbers = [trial.number for trial in listed]
    async with database.read_only() as reading:
        assert await reading.optimizations.count_trials(stored.id, fold) == len(listed)
        for start, end in combinations_with_replacement([None, *range(len(listed))], 2):
            after, before = (None if one is None else numbers[one] for one in (start, end))
            between = listed[0 if start is None else start + 1 : end]
            page = TrialPage(2, fold, by_score, after, before)
            assert await reading.optimizations.trial_page(stored.id, page) == between[:2]
            assert await reading.optimizations.trial_page(stored.id, replace(page, backwards=True)) == between[-2:]
