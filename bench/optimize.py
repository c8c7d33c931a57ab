"""A search of 100 trials over a year of 5-minute candles, by one process and by two.

Each trial is two backtests: on the part of the year that parameters are fitted on, and on the part that judges them.
The time includes the proposals and the start of the processes. Both searches must find the same trials.
"""

import asyncio
import resource
import sys
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np

from bench.figures import Figure, report
from bench.peers.engine_run import a_market
from domain.backtest.bars import Bars
from domain.indicators.candle_arrays import CandleArrays
from domain.model.definitions import ExitDistance, Sizing, StrategyDefinition, StrategyParameter
from domain.model.markets import Timeframe
from domain.model.optimizations import OptimizationObjective, Trial
from domain.optimization.folds import walk_forward_folds
from domain.optimization.search import Search
from domain.optimization.space import search_space
from domain.optimization.trial import TrialPlan
from domain.rules.costs import TradingCosts
from infra.cli.local_search import LocalSearch, search_locally
from infra.runtime.compute_pool import ProcessPool
from infra.tpe_sampler import TpeSampler

TRIALS, DAYS, FOLDS = 100, 365, 1
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
    seconds, used, found = {}, {}, {}
    for processes in (1, 2):
        pool = ProcessPool(processes)
        began, used_before = time.perf_counter(), _processor_seconds()
        found[processes] = await search_locally(local, TpeSampler(), pool, processes)
        seconds[processes] = time.perf_counter() - began
        await pool.close()
        used[processes] = _processor_seconds() - used_before
    assert found[1] == found[2]
    rows: list[list[Any]] = [
        [processes, trials, len(local.bars), _round_trips(found[processes]), used[processes], taken, trials / taken]
        for processes, taken in seconds.items()
    ]
    ratio = seconds[1] / seconds[2]
    figures = [
        Figure(
            f"{trials} trials of a search over {len(local.bars):,} 5-minute candles, by two processes",
            f"{seconds[2]:.1f} s",
            f"≤ {TARGET_SECONDS:g} s",
            seconds[2] <= TARGET_SECONDS,
        ),
        Figure("the same by one process", f"{ratio:.2f} times as long", f"≥ {TARGET_RATIO:g}", ratio >= TARGET_RATIO),
    ]
    report(
        "optimize",
        ["processes", "trials", "candles", "round trips", "processor s", "seconds", "trials/s"],
        rows,
        figures,
    )


def _search(trials: int, days: int) -> LocalSearch:
    plan = TrialPlan(
        DEFINITION,
        a_market(),
        Timeframe.M5,
        TradingCosts(FEE, FEE),
        Decimal(1_000_000),
        0,
        OptimizationObjective.SHARPE,
    )
    search = Search(search_space(DEFINITION, {}, Timeframe.M5), FOLDS, trials, seed=1)
    folds = walk_forward_folds(START, START + timedelta(days=days), Timeframe.M5, FOLDS)
    return LocalSearch(search, plan, _walk(days), folds)


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
