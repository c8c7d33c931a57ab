"""Decides which parameters each trial of a search has, so that many workers can run trials at the same time.

The folds take turns: of two folds, the first has the even trials. The parameters of a trial follow from the seed and
from the earlier trials of its fold alone, of which the last `WINDOW - 1` count as if they still ran. So the trials are
the same ones, however many workers there are, in whichever order theirs end, and also after a crash.
"""

import hashlib
import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from domain.model.optimizations import Optimization, Trial
from domain.optimization.space import Point, SearchSpace, search_space
from domain.ports.parameter_sampler import ParameterSampler, TriedPoint

WINDOW = 8
"""How many trials of a fold can run at the same time."""
_PROPOSALS = 3
"""How often the sampler is asked for a point that wasn't tried yet, before one is drawn at random."""


@dataclass(frozen=True, slots=True)
class Search:
    """A search of `trials` sets of parameters, of all folds together."""

    space: SearchSpace
    folds: int
    trials: int
    seed: int

    @property
    def size(self) -> int:
        """How many trials there will be: none is tried twice on a fold, so that a small space needs fewer."""
        return min(self.trials, self.folds * (self.space.size + (not self.space.has_first)))

    def fold_of(self, number: int) -> int:
        """Return the fold of a trial."""
        return number % self.folds

    def parameters(
        self, number: int, trials: Mapping[int, Trial], sampler: ParameterSampler
    ) -> Mapping[str, Decimal] | None:
        """Return the parameters of a trial, given the trials before it by their number.

        None as long as it has to wait for the end of one of them. The first trial of each fold has the values that
        the strategy has without a search.
        """
        earlier = range(self.fold_of(number), number, self.folds)
        ended = earlier[: max(len(earlier) - WINDOW + 1, 0)]
        if any(one not in trials for one in earlier) or any(trials[one].result is None for one in ended):
            return None
        if not earlier:
            return dict(self.space.first)
        tried = [self._tried(trials[one], has_ended=one in ended) for one in earlier]
        points = [point for one in earlier if (point := self.space.point_of(trials[one].parameters)) is not None]
        return self.space.values(self._new_point(len(earlier), tried, frozenset(points), sampler))

    def _tried(self, trial: Trial, *, has_ended: bool) -> TriedPoint:
        point = self.space.nearest(trial.parameters)
        return TriedPoint(point, trial.result.score if has_ended and trial.result else None, has_ended)

    def _new_point(
        self, index: int, tried: Sequence[TriedPoint], known: Collection[Point], sampler: ParameterSampler
    ) -> Point:
        """Return a point that is none of the known ones; one beside the steps is told the sampler as the nearest."""
        for attempt in range(_PROPOSALS):
            point = sampler.propose(self.space.counts, tried, _seed(self.seed, index, attempt))
            if point not in known:
                return point
        start = random.Random(_seed(self.seed, index, _PROPOSALS)).randrange(self.space.size)  # noqa: S311  # no secret
        candidates = (self.space.point_at((start + step) % self.space.size) for step in range(self.space.size))
        return next(point for point in candidates if point not in known)


def search_of(optimization: Optimization) -> Search:
    """Return the search of a stored optimization."""
    fixed = {parameter.name: parameter.value for parameter in optimization.parameters}
    space = search_space(optimization.definition, fixed, optimization.timeframe)
    return Search(space, optimization.folds, optimization.trials, optimization.seed)


def best_trial(trials: Sequence[Trial]) -> Trial | None:
    """Return the trial with the highest score, the earliest of equal ones; None if none has any."""
    scored = [trial for trial in trials if trial.result is not None and trial.result.score is not None]
    return max(scored, key=lambda trial: (_score(trial), -trial.number), default=None)


def _score(trial: Trial) -> float:
    assert trial.result is not None
    assert trial.result.score is not None
    return trial.result.score


def _seed(seed: int, index: int, attempt: int) -> int:
    digest = hashlib.sha256(f"{seed} {index} {attempt}".encode()).digest()
    return int.from_bytes(digest[:4])
