"""Stored optimizations of `tests.support.searches`, and runners of their trials."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import TypeVar

from domain.backtest.market_bars import MarketCandles
from domain.jobs.counts import WorkCounts
from domain.jobs.queue import add_job
from domain.model.jobs import Job, JobKind
from domain.model.optimizations import Optimization
from domain.ports.bus import MessageBus
from domain.research.compute_pool import ComputePool, OnProgress
from domain.research.trial_candles import LoadCandles
from domain.research.trial_runner import TrialOptions, TrialRunner
from infra.clock import SystemClock
from infra.embedded.bus import EmbeddedBus
from infra.postgres.database import PostgresDatabase
from infra.tpe_sampler import TpeSampler
from tests.support.searches import OPTIMIZATION, hourly_walk
from tests.support.trading import World, new_id

A = TypeVar("A")
R = TypeVar("R")

QUICK = TrialOptions(lease_seconds=0.6, poll_seconds=0.05)
PATIENT = TrialOptions(lease_seconds=30, poll_seconds=0.05)


async def together(*works: Coroutine[object, object, None]) -> None:
    """Run several until cancelled; then wait for the end of all."""
    await asyncio.gather(*works)


async def walk_of(_optimization: Optimization) -> list[MarketCandles]:
    """Return the walk for any optimization."""
    return [MarketCandles(OPTIMIZATION.market, hourly_walk())]


async def stored_optimization(database: PostgresDatabase, world: World, **changes: object) -> Optimization:
    """Store an optimization with its job, which waits; `changes` are fields of it."""
    optimization = replace(
        OPTIMIZATION,
        id=new_id(),
        user_id=world.user.id,
        job_id=new_id(),
        created_at=SystemClock().now(),
        **changes,  # type: ignore[arg-type]
    )
    job = Job(
        optimization.job_id,
        world.user.id,
        JobKind.OPTIMIZATION,
        optimization.created_at,
        result_type="Optimization",
        result_id=optimization.id,
    )
    async with database.transaction() as transaction:
        await add_job(transaction, job)
        await transaction.optimizations.add(optimization)
    return optimization


async def running_optimization(database: PostgresDatabase, world: World, **changes: object) -> Optimization:
    """Store an optimization whose job a worker has claimed, and whose trials may run."""
    optimization = await stored_optimization(database, world, **changes)
    async with database.transaction() as transaction:
        assert await transaction.jobs.claim((JobKind.OPTIMIZATION,), "a worker", 300)
        await transaction.optimizations.set_prepared(optimization.id)
    return optimization


class ThreadPool:
    """Computes in threads of this process, which start at once."""

    async def run(self, function: Callable[[A, OnProgress], R], argument: A, on_progress: OnProgress) -> R:
        return await asyncio.to_thread(function, argument, on_progress)


class HangingPool:
    """Computes until it is cancelled."""

    def __init__(self) -> None:
        self.started, self.ended = asyncio.Event(), asyncio.Event()

    async def run(self, _function: Callable[[A, OnProgress], R], _argument: A, _on_progress: OnProgress) -> R:
        self.started.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.ended.set()
        raise AssertionError("only a cancellation ends it")


class FailingPool:
    """Fails."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    async def run(self, _function: Callable[[A, OnProgress], R], _argument: A, _on_progress: OnProgress) -> R:
        raise self._error


def trial_runner(
    database: PostgresDatabase,
    name: str = "one",
    bus: MessageBus | None = None,
    load_candles: LoadCandles = walk_of,
    pool: ComputePool | None = None,
    options: TrialOptions = PATIENT,
    counts: WorkCounts | None = None,
) -> TrialRunner:
    return TrialRunner(
        database, bus or EmbeddedBus(), TpeSampler(), load_candles, pool or ThreadPool(), name, options, counts
    )
