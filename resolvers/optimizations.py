"""Optimizations and their trials."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from uuid import UUID

from domain.core.pagination import CursorScope, Page, build_page, page_request
from domain.model.optimizations import FoldTrials, Optimization, Trial, TrialPage, TrialResult
from domain.model.reports import PerformanceMetrics
from domain.model.users import ApiScope, User
from domain.optimization.folds import folds_of
from domain.optimization.summary import FoldSummary, fold_summary
from domain.ports.lists import NoFilter
from domain.research.optimization_service import OptimizationRequest
from resolvers.context import RequestContext
from resolvers.lists import TimeOrder, list_page, owned_by
from resolvers.pagination import PageArguments


class TrialOrder(StrEnum):
    """The order of the trials of an optimization."""

    NUMBER = "NUMBER"
    SCORE = "SCORE"


@dataclass(frozen=True, slots=True)
class StoredTrial:
    """A trial, and the optimization that it is of; its metrics are read when they are asked for."""

    optimization_id: UUID
    trial: Trial


@dataclass(frozen=True, slots=True)
class StoredFold:
    """A fold of an optimization with its best trial."""

    optimization_id: UUID
    summary: FoldSummary

    @property
    def best(self) -> StoredTrial | None:
        """The best trial; None until there is one."""
        return None if self.summary.best is None else StoredTrial(self.optimization_id, self.summary.best)


async def optimizations(
    context: RequestContext, user: User, page: PageArguments, order: TimeOrder = TimeOrder.NEWEST_FIRST
) -> Page[Optimization]:
    """Return a page of the user's optimizations."""
    scope = CursorScope("optimizations", str(user.id))
    return await list_page(context.lists.optimizations, scope, owned_by(user, NoFilter()), page, order)


async def best(context: RequestContext, optimization: Optimization) -> StoredTrial | None:
    """Return the best trial so far of the newest fold."""
    *_, newest = await folds(context, optimization)
    return newest.best


async def folds(context: RequestContext, optimization: Optimization) -> Sequence[StoredFold]:
    """Return the folds with their best trials so far, the oldest first."""
    # The job is read first: beside a status of SUCCEEDED, no trial may be missing.
    await context.loaders.jobs.load(optimization.job_id)
    found = await context.loaders.fold_trials.load(optimization.id)
    return [
        StoredFold(optimization.id, fold_summary(fold, found.get(fold.number, FoldTrials())))
        for fold in folds_of(optimization)
    ]


async def luck_probability(context: RequestContext, optimization: Optimization) -> float | None:
    """Return the probability that the best trial is luck."""
    *_, newest = await folds(context, optimization)
    return newest.summary.luck_probability


async def trials(
    context: RequestContext, optimization: Optimization, page: PageArguments, order: TrialOrder, fold: int | None
) -> Page[StoredTrial]:
    """Return a page of the trials so far, of one fold or of all."""
    scope = CursorScope(f"trials:{order}:{fold}", str(optimization.id))
    request = page_request(scope, page.first, page.after, page.last, page.before)
    after, before = request.numbers()
    selected = TrialPage(request.limit + 1, fold, order is TrialOrder.SCORE, after, before, request.backwards)
    await context.loaders.jobs.load(optimization.job_id)
    async with context.reads.read_only() as reading:
        found = await reading.optimizations.trial_page(optimization.id, selected)

    async def count() -> int:
        async with context.reads.read_only() as reading:
            return await reading.optimizations.count_trials(optimization.id, fold)

    rows = [StoredTrial(optimization.id, trial) for trial in found]
    return replace(build_page(request, rows, lambda stored: (str(stored.trial.number),)), count=count)


async def in_sample(context: RequestContext, stored: StoredTrial) -> PerformanceMetrics | None:
    """Return the metrics of the part that parameters were fitted on; None until the trial has ended."""
    result = await _result(context, stored)
    return None if result is None else result.in_sample


async def out_of_sample(context: RequestContext, stored: StoredTrial) -> PerformanceMetrics | None:
    """Return the metrics of the part that judges; None until the trial has ended."""
    result = await _result(context, stored)
    return None if result is None else result.out_of_sample


async def run(context: RequestContext, request: OptimizationRequest, idempotency_key: str | None) -> Optimization:
    """Request an optimization."""
    user = context.require_user(ApiScope.READ)
    return await context.services.optimizations.run(user.id, request, idempotency_key)


async def _result(context: RequestContext, stored: StoredTrial) -> TrialResult | None:
    return await context.loaders.trial_results.load((stored.optimization_id, stored.trial.number))
