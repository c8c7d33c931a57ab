"""The port of optimizations and their trials, which worker nodes share."""

from collections.abc import Collection, Sequence
from typing import Protocol
from uuid import UUID

from domain.model.optimizations import ClaimedTrial, FoldTrials, Optimization, Trial, TrialPage, TrialResult


class OptimizationRepository(Protocol):
    """Optimizations, and their trials by number. A worker has a trial for as long as it renews the lease."""

    async def add(self, optimization: Optimization) -> None:
        """Insert an optimization whose job has yet to run."""
        ...

    async def get(self, user_id: UUID, optimization_id: UUID) -> Optimization | None:
        """Return an optimization of the user."""
        ...

    async def get_many(self, ids: Sequence[UUID]) -> list[Optimization]:
        """Return the optimizations that exist, in any order (for batches)."""
        ...

    async def get_for_job(self, job_id: UUID) -> Optimization | None:
        """Return the optimization that the job computes."""
        ...

    async def set_prepared(self, optimization_id: UUID) -> None:
        """Let workers run its trials: all the candles that they need are stored."""
        ...

    async def list_running(self) -> list[Optimization]:
        """Return those that are prepared and whose job a worker has claimed, by users with the fewest running trials.

        Of equal users the one whose last trial began the longest time ago comes first, with the oldest optimization.
        """
        ...

    async def trials(self, optimization_id: UUID) -> list[Trial]:
        """Return the trials so far by number; their results are without the metrics of both parts."""
        ...

    async def trial_page(self, optimization_id: UUID, page: TrialPage) -> list[Trial]:
        """Return a page of the trials so far; their results are without the metrics of both parts."""
        ...

    async def count_trials(self, optimization_id: UUID, fold: int | None = None) -> int:
        """Return how many trials there are so far, of one fold or of all."""
        ...

    async def fold_trials(self, ids: Sequence[UUID]) -> dict[UUID, dict[int, FoldTrials]]:
        """Return what the trials of optimizations have come to, by fold; folds without a trial are left out.

        The results of the best ones are without the metrics of both parts.
        """
        ...

    async def count_ended(self, optimization_id: UUID) -> int:
        """Return how many trials have ended."""
        ...

    async def results(self, trials: Sequence[tuple[UUID, int]]) -> dict[tuple[UUID, int], TrialResult]:
        """Return the complete results of trials, by optimization and number, of those that have ended."""
        ...

    async def claim_lapsed(
        self, optimization_id: UUID, worker: str, lease_seconds: float, at_work: Collection[int] = ()
    ) -> ClaimedTrial | None:
        """Claim the first trial that runs and whose worker's lease has expired; none of those `at_work` by number."""
        ...

    async def claim_new(self, optimization_id: UUID, trial: Trial, worker: str, lease_seconds: float) -> bool:
        """Insert a trial that this worker is to run; False if another worker has one of that number."""
        ...

    async def renew(self, optimization_id: UUID, number: int, worker: str, lease_seconds: float) -> bool:
        """Renew the lease of a trial; False if it is no longer this worker's, or its job has ended."""
        ...

    async def release(self, optimization_id: UUID, number: int, worker: str, *, was_tried: bool) -> None:
        """Give a trial back, so that any worker can claim it; an attempt counts only if it `was_tried`."""
        ...

    async def release_all(self) -> int:
        """Give all trials back that run; return how many. For a database that no worker uses yet."""
        ...

    async def delete_old(self, kept: int, limit: int) -> int:
        """Delete optimizations with their jobs that have ended, but for the newest `kept` of each user.

        Returns how many were deleted, `limit` at most.
        """
        ...

    async def finish(self, optimization_id: UUID, number: int, result: TrialResult) -> bool:
        """Store the result of a trial; False if it has one already, which is the same: trials are deterministic."""
        ...
