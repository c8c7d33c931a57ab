"""Moments of returns of which some count more than others."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.optimization.luck import return_moments
from domain.recommendations.moments import bar_returns, weighted_moments

RETURN = st.floats(-0.2, 0.2)
RETURNS = st.lists(RETURN, min_size=12, max_size=40).filter(lambda values: float(np.std(values)) > 1e-6)


@given(returns=RETURNS)
def test_equal_weights_are_none(returns: list[float]) -> None:
    plain = return_moments(returns)
    weighted = weighted_moments(np.array(returns), np.full(len(returns), 0.25))
    assert plain is not None
    assert weighted is not None
    assert weighted.days in {plain.days, plain.days - 1}  # which a rounding error may cost
    sample = ((len(returns) - 1) / len(returns)) ** 0.5
    assert weighted.sharpe * sample == pytest.approx(plain.sharpe, abs=1e-6)
    assert weighted.skewness == pytest.approx(plain.skewness, abs=1e-4)
    assert weighted.kurtosis == pytest.approx(plain.kurtosis, rel=1e-4)


@given(returns=RETURNS, others=st.lists(RETURN, max_size=9))
def test_what_has_no_weight_does_not_count(returns: list[float], others: list[float]) -> None:
    weights = np.array([1.0] * len(returns) + [0.0] * len(others))
    one = weighted_moments(np.array([*returns, *others]), weights)
    two = weighted_moments(np.array(returns))
    assert one is not None
    assert two is not None
    assert one.days == two.days
    assert one.sharpe == pytest.approx(two.sharpe, abs=1e-9)


@given(returns=RETURNS)
def test_a_weight_of_two_is_a_return_twice_in_a_smaller_sample(returns: list[float]) -> None:
    weights = np.array([2.0, *[1.0] * (len(returns) - 1)])
    weighted = weighted_moments(np.array(returns), weights)
    doubled = weighted_moments(np.array([returns[0], *returns]))
    assert weighted is not None
    assert doubled is not None
    assert weighted.sharpe == pytest.approx(doubled.sharpe, abs=1e-9)
    assert weighted.kurtosis == pytest.approx(doubled.kurtosis, rel=1e-6)
    assert weighted.days <= doubled.days


def test_of_returns_that_do_not_differ_there_are_no_moments() -> None:
    for returns in ([], [0.1], [0.0] * 50, [0.01] * 50):
        assert weighted_moments(np.array(returns)) is None
    assert weighted_moments(np.array([0.1, 0.2]), np.zeros(2)) is None


def test_returns_are_the_steps_of_the_index() -> None:
    assert bar_returns([1.0, 1.1, 0.55, 0.0, 0.0]).tolist() == pytest.approx([0.1, -0.5, -1.0, 0.0])
    assert bar_returns([1.0]).tolist() == []
