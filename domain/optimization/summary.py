"""What the trials of an optimization have found: the best of each fold, and how far it may be luck."""

from collections.abc import Sequence
from dataclasses import dataclass

from domain.model.optimizations import Fold, Trial
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


def fold_summary(fold: Fold, trials: Sequence[Trial]) -> FoldSummary:
    """Return the summary of a fold, given the trials of all folds."""
    results = [trial.result for trial in trials if trial.fold == fold.number and trial.result is not None]
    best = best_trial([trial for trial in trials if trial.fold == fold.number])
    moments = None if best is None or best.result is None else best.result.moments
    if moments is None:
        return FoldSummary(fold, best, None)
    sharpes = [result.moments.sharpe for result in results if result.moments is not None]
    return FoldSummary(fold, best, luck_probability(moments, sharpes, len(results)))
