from collections.abc import Callable, Sequence
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.model.optimizations import Trial, TrialResult
from domain.optimization.search import WINDOW, Search, best_trial
from domain.optimization.space import SearchParameter, SearchSpace
from domain.ports.parameter_sampler import TriedPoint
from infra.tpe_sampler import TpeSampler

D = Decimal


class FirstPoint:
    """A sampler that has but one idea."""

    def propose(self, counts: Sequence[int], tried: Sequence[TriedPoint], seed: int) -> tuple[int, ...]:
        return tuple(0 for _ in counts)


class Hash:
    """A sampler whose proposals depend on all that it is told."""

    def propose(self, counts: Sequence[int], tried: Sequence[TriedPoint], seed: int) -> tuple[int, ...]:
        number = hash((tuple((one.point, one.score, one.has_ended) for one in tried), seed))
        return tuple((number >> 8 * index) % count for index, count in enumerate(counts))


def a_search(trials: int = 30, folds: int = 1, counts: Sequence[int] = (20, 20), seed: int = 0) -> Search:
    parameters = tuple(SearchParameter(f"p{index}", D(0), D(1), count) for index, count in enumerate(counts))
    return Search(SearchSpace(parameters, {one.name: D(1) for one in parameters}), folds, trials, seed)


def hill(trial: Trial) -> float:
    return -float((trial.parameters["p0"] - 13) ** 2 + (trial.parameters["p1"] - 7) ** 2)


def run(
    search: Search,
    workers: int,
    choose: Sequence[int] = (),
    sampler: Hash | TpeSampler | None = None,
    score: Callable[[Trial], float] = hill,
) -> list[Trial]:
    """Run all trials, up to `workers` at a time; `choose` says which of those that run ends next."""
    trials: dict[int, Trial] = {}
    running: list[int] = []
    picks = iter(choose)
    while len(trials) < search.size or running:
        number = len(trials)
        values = None
        if number < search.size and len(running) < workers:
            values = search.parameters(number, trials, sampler or Hash())
        if values is not None:
            trials[number] = Trial(number, search.fold_of(number), values)
            running.append(number)
        else:
            assert running, "every trial waits for another one"
            ended = running.pop(next(picks, 0) % len(running))
            trials[ended] = Trial(
                ended, trials[ended].fold, trials[ended].parameters, TrialResult(score=score(trials[ended]))
            )
    return [trials[number] for number in sorted(trials)]


@settings(max_examples=40)
@given(st.integers(1, 20), st.lists(st.integers(0, 20), max_size=60), st.integers(1, 3))
def test_the_trials_are_the_same_however_many_workers_run_them(workers: int, choose: list[int], folds: int) -> None:
    search = a_search(trials=30, folds=folds)
    assert run(search, workers, choose) == run(search, 1)


def test_as_many_trials_of_a_fold_run_at_a_time_as_the_window_says() -> None:
    search = a_search()
    trials: dict[int, Trial] = {}
    while (values := search.parameters(len(trials), trials, Hash())) is not None:
        trials[len(trials)] = Trial(len(trials), 0, values)
    assert len(trials) == WINDOW


def test_the_first_trial_of_each_fold_has_the_values_without_a_search() -> None:
    trials = run(a_search(trials=9, folds=3), 4)
    assert [trial.parameters for trial in trials[:3]] == [{"p0": 1, "p1": 1}] * 3
    assert [trial.fold for trial in trials] == [0, 1, 2] * 3


def test_nothing_is_tried_twice_on_a_fold_and_a_small_space_is_tried_whole() -> None:
    search = a_search(trials=100, folds=2, counts=(3, 4))
    assert search.size == 24
    trials = run(search, 3, sampler=FirstPoint())  # type: ignore[arg-type]
    for fold in (0, 1):
        points = {tuple(trial.parameters.values()) for trial in trials if trial.fold == fold}
        assert len(points) == 12


def test_another_seed_leads_to_other_trials() -> None:
    assert run(a_search(seed=1), 1) != run(a_search(seed=2), 1)


def test_the_parzen_estimator_comes_nearer_to_the_best_than_it_began() -> None:
    trials = run(a_search(trials=60), 4, sampler=TpeSampler())
    scores = [hill(trial) for trial in trials]
    assert max(scores[30:]) >= max(scores[:10])
    assert sum(scores[30:]) / 30 > sum(scores[:10]) / 10
    assert max(scores) >= -4
    assert trials == run(a_search(trials=60), 2, [1, 0, 1], TpeSampler())


@pytest.mark.parametrize("score", [None, 1.5])
def test_the_parzen_estimator_takes_trials_without_a_score(score: float | None) -> None:
    tried = [TriedPoint((index, 1), None, has_ended=True) for index in range(12)]
    tried += [TriedPoint((13, 1), score, has_ended=True), TriedPoint((14, 1), None, has_ended=False)]
    first, second = TpeSampler().propose((20, 5), tried, 3)
    assert 0 <= first < 20
    assert 0 <= second < 5


def test_the_best_trial_is_the_first_of_those_with_the_highest_score() -> None:
    scores = [None, 1.0, 2.0, 2.0]
    trials = [Trial(number, 0, {}, TrialResult(score=score)) for number, score in enumerate(scores)]
    assert best_trial([*trials, Trial(9, 0, {})]) == trials[2]
    assert best_trial(trials[:1]) is None


@pytest.mark.parametrize("folds", [1, 2])
def test_a_default_between_two_steps_is_tried_first_and_every_step_after_it(folds: int) -> None:
    space = SearchSpace((SearchParameter("p0", D(10), D(3), 4),), {"p0": D(12)})
    search = Search(space, folds, 100, 0)
    assert search.size == 5 * folds
    trials = run(search, 3, sampler=FirstPoint(), score=lambda _trial: 1.0)  # type: ignore[arg-type]
    for fold in range(folds):
        values = [trial.parameters["p0"] for trial in trials if trial.fold == fold]
        assert values[0] == 12
        assert sorted(values) == [10, 12, 13, 16, 19]
