"""The search space: which of a definition's parameters are searched, and the values that each may have."""

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal

from domain.core.errors import ErrorCode, InputError, InputErrors
from domain.core.money import EXACT
from domain.model.definitions import StrategyDefinition, StrategyParameter
from domain.model.markets import Timeframe
from domain.strategies.compiled import CompiledStrategy, compile_definition

Point = tuple[int, ...]
"""A place in a search space: the index of the value of each searched parameter, in order."""

DEFAULT_VALUES = 100
"""Into how many steps at most a range is cut whose parameter has no step."""
MAXIMUM_VALUES = 1_000_000
_HALF = Decimal("0.5")


@dataclass(frozen=True, slots=True)
class SearchParameter:
    """A parameter that is searched: `count` values from `least` on, one `step` apart."""

    name: str
    least: Decimal
    step: Decimal
    count: int

    def value(self, index: int) -> Decimal:
        """Return the value at an index from 0 to below `count`."""
        return EXACT.add(self.least, EXACT.multiply(self.step, index))

    def nearest(self, value: Decimal) -> int:
        """Return the index of the value that is nearest."""
        steps = EXACT.divide(EXACT.subtract(value, self.least), self.step)
        return min(max(int(steps.to_integral_value(ROUND_HALF_EVEN)), 0), self.count - 1)


@dataclass(frozen=True, slots=True)
class SearchSpace:
    """The parameters that are searched, at least one; `first` are the values that the first trial has."""

    parameters: tuple[SearchParameter, ...]
    first: Mapping[str, Decimal]

    @property
    def size(self) -> int:
        """How many points there are."""
        return math.prod(self.counts)

    @property
    def counts(self) -> Point:
        """How many values each parameter has."""
        return tuple(parameter.count for parameter in self.parameters)

    def values(self, point: Sequence[int]) -> dict[str, Decimal]:
        """Return the values of all parameters at a point, those that aren't searched included."""
        return {**self.first, **{one.name: one.value(index) for one, index in zip(self.parameters, point, strict=True)}}

    def nearest(self, values: Mapping[str, Decimal]) -> Point:
        """Return the point that is nearest to values."""
        return tuple(parameter.nearest(values[parameter.name]) for parameter in self.parameters)

    def point_of(self, values: Mapping[str, Decimal]) -> Point | None:
        """Return the point that has these values; None if one of them is beside the steps."""
        point = self.nearest(values)
        return point if self.values(point) == values else None

    @property
    def has_first(self) -> bool:
        """Whether the values of the first trial are a point; a default may lie between two steps."""
        return self.point_of(self.first) is not None

    def point_at(self, index: int) -> Point:
        """Return a point by its index from 0 to below `size`."""
        point = []
        for count in reversed(self.counts):
            index, position = divmod(index, count)
            point.append(position)
        return tuple(reversed(point))


def search_space(definition: StrategyDefinition, fixed: Mapping[str, Decimal], timeframe: Timeframe) -> SearchSpace:
    """Return the space of the parameters with both a `min` and a `max`, apart from those with a `fixed` value.

    Values are `step` apart; without one, whole numbers if the rules take no others, else a hundredth of the range.
    Raises `InputErrors`: what `compile_definition` does, and INVALID at `parameters` if there is nothing to search.
    """
    first = dict(compile_definition(definition, fixed, timeframe).parameters)
    searched = []
    for parameter in definition.parameters:
        low, high = parameter.min, parameter.max
        if parameter.name in fixed or low is None or high is None or low == high:
            continue
        step = parameter.step or _default_step(definition, first, parameter, timeframe)
        count = int(EXACT.divide(EXACT.subtract(high, low), step)) + 1
        if count > MAXIMUM_VALUES:
            message = f"The range of {parameter.name} has {count:,} values; at most {MAXIMUM_VALUES:,} can be searched."
            raise InputErrors([InputError(ErrorCode.INVALID, message, ("parameters", parameter.name))])
        if count > 1:
            searched.append(SearchParameter(parameter.name, low, step, count))
    if not searched:
        message = (
            "There is nothing to search: the strategy needs a parameter with min and max, and without a fixed value."
        )
        raise InputErrors([InputError(ErrorCode.INVALID, message, ("parameters",))])
    return SearchSpace(tuple(searched), first)


def strategies_at_ends(
    definition: StrategyDefinition, space: SearchSpace, timeframe: Timeframe
) -> list[CompiledStrategy]:
    """Return the strategies whose candles suffice for the trials: those at either end of each parameter's range.

    In between a trial may need more; it then begins to signal a little later.
    """
    ends = [space.values([0] * len(space.parameters)), space.values([count - 1 for count in space.counts])]
    for parameter in space.parameters:
        ends += [{**space.first, parameter.name: parameter.value(index)} for index in (0, parameter.count - 1)]
    found = []
    for values in (space.first, *ends):
        with suppress(InputErrors):
            found.append(compile_definition(definition, values, timeframe))
    return found


def _default_step(
    definition: StrategyDefinition, first: Mapping[str, Decimal], parameter: StrategyParameter, timeframe: Timeframe
) -> Decimal:
    """Return 1 for a parameter that must be whole, such as a period; else a hundredth of its range at most."""
    assert parameter.min is not None
    assert parameter.max is not None
    span = EXACT.subtract(parameter.max, parameter.min)
    if span >= 1 and not _takes_fractions(definition, first, parameter, timeframe):
        return Decimal(1)
    return EXACT.divide(span, Decimal(DEFAULT_VALUES))


def _takes_fractions(
    definition: StrategyDefinition, first: Mapping[str, Decimal], parameter: StrategyParameter, timeframe: Timeframe
) -> bool:
    assert parameter.min is not None
    value = EXACT.add(parameter.min.to_integral_value(), _HALF)
    if value < parameter.min:
        value = EXACT.add(value, Decimal(1))
    try:
        compile_definition(definition, {**first, parameter.name: value}, timeframe)
    except InputErrors:
        return False
    return True
