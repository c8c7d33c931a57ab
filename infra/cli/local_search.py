"""Runs the trials of a search in processes of this machine, for a command that has no worker nodes."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from domain.backtest.market_bars import MarketCandles
from domain.core.background import BackgroundTasks
from domain.model.optimizations import Fold, Trial, TrialResult
from domain.optimization.search import Search
from domain.optimization.trial import TrialPlan, answer_trial, trial_call
from domain.ports.parameter_sampler import ParameterSampler
from domain.research.compute_pool import ComputePool


@dataclass(frozen=True, slots=True)
class LocalSearch:
    """A search, and what its trials have in common."""

    search: Search
    plan: TrialPlan
    candles: Sequence[MarketCandles]
    folds: Sequence[Fold]


async def search_locally(
    local: LocalSearch,
    sampler: ParameterSampler,
    pool: ComputePool,
    processes: int,
    on_trial: Callable[[Trial], None] = lambda _trial: None,
) -> list[Trial]:
    """Return all trials by their number, of which up to `processes` run at a time.

    `on_trial` is called with each one that ends. Raises what the compute pool does.
    """
    search = local.search
    trials: dict[int, Trial] = {}
    running: dict[asyncio.Task[TrialResult], int] = {}
    async with BackgroundTasks() as tasks:
        while True:
            while len(trials) < search.size and len(running) < processes:
                number = len(trials)
                parameters = await asyncio.to_thread(search.parameters, number, trials, sampler)
                if parameters is None:
                    break
                trials[number] = Trial(number, search.fold_of(number), parameters)
                call = trial_call(local.plan, local.candles, local.folds[trials[number].fold], parameters)
                running[tasks.start(pool.run(answer_trial, call, lambda _share: None))] = number
            if not running:
                return [trials[number] for number in sorted(trials)]
            done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for ended in done:
                number = running.pop(ended)
                trials[number] = replace(trials[number], result=ended.result())
                on_trial(trials[number])
