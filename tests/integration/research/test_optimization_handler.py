"""Optimizations as jobs on a real database: from the queue to the end, across crashes."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from domain.jobs.handler import JobFailed
from domain.jobs.queue import JobService
from domain.jobs.runner import JobRunner, RunnerOptions
from domain.model.definitions import StrategyParameter
from domain.model.jobs import Job, JobStatus
from domain.model.optimizations import Optimization
from domain.optimization.search import best_trial
from domain.research.compute_pool import OnProgress
from domain.research.optimization_handler import PREPARED, OptimizationHandler, PrepareCandles
from infra.clock import SystemClock, TimeOrderedIds
from infra.embedded.bus import EmbeddedBus
from infra.postgres.database import PostgresDatabase
from tests.support.background import running
from tests.support.optimizations import stored_optimization, together, trial_runner
from tests.support.searches import DEFINITION, D
from tests.support.trading import World
from tests.support.waiting import read_until

QUICK = RunnerOptions(slots=2, poll_seconds=0.05, progress_seconds=0.02)


async def prepared(_optimization: Optimization, on_progress: OnProgress) -> Sequence[str]:
    """Have nothing to prepare, and little to say."""
    on_progress(0.5)
    return ["Two candles are missing."]


def job_runner(
    database: PostgresDatabase, bus: EmbeddedBus, name: str = "one", prepare: PrepareCandles = prepared
) -> JobRunner:
    handler = OptimizationHandler(database, bus, prepare, poll_seconds=0.05)
    return JobRunner(database, bus, SystemClock(), name, [handler], QUICK)


async def job_of(database: PostgresDatabase, optimization: Optimization) -> Job:
    async with database.read_only() as reading:
        found = await reading.jobs.get(optimization.user_id, optimization.job_id)
    assert found is not None
    return found


async def ended_job(database: PostgresDatabase, optimization: Optimization) -> Job:
    return await read_until(
        lambda: job_of(database, optimization), lambda job: job.status.is_final, "the optimization ends"
    )


async def test_an_optimization_runs_from_the_queue_to_its_end(
    database: PostgresDatabase, world: World, bus: EmbeddedBus
) -> None:
    optimization = await stored_optimization(database, world)
    async with running(together(job_runner(database, bus).run(), trial_runner(database, bus=bus).run())):
        job = await ended_job(database, optimization)
    assert (job.status, job.progress) == (JobStatus.SUCCEEDED, 1.0)
    assert (job.message or "").startswith("12 trials. The best is number ")
    assert "the probability that it is luck is " in (job.message or "")
    assert (job.message or "").endswith(". Two candles are missing.")
    async with database.read_only() as reading:
        trials = await reading.optimizations.trials(optimization.id)
    best = best_trial(trials)
    assert best is not None
    assert f"The best is number {best.number}," in (job.message or "")


async def test_a_job_whose_worker_is_gone_goes_on_with_the_trials_there_are(
    database: PostgresDatabase, world: World, bus: EmbeddedBus
) -> None:
    optimization = await stored_optimization(database, world)
    async with database.transaction() as transaction:
        assert await transaction.jobs.claim(("optimization",), "gone", 600)
        await transaction.optimizations.set_prepared(optimization.id)
    runner = trial_runner(database, bus=bus)
    for _ in range(5):
        assert await runner.work_once()
    async with database.read_only() as reading:
        before = await reading.optimizations.results([(optimization.id, number) for number in range(12)])
    async with database.transaction() as transaction:
        assert await transaction.jobs.release(optimization.job_id, "gone")
    async with running(together(job_runner(database, bus, "two").run(), trial_runner(database, "two", bus).run())):
        assert (await ended_job(database, optimization)).status is JobStatus.SUCCEEDED
    async with database.read_only() as reading:
        after = await reading.optimizations.results([(optimization.id, number) for number in range(12)])
    assert len(before) == 5
    assert len(after) == 12
    assert {number: after[number] for number in before} == before


async def test_progress_is_the_share_of_the_trials_that_have_ended(
    database: PostgresDatabase, world: World, bus: EmbeddedBus
) -> None:
    optimization = await stored_optimization(database, world)
    runner = trial_runner(database, bus=bus)
    async with running(job_runner(database, bus).run()):
        for ended in (3, 6):
            for _ in range(3):
                await read_until(runner.work_once, bool, "a trial runs")
            expected = pytest.approx(0.1 + 0.9 * ended / 12)
            await read_until(
                lambda: job_of(database, optimization), lambda job, goal=expected: job.progress == goal, "progress"
            )


async def test_a_cancelled_optimization_runs_no_further_trials(
    database: PostgresDatabase, world: World, bus: EmbeddedBus
) -> None:
    optimization = await stored_optimization(database, world, trials=1_000)
    service = JobService(database, bus, SystemClock(), TimeOrderedIds())
    async with running(together(job_runner(database, bus).run(), trial_runner(database, bus=bus).run())):
        await read_until(
            lambda: job_of(database, optimization), lambda job: job.progress > PREPARED, "a trial has ended"
        )
        await service.cancel(optimization.user_id, optimization.job_id)
        runner = trial_runner(database, "two", bus)
        assert not await runner.work_once()
    assert (await job_of(database, optimization)).status is JobStatus.CANCELED
    async with database.read_only() as reading:
        assert 0 < len(await reading.optimizations.trials(optimization.id)) < 1_000


async def test_an_optimization_without_candles_fails_with_the_reason(
    database: PostgresDatabase, world: World, bus: EmbeddedBus
) -> None:
    async def refuse(_optimization: Optimization, _on_progress: OnProgress) -> Sequence[str]:
        raise JobFailed("There are no candles of that time.")

    optimization = await stored_optimization(database, world)
    works = job_runner(database, bus, prepare=refuse).run(), trial_runner(database, bus=bus).run()
    async with running(together(*works)):
        job = await ended_job(database, optimization)
    assert (job.status, job.message) == (JobStatus.FAILED, "There are no candles of that time.")
    async with database.read_only() as reading:
        assert await reading.optimizations.trials(optimization.id) == []


@pytest.mark.parametrize("folds", [1, 3])
async def test_a_small_space_is_tried_whole_and_the_job_ends(
    database: PostgresDatabase, world: World, bus: EmbeddedBus, folds: int
) -> None:
    few = (StrategyParameter("fast", D(5), D(5), D(6), D(1)), StrategyParameter("slow", D(20)))
    definition = replace(DEFINITION, parameters=few)
    optimization = await stored_optimization(database, world, trials=50, folds=folds, definition=definition)
    async with running(together(job_runner(database, bus).run(), trial_runner(database, bus=bus).run())):
        job = await ended_job(database, optimization)
    assert (job.message or "").startswith(f"{2 * folds} trials.")
