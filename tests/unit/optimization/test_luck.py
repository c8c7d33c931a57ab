import math
import random
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.model.optimizations import ReturnMoments
from domain.optimization.luck import deflated_sharpe, expected_maximum_sharpe, luck_probability, return_moments

DAYS_A_YEAR = 250
ANNUAL_SHARPE, ANNUAL_VARIANCE, DAYS = 2.5, 0.5, 1250


def the_paper_s_strategy(skewness: float = -3, kurtosis: float = 10) -> ReturnMoments:
    return ReturnMoments(DAYS, ANNUAL_SHARPE / math.sqrt(DAYS_A_YEAR), skewness, kurtosis)


def test_the_paper_s_example_of_a_hundred_trials() -> None:
    """Bailey and López de Prado 2014, "A numerical example": SR0 is 0.1132 a day, and the DSR 0.9004."""
    variance = ANNUAL_VARIANCE / DAYS_A_YEAR
    assert expected_maximum_sharpe(100, variance) == pytest.approx(0.1132, abs=5e-5)
    assert deflated_sharpe(the_paper_s_strategy(), 100, variance) == pytest.approx(0.9004, abs=5e-5)


def test_the_paper_s_example_after_forty_six_trials_keeps_a_confidence_of_95_percent() -> None:
    variance = ANNUAL_VARIANCE / DAYS_A_YEAR
    assert deflated_sharpe(the_paper_s_strategy(), 46, variance) == pytest.approx(0.9505, abs=5e-5)


def test_the_paper_s_example_with_normal_returns_allows_for_88_trials() -> None:
    variance = ANNUAL_VARIANCE / DAYS_A_YEAR
    normal = the_paper_s_strategy(skewness=0, kurtosis=3)
    assert deflated_sharpe(normal, 88, variance) == pytest.approx(0.9505, abs=5e-4)


@pytest.mark.parametrize("trials", [2, 10, 50])
def test_the_expected_maximum_is_about_that_of_drawn_sharpe_ratios(trials: int) -> None:
    draw = random.Random(1)
    highest = [max(draw.gauss(0, 0.1) for _ in range(trials)) for _ in range(4_000)]
    assert expected_maximum_sharpe(trials, 0.01) == pytest.approx(statistics.fmean(highest), rel=0.1, abs=0.01)


moments = st.builds(
    lambda days, sharpe, skewness, excess: ReturnMoments(days, sharpe, skewness, 1 + skewness**2 + excess),
    st.integers(10, 5_000),
    st.floats(-3, 3),
    st.floats(-5, 5),
    st.floats(0, 50),
)


@given(moments, st.integers(1, 10_000), st.floats(0, 1))
def test_it_is_a_probability(best: ReturnMoments, trials: int, variance: float) -> None:
    assert 0 <= deflated_sharpe(best, trials, variance) <= 1


@given(moments, st.integers(1, 10_000), st.integers(1, 10_000), st.floats(0, 1))
def test_more_trials_never_make_the_best_more_believable(
    best: ReturnMoments, few: int, more: int, variance: float
) -> None:
    assert deflated_sharpe(best, few + more, variance) <= deflated_sharpe(best, few, variance) + 1e-12


@given(moments, st.floats(0.001, 1), st.integers(2, 1_000))
def test_one_trial_is_judged_without_deflation(best: ReturnMoments, variance: float, trials: int) -> None:
    assert expected_maximum_sharpe(1, variance) == 0
    assert expected_maximum_sharpe(trials, 0) == 0
    assert deflated_sharpe(best, 1, variance) == deflated_sharpe(best, trials, 0)


def test_the_best_of_pure_noise_is_likely_luck() -> None:
    draw = random.Random(3)
    tried = [return_moments([draw.gauss(0, 0.01) for _ in range(365)]) for _ in range(200)]
    known = [one for one in tried if one is not None]
    best = max(known, key=lambda one: one.sharpe)
    sharpes = [one.sharpe for one in known]
    assert best.sharpe * math.sqrt(365) > 2  # it looks like a find
    assert luck_probability(best, len(tried), statistics.variance(sharpes)) > 0.3
    assert luck_probability(best, 1, 0.0) < 0.02  # as it would without the others


def test_moments_of_returns() -> None:
    returns = [0.01, -0.02, 0.03, 0.0, 0.01, -0.01, 0.02, -0.03, 0.04, 0.0]
    found = return_moments(returns)
    assert found is not None
    mean, spread = statistics.fmean(returns), statistics.pstdev(returns)
    assert found.days == 10
    assert found.sharpe == pytest.approx(mean / statistics.stdev(returns))
    assert found.skewness == pytest.approx(statistics.fmean((one - mean) ** 3 for one in returns) / spread**3)
    assert found.kurtosis == pytest.approx(statistics.fmean((one - mean) ** 4 for one in returns) / spread**4)


@pytest.mark.parametrize("returns", [[], [0.01] * 9, [0.01] * 30, [0.0] * 30])
def test_too_few_or_equal_returns_have_no_moments(returns: list[float]) -> None:
    assert return_moments(returns) is None
