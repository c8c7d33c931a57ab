"""Runs trials of all optimizations on a worker node, beside the runners of other nodes."""

import asyncio
import logging
from contextlib import suppress
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from domain.core.background import BackgroundTasks
from domain.core.errors import Unavailable
from domain.core.wakeup import Wakeup
from domain.jobs.counts import WorkCounts, WorkEnd
from domain.jobs.handler import JobFailed
from domain.model.optimizations import ClaimedTrial, Optimization, Trial, TrialResult
from domain.optimization.folds import folds_of
from domain.optimization.search import search_of
from domain.optimization.trial import answer_trial, trial_call, trial_plan
from domain.ports.bus import MessageBus
from domain.ports.parameter_sampler import ParameterSampler
from domain.ports.unit_of_work import Database
from domain.research.compute_pool import ComputationCrashed, ComputationEnded, ComputePool
from domain.research.trial_candles import LoadCandles, TrialCandles

TRIALS_TOPIC: Final = "trials"
"""Where runners and jobs learn that a trial has ended, or that there are new ones (an empty message)."""
MOST_ATTEMPTS: Final = 3
"""A trial that has ended this many workers isn't given to another one."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TrialOptions:
    """How a runner works: `slots` trials at a time, whose leases it renews three times before they lapse.

    Messages wake it; it polls for trials whose workers are gone, and for what a lost message was about.
    """

    slots: int = 1
    lease_seconds: float = 15.0
    poll_seconds: float = 3.0


class TrialRunner:
    """Claims trials and runs them until cancelled; if a node dies, others claim its trial after the lease."""

    def __init__(
        self,
        database: Database,
        bus: MessageBus,
        sampler: ParameterSampler,
        load_candles: LoadCandles,
        pool: ComputePool,
        name: str,
        options: TrialOptions | None = None,
        counts: WorkCounts | None = None,
    ) -> None:
        self._database = database
        self._bus = bus
        self._sampler = sampler
        self._candles = TrialCandles(load_candles)
        self._pool = pool
        self._name = name
        self._options = options or TrialOptions()
        self._counts = counts or WorkCounts()
        self._wakeups = [Wakeup() for _ in range(self._options.slots)]
        self._at_work: set[tuple[UUID, int]] = set()
        """The optimization and number of each trial that runs here, of all slots."""

    async def run(self) -> None:
        """Run trials until cancelled; those that then run are given back."""
        subscription = await self._bus.subscribe(TRIALS_TOPIC, lambda _message: self._wake(), self._wake)
        try:
            async with BackgroundTasks() as slots:
                await asyncio.gather(*(slots.start(self._run_slot(wakeup)) for wakeup in self._wakeups))
        finally:
            await subscription.close()

    async def _run_slot(self, wakeup: Wakeup) -> None:
        while True:
            wakeup.clear()
            if not await self.work_once():
                await wakeup.wait(self._options.poll_seconds)

    def _wake(self) -> None:
        for wakeup in self._wakeups:
            wakeup.set()

    async def work_once(self) -> bool:
        """Run a trial; False if there is none to run at this moment, or the database is unreachable."""
        try:
            async with self._database.read_only() as reading:
                running = await reading.optimizations.list_running()
            self._candles.keep({optimization.id for optimization in running})
            for optimization in running:
                claimed = await self._claim(optimization)
                if claimed is not None:
                    await self._work(optimization, claimed)
                    return True
        except Unavailable:
            log.debug("the database is unreachable")
        return False

    async def _claim(self, optimization: Optimization) -> ClaimedTrial | None:
        """Claim the trial of a worker that is gone, or the next one; None if that waits for others, or all have run.

        A trial whose lease lapsed while this node stood still, and that still runs here, is left alone.
        """
        lease = self._options.lease_seconds
        async with self._database.transaction() as transaction:
            lapsed = await transaction.optimizations.claim_lapsed(
                optimization.id,
                self._name,
                lease,
                [number for optimization_id, number in self._at_work if optimization_id == optimization.id],
            )
        if lapsed is not None:
            return lapsed
        search = search_of(optimization)
        while True:
            async with self._database.read_only() as reading:
                trials = {trial.number: trial for trial in await reading.optimizations.trials(optimization.id)}
            number = len(trials)
            if number >= search.size:
                return None
            parameters = await asyncio.to_thread(search.parameters, number, trials, self._sampler)
            if parameters is None:
                return None
            trial = Trial(number, search.fold_of(number), parameters)
            async with self._database.transaction() as transaction:
                if await transaction.optimizations.claim_new(optimization.id, trial, self._name, lease):
                    return ClaimedTrial(trial)

    async def _work(self, optimization: Optimization, claimed: ClaimedTrial) -> None:
        """Run the trial for as long as this worker holds its lease, and its job runs."""
        number, started, end = claimed.trial.number, asyncio.get_running_loop().time(), WorkEnd.LOST
        key = (optimization.id, number)
        if key in self._at_work:
            return  # claimed by two slots at once, around a standstill; both leases are this worker's
        self._at_work.add(key)
        try:
            async with BackgroundTasks() as tasks:
                work = tasks.start(self._process(optimization, claimed))
                lease = tasks.start(self._keep_lease(optimization.id, number))
                await asyncio.wait([work, lease], return_when=asyncio.FIRST_COMPLETED)
                if work.done() and work.exception() is None:
                    end = work.result()
        except asyncio.CancelledError:
            end = WorkEnd.RELEASED
            await self._release(optimization.id, number, was_tried=False)
            raise
        finally:
            self._at_work.discard(key)
            self._counts.count_trial(end, asyncio.get_running_loop().time() - started)

    async def _process(self, optimization: Optimization, claimed: ClaimedTrial) -> WorkEnd:
        result = await self._result(optimization, claimed)
        if result is None:
            return WorkEnd.RELEASED
        while True:
            # While the database is unreachable it is tried again: what was computed isn't thrown away.
            with suppress(Unavailable):
                async with self._database.transaction() as transaction:
                    await transaction.optimizations.finish(optimization.id, claimed.trial.number, result)
                break
            await asyncio.sleep(self._options.poll_seconds)
        await self._bus.publish(TRIALS_TOPIC, b"")
        return WorkEnd.SUCCEEDED if result.message is None else WorkEnd.FAILED

    async def _result(self, optimization: Optimization, claimed: ClaimedTrial) -> TrialResult | None:
        """Return the result; None if the trial was given back."""
        trial = claimed.trial
        if claimed.attempts > MOST_ATTEMPTS:
            log.error("trial %d of optimization %s has ended %d workers", trial.number, optimization.id, MOST_ATTEMPTS)
            return TrialResult(message="The trial was given up: each worker that ran it came to an end.")
        try:
            candles, fold = await self._candles.read(optimization), folds_of(optimization)[trial.fold]
            call = trial_call(trial_plan(optimization), candles, fold, trial.parameters)
            self._counts.candles["trial"] += sum(one.count(fold.start, fold.end) for one in candles)
            return await self._pool.run(answer_trial, call, lambda _share: None)
        except Unavailable:
            await self._release(optimization.id, trial.number, was_tried=False)
        except ComputationCrashed:
            log.warning("the process of trial %d of optimization %s has ended", trial.number, optimization.id)
            await self._release(optimization.id, trial.number, was_tried=True)
        except JobFailed as error:
            return TrialResult(message=str(error))
        except ComputationEnded as error:
            return TrialResult(message=error.explain("The trial"))
        except Exception:
            log.exception("trial %d of optimization %s could not be run", trial.number, optimization.id)
            return TrialResult(message="The trial could not be run: a fault of the engine, which its log describes.")
        return None

    async def _release(self, optimization_id: UUID, number: int, *, was_tried: bool) -> None:
        """Give the trial back, if the database can be reached; otherwise its lease lapses."""
        with suppress(Unavailable):
            async with self._database.transaction() as transaction:
                await transaction.optimizations.release(optimization_id, number, self._name, was_tried=was_tried)

    async def _keep_lease(self, optimization_id: UUID, number: int) -> None:
        """Renew the lease in time; return once the trial is no longer this worker's, or its job has ended."""
        lease = self._options.lease_seconds
        while True:
            await asyncio.sleep(lease / 3)
            with suppress(Unavailable):
                async with self._database.transaction() as transaction:
                    if not await transaction.optimizations.renew(optimization_id, number, self._name, lease):
                        return
