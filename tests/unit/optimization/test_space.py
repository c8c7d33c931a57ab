from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.core.errors import InputErrors
from domain.model.definitions import Sizing, StrategyDefinition, StrategyParameter
from domain.model.markets import Timeframe
from domain.optimization.space import SearchParameter, SearchSpace, search_space

D = Decimal


def a_definition(
    *parameters: StrategyParameter, rule: str = "ema(close, fast) > ema(close, slow)"
) -> StrategyDefinition:
    return StrategyDefinition(Sizing(quote_amount=D(100)), parameters, enter_long=rule)


FAST = StrategyParameter("fast", D(12), D(4), D(20), D(2))
SLOW = StrategyParameter("slow", D(26), D(21), D(60))
FIXED = StrategyParameter("slow", D(26))


def space_of(definition: StrategyDefinition, **fixed: Decimal) -> SearchSpace:
    return search_space(definition, fixed, Timeframe.H1)


def test_values_are_one_step_apart_within_the_bounds() -> None:
    space = space_of(a_definition(FAST, FIXED))
    (fast,) = space.parameters
    assert [fast.value(index) for index in range(fast.count)] == [4, 6, 8, 10, 12, 14, 16, 18, 20]
    assert space.values((0,)) == {"fast": 4, "slow": 26}


def test_a_step_that_does_not_reach_the_end_stops_before_it() -> None:
    (fast,) = space_of(a_definition(StrategyParameter("fast", D(4), D(4), D(20), D(7)), FIXED)).parameters
    assert [fast.value(index) for index in range(fast.count)] == [4, 11, 18]


def test_a_period_without_a_step_moves_in_whole_numbers() -> None:
    space = space_of(a_definition(FAST, SLOW))
    assert space.counts == (9, 40)
    assert space.parameters[1].value(1) == 22


def test_a_number_without_a_step_moves_in_hundredths_of_its_range() -> None:
    level = StrategyParameter("level", D(30), D(10), D(50))
    (found,) = space_of(a_definition(level, rule="rsi(close, 14) < level")).parameters
    assert (found.count, found.value(1), found.value(100)) == (101, D("10.4"), 50)


def test_a_parameter_with_a_given_value_is_not_searched() -> None:
    space = space_of(a_definition(FAST, SLOW), slow=D(30))
    assert [one.name for one in space.parameters] == ["fast"]
    assert space.first == {"fast": 12, "slow": 30}


def test_the_first_trial_has_the_definition_s_own_values() -> None:
    assert space_of(a_definition(FAST, SLOW)).first == {"fast": 12, "slow": 26}


@pytest.mark.parametrize(
    ("definition", "fixed"),
    [
        (a_definition(StrategyParameter("fast", D(12)), FIXED), {}),
        (a_definition(StrategyParameter("fast", D(12), D(4)), FIXED), {}),
        (a_definition(StrategyParameter("fast", D(12), D(12), D(12)), FIXED), {}),
        (a_definition(FAST, FIXED), {"fast": D(10)}),
    ],
)
def test_a_strategy_without_anything_to_search_is_refused(
    definition: StrategyDefinition, fixed: dict[str, Decimal]
) -> None:
    with pytest.raises(InputErrors, match="needs a parameter with min and max"):
        space_of(definition, **fixed)


def test_an_unknown_or_impossible_given_value_is_refused_by_name() -> None:
    with pytest.raises(InputErrors, match=r"no parameter 'fats'; did you mean fast"):
        space_of(a_definition(FAST, SLOW), fats=D(3))
    with pytest.raises(InputErrors, match="must be at most 20"):
        space_of(a_definition(FAST, SLOW), fast=D(21))


def test_a_range_of_too_many_values_is_refused_by_name() -> None:
    level = StrategyParameter("level", D(30), D(10), D(50), D("0.0000001"))
    with pytest.raises(InputErrors, match="The range of level has 400,000,001 values"):
        space_of(a_definition(level, rule="rsi(close, 14) < level"))


@given(st.lists(st.integers(1, 6), min_size=1, max_size=4))
def test_the_points_of_a_space_are_all_different(counts: list[int]) -> None:
    parameters = tuple(SearchParameter(f"p{index}", D(0), D(1), count) for index, count in enumerate(counts))
    space = SearchSpace(parameters, {})
    points = [space.point_at(index) for index in range(space.size)]
    assert len(set(points)) == space.size
    assert all(0 <= position < count for point in points for position, count in zip(point, counts, strict=True))


@given(st.decimals(-100, 100, places=2), st.decimals("0.01", 10, places=2), st.integers(1, 500), st.data())
def test_the_nearest_point_of_a_value_is_the_value_s_own(
    least: Decimal, step: Decimal, count: int, data: st.DataObject
) -> None:
    parameter = SearchParameter("one", least, step, count)
    index = data.draw(st.integers(0, count - 1))
    assert parameter.nearest(parameter.value(index)) == index
