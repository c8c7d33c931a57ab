"""Computes requested optimizations as jobs: it has the trials run by all worker nodes, and waits for their end."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Final

from domain.core.wakeup import Wakeup
from domain.jobs.handler import JobFailed, JobOutcome, JobRun
from domain.model.events import NewEvent
from domain.model.jobs import JobKind
from domain.model.optimizations import FoldTrials, Optimization, OptimizationObjective
from domain.optimization.folds import folds_of
from domain.optimization.objectives import score
from domain.optimization.search import search_of
from domain.optimization.summary import FoldSummary, fold_summary
from domain.ports.bus import MessageBus
from domain.ports.unit_of_work import Database, UnitOfWork
from domain.research.compute_pool import OnProgress
from domain.research.trial_runner import TRIALS_TOPIC

POLL_SECONDS: Final = 0.5

PREPARED: Final = 0.1
"""The progress after the missing candles were fetched."""

PrepareCandles = Callable[[Optimization, OnProgress], Awaitable[Sequence[str]]]
"""Has the candles of an optimization stored, and returns what of them there isn't; see `OptimizationCandles`."""


class OptimizationHandler:
    """See `domain.jobs.handler.JobHandler`. The trials are kept, so that a job that is claimed again goes on."""

    kind = JobKind.OPTIMIZATION

    def __init__(
        self, database: Database, bus: MessageBus, prepare: PrepareCandles, poll_seconds: float = POLL_SECONDS
    ) -> None:
        self._database = database
        self._bus = bus
        self._prepare = prepare
        self._poll_seconds = poll_seconds

    async def run(self, run: JobRun) -> JobOutcome:
        """Wait for the end of all trials of the job's optimization."""
        async with self._database.read_only() as reading:
            optimization = await reading.optimizations.get_for_job(run.job.id)
        if optimization is None:
            raise JobFailed("The optimization is gone.")
        notes = await self._prepare(optimization, lambda share: run.report(PREPARED * share))
        async with self._database.transaction() as transaction:
            await transaction.optimizations.set_prepared(optimization.id)
        await self._bus.publish(TRIALS_TOPIC, b"")
        await self._wait(run, optimization)
        return JobOutcome(" ".join((await self._message(optimization), *notes)), _nothing_to_store)

    async def _wait(self, run: JobRun, optimization: Optimization) -> None:
        size, wakeup = search_of(optimization).size, Wakeup()
        subscription = await self._bus.subscribe(TRIALS_TOPIC, lambda _message: wakeup.set(), wakeup.set)
        try:
            while True:
                wakeup.clear()
                async with self._database.read_only() as reading:
                    ended = await reading.optimizations.count_ended(optimization.id)
                run.report(PREPARED + (1 - PREPARED) * ended / size)
                if ended >= size:
                    return
                await wakeup.wait(self._poll_seconds)
        finally:
            await subscription.close()

    async def _message(self, optimization: Optimization) -> str:
        async with self._database.read_only() as reading:
            count = await reading.optimizations.count_trials(optimization.id)
            newest, found = folds_of(optimization)[-1], await reading.optimizations.fold_trials([optimization.id])
            summary = fold_summary(newest, found[optimization.id].get(newest.number, FoldTrials()))
            if summary.best is not None:
                key = (optimization.id, summary.best.number)
                results = await reading.optimizations.results([key])
                summary = replace(summary, best=replace(summary.best, result=results[key]))
        return f"{count:,} trials. {_best(optimization.objective, summary)}"


async def _nothing_to_store(_transaction: UnitOfWork) -> Sequence[NewEvent]:
    """Store nothing: the trials are."""
    return []


def _best(objective: OptimizationObjective, summary: FoldSummary) -> str:
    name = objective.value.lower().replace("_", " ")
    if summary.best is None or summary.best.result is None:
        return f"None has a {name}: each made no round trip, or the in-sample part is too short for it."
    result = summary.best.result
    judged = None if result.out_of_sample is None else score(objective, result.out_of_sample)
    outside = "none" if judged is None else f"{judged:.4g}"
    found = f"The best is number {summary.best.number}, with a {name} of {result.score:.4g} in sample and {outside} out"
    if summary.luck_probability is None:
        return f"{found}."
    return f"{found}; the probability that it is luck is {summary.luck_probability:.0%}."
