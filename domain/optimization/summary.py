"""What the trials of an optimization have found: the best of each fold, and how far it may be luck."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from domain.model.optimizations import Fold, FoldTrials, Trial
from domain.optimization.luck import luck_probability
from domain.optimization.search import best_trial


@dataclass(frozen=True, slots=True)
class FoldSummary:
    """A fold, and its best trial so far; None if no trial has a score.

    `luck_probability` is from 0 to 1; None if there is no best trial, or its returns say nothing.
    """

    fold: Fold
    best: Trial | None
    luck_probability: float | None


def fold_trials(fold: Fold, trials: Sequence[Trial]) -> FoldTrials:
    """Return what the trials of a fold have come to, given those of all folds."""
    of_fold = [trial for trial in trials if trial.fold == fold.number]
    results = [trial.result for trial in of_fold if trial.result is not None]
    sharpes = [result.moments.sharpe for result in results if result.moments is not None]
    return FoldTrials(best_trial(of_fold), len(results), statistics.variance(sharpes) if len(sharpes) > 1 else 0.0)


def fold_summary(fold: Fold, trials: FoldTrials) -> FoldSummary:
    """Return the summary of a fold."""
    best = trials.best
    moments = None if best is None or best.result is None else best.result.moments
    if moments is None:
        return FoldSummary(fold, best, None)
    return FoldSummary(fold, best, luck_probability(moments, trials.ended, trials.sharpe_variance))
