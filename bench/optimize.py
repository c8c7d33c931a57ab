"""A search of 100 trials over a year of 5-minute candles: by one process, by two, and by two nodes with one each.

Each trial is two backtests: on the part of the year that parameters are fitted on, and on the part that judges them.
The time includes the proposals and the start of the processes. All searches must find the same trials. A node is a
runner of trials with its own process and its own connections, which knows of the other by PostgreSQL and the bus alone.
"""

import asyncio
import resource
import sys
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from operator import attrgetter
from typing import Any

import numpy as np

from bench.figures import Figure, report
from bench.parts import database, scratch
from bench.peers.engine_run import a_market
from domain.backtest.bars import Bars
from domain.backtest.market_bars import MarketCandles
from domain.core.background import BackgroundTasks
from domain.indicators.candle_arrays import CandleArrays
from domain.model.definitions import ExitDistance, Sizing, StrategyDefinition, StrategyParameter
from domain.model.markets import Timeframe
from domain.model.optimizations import Optimization, OptimizationObjective, Trial
from domain.optimization.folds import walk_forward_folds
from domain.optimization.search import Search
from domain.optimization.space import search_space
from domain.optimization.trial import TrialPlan
from domain.research.trial_runner import TrialRunner
from domain.rules.costs import TradingCosts
from infra.cli.local_search import LocalSearch, search_locally
from infra.clock import SystemClock
from infra.embedded.bus import EmbeddedBus
from infra.postgres.connection import Connection
from infra.postgres.database import PostgresDatabase
from infra.postgres.pool import create_pool
from infra.runtime.compute_pool import ProcessPool
from infra.tpe_sampler import TpeSampler
from tests.support.optimizations import running_optimization
from tests.support.trading import stored_world

TRIALS, DAYS, FOLDS, NODES = 100, 365, 1, 2
TARGET_SECONDS, TARGET_RATIO = 60.0, 1.7
START = datetime(2024, 1, 1, tzinfo=UTC)
FEE = Decimal("0.001")
DEFINITION = StrategyDefinition(
    Sizing(equity_percent=Decimal(20)),
    (
        StrategyParameter("fast", Decimal(12), Decimal(4), Decimal(60), Decimal(1)),
        StrategyParameter("slow", Decimal(100), Decimal(61), Decimal(400), Decimal(1)),
        StrategyParameter("strength", Decimal(20), Decimal(5), Decimal(40), Decimal(1)),
    ),
    enter_long="crosses_above(ema(close, fast), ema(close, slow)) and adx(14) > strength",
    exit_long="crosses_below(ema(close, fast), ema(close, slow))",
    stop_loss=ExitDistance(percent=Decimal(2)),
)


async def measure(trials: int, days: int) -> None:
    local = _search(trials, days)
    one, two = await _by_processes(local, 1), await _by_processes(local, 2)
    nodes = await _by_nodes(local, trials, days)
    assert one.trials == two.trials
    assert [trial.parameters for trial in one.trials] == [trial.parameters for trial in nodes.trials]
    assert _round_trips(one.trials) == _round_trips(nodes.trials)
    rows: list[list[Any]] = [
        [
            name,
            trials,
            len(local.candles[0].bars),
            _round_trips(run.trials),
            run.used,
            run.seconds,
            trials / run.seconds,
        ]
        for name, run in (("1 process", one), ("2 processes", two), ("2 nodes, 1 process each", nodes))
    ]
    figures = [
        Figure(
            f"{trials} trials of a search over {len(local.candles[0].bars):,} 5-minute candles, by two processes",
            f"{two.seconds:.1f} s",
            f"≤ {TARGET_SECONDS:g} s",
            two.seconds <= TARGET_SECONDS,
        ),
        *(
            Figure(
                f"the same by one process, beside {name}",
                f"{one.seconds / run.seconds:.2f} times as long",
                f"≥ {TARGET_RATIO:g}",
                one.seconds / run.seconds >= TARGET_RATIO,
            )
            for name, run in (("two processes", two), ("two nodes with one process each", nodes))
        ),
    ]
    report(
        "optimize",
        ["by", "trials", "candles", "round trips", "processor s", "seconds", "trials/s"],
        rows,
        figures,
    )


@dataclass(frozen=True, slots=True)
class _Run:
    """The trials of a search, the seconds that they took, and those of the processor in the child processes."""

    trials: list[Trial]
    seconds: float
    used: float


async def _by_processes(local: LocalSearch, processes: int) -> _Run:
    pool = ProcessPool(processes)
    began, used_before = time.perf_counter(), _processor_seconds()
    found = await search_locally(local, TpeSampler(), pool, processes)
    seconds = time.perf_counter() - began
    await pool.close()
    return _Run(found, seconds, _processor_seconds() - used_before)


async def _by_nodes(local: LocalSearch, trials: int, days: int) -> _Run:
    async with scratch() as folder, database(folder) as dsn, AsyncExitStack() as stack:
        bus, pools, databases = EmbeddedBus(), [ProcessPool(1) for _ in range(NODES)], []
        for _ in range(NODES):
            connections = await create_pool(dsn)
            stack.push_async_callback(connections.close)
            databases.append(PostgresDatabase(connections, bus, SystemClock()))
        async with connections.acquire() as connection:
            world = await stored_world(Connection(connection))
        optimization = await running_optimization(
            databases[0],
            world,
            definition=DEFINITION,
            market=local.candles[0].market,
            timeframe=Timeframe.M5,
            period_start=START,
            period_end=START + timedelta(days=days),
            initial_equity=local.plan.initial_equity,
            trials=trials,
            folds=FOLDS,
        )

        async def candles(_optimization: Optimization) -> list[MarketCandles]:
            return list(local.candles)

        began, used_before = time.perf_counter(), _processor_seconds()
        async with BackgroundTasks() as tasks:
            for number, (each, pool) in enumerate(zip(databases, pools, strict=True)):
                tasks.start(TrialRunner(each, bus, TpeSampler(), candles, pool, str(number)).run())
            found = await _ended(databases[0], optimization)
        seconds = time.perf_counter() - began
        for pool in pools:
            await pool.close()
        return _Run(found, seconds, _processor_seconds() - used_before)


async def _ended(database_: PostgresDatabase, optimization: Optimization) -> list[Trial]:
    """Return all trials with their results once they have ended."""
    while True:
        async with database_.read_only() as reading:
            if await reading.optimizations.count_ended(optimization.id) == optimization.trials:
                trials = sorted(await reading.optimizations.trials(optimization.id), key=attrgetter("number"))
                results = await reading.optimizations.results([(optimization.id, trial.number) for trial in trials])
                return [replace(trial, result=results[optimization.id, trial.number]) for trial in trials]
        await asyncio.sleep(0.05)


def _search(trials: int, days: int) -> LocalSearch:
    plan = TrialPlan(
        DEFINITION,
        Timeframe.M5,
        TradingCosts(FEE, FEE),
        Decimal(1_000_000),
        0,
        OptimizationObjective.SHARPE,
    )
    search = Search(search_space(DEFINITION, {}, Timeframe.M5), FOLDS, trials, seed=1)
    folds = walk_forward_folds(START, START + timedelta(days=days), Timeframe.M5, FOLDS)
    return LocalSearch(search, plan, [MarketCandles(a_market(), _walk(days))], folds)


def _walk(days: int) -> Bars:
    """Return the candles of a random walk on a grid of hundredths, each opening at the close before."""
    count, random = days * 288, np.random.default_rng(1)
    close = np.round(60_000 * np.exp(np.cumsum(random.normal(0, 9e-4, count))), 2)
    opened = np.concatenate([[60_000.0], close[:-1]])
    high = np.round(np.maximum(opened, close) + random.lognormal(1, 1, count), 2)
    low = np.round(np.minimum(opened, close) - random.lognormal(1, 1, count), 2)
    volume = np.round(random.lognormal(1, 1, count), 5)
    times = int(START.timestamp()) * 1000 + np.arange(count, dtype=np.int64) * Timeframe.M5.seconds * 1000
    return Bars(Timeframe.M5, times, CandleArrays(opened, high, low, close, volume, gapless=True))


def _processor_seconds() -> float:
    """Return the processor time of the child processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _round_trips(trials: list[Trial]) -> int:
    results = [trial.result for trial in trials if trial.result]
    both = [part for result in results for part in (result.in_sample, result.out_of_sample) if part]
    return sum(metrics.round_trips for metrics in both)


if __name__ == "__main__":
    given = [int(number) for number in sys.argv[1:]]
    asyncio.run(measure(*(given or [TRIALS, DAYS])))
