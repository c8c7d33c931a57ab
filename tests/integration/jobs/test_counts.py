"""What Prometheus reads of jobs and trials: how many wait, how long that takes, and how they end."""

import asyncio
from collections.abc import Sequence

import pytest
from prometheus_client import CollectorRegistry

from domain.core.errors import Unavailable
from domain.jobs.counts import WorkCounts
from domain.jobs.handler import JobFailed, JobOutcome, JobRun
from domain.jobs.queue import JobService, add_job
from domain.jobs.queue_monitor import JobQueueMonitor
from domain.jobs.runner import JobRunner, RunnerOptions
from domain.model.events import NewEvent
from domain.model.jobs import Job, JobKind
from domain.optimization.folds import folds_of
from domain.ports.unit_of_work import UnitOfWork
from domain.research.compute_pool import ComputationTooLarge
from infra.clock import SystemClock
from infra.embedded.bus import EmbeddedBus
from infra.metrics.jobs import JobMetrics
from infra.postgres.database import PostgresDatabase
from tests.support.background import running
from tests.support.optimizations import FailingPool, running_optimization, trial_runner
from tests.support.searches import hourly_walk
from tests.support.trading import World, new_id
from tests.support.waiting import eventually

PATIENT = RunnerOptions(lease_seconds=600.0, progress_seconds=0.02)


class Handler:
    """Raises what it was given, and is done without; with `waits` it never ends."""

    kind = JobKind.BACKTEST

    def __init__(self, error: Exception | None = None, *, waits: bool = False) -> None:
        self.started = asyncio.Event()
        self._error = error
        self._waits = waits

    async def run(self, _run: JobRun) -> JobOutcome:
        self.started.set()
        if self._waits:
            await asyncio.Event().wait()
        if self._error is not None:
            raise self._error

        async def store(_transaction: UnitOfWork) -> Sequence[NewEvent]:
            return ()

        return JobOutcome("done", store)


@pytest.fixture
def counts() -> WorkCounts:
    return WorkCounts()


@pytest.fixture
def registry(counts: WorkCounts) -> CollectorRegistry:
    registry = CollectorRegistry()
    JobMetrics(registry, counts)
    return registry


async def queued(database: PostgresDatabase, world: World) -> Job:
    job = Job(new_id(), world.user.id, JobKind.BACKTEST, SystemClock().now())
    async with database.transaction() as transaction:
        await add_job(transaction, job)
    return job


def runner(
    database: PostgresDatabase, handler: Handler, counts: WorkCounts, bus: EmbeddedBus | None = None
) -> JobRunner:
    return JobRunner(database, bus or EmbeddedBus(), SystemClock(), "one", [handler], PATIENT, counts)


async def test_each_end_of_a_job_is_counted_with_its_times(
    database: PostgresDatabase,
    world: World,
    service: JobService,
    bus: EmbeddedBus,
    counts: WorkCounts,
    registry: CollectorRegistry,
) -> None:
    def ended(outcome: str) -> float | None:
        return registry.get_sample_value("r3edge_jobs_ended_total", {"kind": "backtest", "outcome": outcome})

    for error in (None, JobFailed("no"), ZeroDivisionError()):
        await queued(database, world)
        assert await runner(database, Handler(error), counts).work_once()
    again = await queued(database, world)
    assert await runner(database, Handler(Unavailable("away")), counts).work_once()
    waiting = Handler(waits=True)
    async with running(runner(database, waiting, counts, bus).run()):
        await waiting.started.wait()
        await service.cancel(world.user.id, again.id)
        await eventually(lambda: ended("lost"), "the work on the cancelled job ends")
    assert [ended(outcome) for outcome in ("succeeded", "failed", "released", "lost")] == [1, 2, 1, 1]
    kind = {"kind": "backtest"}
    assert registry.get_sample_value("r3edge_job_run_seconds_count", kind) == 5
    assert registry.get_sample_value("r3edge_job_wait_seconds_count", kind) == 5
    assert (registry.get_sample_value("r3edge_job_wait_seconds_sum", kind) or -1) >= 0


async def test_the_queue_is_counted_by_kind_and_status(
    database: PostgresDatabase, world: World, counts: WorkCounts, registry: CollectorRegistry
) -> None:
    def jobs(kind: str, status: str) -> float | None:
        return registry.get_sample_value("r3edge_jobs", {"kind": kind, "status": status})

    monitor = JobQueueMonitor(database, counts)
    assert jobs("backtest", "QUEUED") is None
    for _ in range(3):
        await queued(database, world)
    async with database.transaction() as transaction:
        assert await transaction.jobs.claim((JobKind.BACKTEST,), "a worker", 600)
    await monitor.count()
    assert [jobs("backtest", "QUEUED"), jobs("backtest", "RUNNING"), jobs("report", "QUEUED")] == [2, 1, 0]
    oldest = registry.get_sample_value("r3edge_job_oldest_wait_seconds", {"kind": "backtest"})
    assert oldest is not None
    assert oldest > 0
    assert registry.get_sample_value("r3edge_job_oldest_wait_seconds", {"kind": "report"}) == 0


async def test_the_queue_is_counted_again_after_an_unexpected_error(
    database: PostgresDatabase, counts: WorkCounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = iter([ValueError("a fault")])
    count = JobQueueMonitor.count

    async def fails_at_first(monitor: JobQueueMonitor) -> None:
        if (error := next(failures, None)) is not None:
            raise error
        await count(monitor)

    monkeypatch.setattr(JobQueueMonitor, "count", fails_at_first)
    async with running(JobQueueMonitor(database, counts, every_seconds=0.01).run()):
        await eventually(lambda: counts.open_jobs, "the jobs are counted")


async def test_trials_and_their_candles_are_counted(
    database: PostgresDatabase, world: World, counts: WorkCounts, registry: CollectorRegistry
) -> None:
    optimization = await running_optimization(database, world)
    assert await trial_runner(database, counts=counts).work_once()
    assert await trial_runner(database, pool=FailingPool(ComputationTooLarge()), counts=counts).work_once()
    for outcome in ("succeeded", "failed"):
        assert registry.get_sample_value("r3edge_trials_ended_total", {"outcome": outcome}) == 1
    assert registry.get_sample_value("r3edge_trial_run_seconds_count") == 2
    bars, (fold,) = hourly_walk(), folds_of(optimization)
    candles = bars.index_of(fold.end) - bars.index_of(fold.start)
    assert registry.get_sample_value("r3edge_backtest_candles_total", {"kind": "trial"}) == 2 * candles
