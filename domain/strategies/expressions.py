"""The expression tree of a rule: each node knows its warm-up and computes itself over a series.

Nodes compare by value, not by their place in the rule, so an evaluation computes what two rules share once.
A condition's series holds 1.0 and 0.0; NaN, in both kinds, means that there is no value.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import ClassVar, Protocol

import numpy as np

from domain.indicators.candle_arrays import CandleArrays, Floats
from domain.indicators.catalogue import IndicatorDefinition
from domain.indicators.compute import compute
from domain.indicators.warmup import warm_up

TOLERANCE = 1e-9
"""Numbers whose difference is at most this fraction of the greater compare as equal.

A window and a long history agree to 1e-9 and no better, so without it the two could differ when two series touch.
"""
_NOISE = 1e-12


class Node:
    """A node of a rule's tree; `is_condition` is whether it is true or false rather than a number."""

    is_condition: ClassVar[bool] = False

    @property
    def warm_up(self) -> int:
        """How many bars come before the first value that is right."""
        return 0

    def compute(self, evaluation: "EvaluationContext") -> Floats:
        """Return the value at each bar of the evaluation's candles."""
        return self.outputs(evaluation)[0]

    def outputs(self, evaluation: "EvaluationContext") -> tuple[Floats, ...]:
        """Return the values of each output; all nodes but indicators have one. A node defines this or `compute`."""
        return (self.compute(evaluation),)


class EvaluationContext(Protocol):
    """What a node computes with: the candles, and the outputs of its child nodes."""

    candles: CandleArrays

    def outputs(self, node: Node) -> tuple[Floats, ...]:
        """Return the outputs of `node` over the candles, computed once."""
        ...


@dataclass(frozen=True, slots=True)
class Number(Node):
    """A constant: a literal, or the value of a parameter."""

    value: float

    def compute(self, evaluation: EvaluationContext) -> Floats:
        """Return the number at each bar."""
        return np.full(len(evaluation.candles), self.value)


@dataclass(frozen=True, slots=True)
class Price(Node):
    """A price or volume series of the candles, by its name in the rule language."""

    name: str

    def compute(self, evaluation: EvaluationContext) -> Floats:
        """Return the series, one number for each bar."""
        return evaluation.candles.series(self.name)


@dataclass(frozen=True, slots=True)
class Negation(Node):
    """The number with its sign turned."""

    operand: Node

    @property
    def warm_up(self) -> int:
        """The operand's warm-up."""
        return self.operand.warm_up

    def compute(self, evaluation: EvaluationContext) -> Floats:
        """Return the negative at each bar."""
        return -evaluation.outputs(self.operand)[0]


@dataclass(frozen=True, slots=True)
class Arithmetic(Node):
    """Two numbers and one of the signs of `ARITHMETIC`, or of minimum and maximum."""

    sign: str
    left: Node
    right: Node

    @property
    def warm_up(self) -> int:
        """The longer warm-up of the two operands."""
        return max(self.left.warm_up, self.right.warm_up)

    def compute(self, evaluation: EvaluationContext) -> Floats:
        """Return the result at each bar, NaN if it isn't a finite number."""
        return arithmetic(self.sign, evaluation.outputs(self.left)[0], evaluation.outputs(self.right)[0])


@dataclass(frozen=True, slots=True)
class Absolute(Node):
    """The number without its sign."""

    operand: Node

    @property
    def warm_up(self) -> int:
        """The operand's warm-up."""
        return self.operand.warm_up

    def compute(self, evaluation: EvaluationContext) -> Floats:
        """Return the absolute value at each bar."""
        return np.abs(evaluation.outputs(self.operand)[0])


@dataclass(frozen=True, slots=True)
class Shift(Node):
    """The number that was there `bars` ago."""

    operand: Node
    bars: int

    @property
    def warm_up(self) -> int:
        """The operand's warm-up, and `bars` more."""
        return self.operand.warm_up + self.bars

    def compute(self, evaluation: EvaluationContext) -> Floats:
        """Return the earlier value at each bar, NaN at the first ones."""
        return shifted(evaluation.outputs(self.operand)[0], self.bars)


@dataclass(frozen=True, slots=True)
class Change(Node):
    """The difference to the number `bars` ago; a node of its own, or its operand would occur twice in the tree."""

    operand: Node
    bars: int

    @property
    def warm_up(self) -> int:
        """The operand's warm-up, and `bars` more."""
        return self.operand.warm_up + self.bars

    def compute(self, evaluation: EvaluationContext) -> Floats:
        """Return the difference at each bar, NaN at the first ones."""
        now = evaluation.outputs(self.operand)[0]
        return arithmetic("-", now, shifted(now, self.bars))


@dataclass(frozen=True, slots=True)
class IndicatorCall(Node):
    """All outputs of a function of TA-Lib over given series; `values` are of its parameters, in order."""

    definition: IndicatorDefinition
    inputs: tuple[Node, ...]
    values: tuple[float, ...]

    @property
    def own_warm_up(self) -> int:
        """The bars of right input that the function needs before its first right value."""
        return warm_up(self.definition, self.values)

    @property
    def warm_up(self) -> int:
        """The longest of the inputs', and the function's own."""
        return self.own_warm_up + max(node.warm_up for node in self.inputs)

    def outputs(self, evaluation: EvaluationContext) -> tuple[Floats, ...]:
        """Return each output at each bar, NaN until it is right."""
        inputs = [np.ascontiguousarray(evaluation.outputs(node)[0]) for node in self.inputs]
        return compute(self.definition, inputs, self.values, self.own_warm_up)


@dataclass(frozen=True, slots=True)
class Output(Node):
    """One output of an indicator; `place` is its index in the order of the indicator's definition."""

    call: IndicatorCall
    place: int

    @property
    def warm_up(self) -> int:
        """The warm-up of the indicator call, which is the same for all of its outputs."""
        return self.call.warm_up

    def compute(self, evaluation: EvaluationContext) -> Floats:
        """Return the output at each bar."""
        return evaluation.outputs(self.call)[self.place]


@dataclass(frozen=True, slots=True)
class Comparison(Node):
    """Two numbers and one of the signs of `COMPARISONS`."""

    is_condition: ClassVar[bool] = True
    sign: str
    left: Node
    right: Node

    @property
    def warm_up(self) -> int:
        """The longer warm-up of the two operands."""
        return max(self.left.warm_up, self.right.warm_up)

    def compute(self, evaluation: EvaluationContext) -> Floats:
        """Return whether it holds at each bar."""
        order = compare(evaluation.outputs(self.left)[0], evaluation.outputs(self.right)[0])
        return np.where(np.isnan(order), np.nan, COMPARISONS[self.sign](order))


@dataclass(frozen=True, slots=True)
class Cross(Node):
    """Whether the left number is on the other side of the right one since this bar; `direction` 1 is above."""

    is_condition: ClassVar[bool] = True
    direction: int
    left: Node
    right: Node

    @property
    def warm_up(self) -> int:
        """The longer of the two, and the bar before."""
        return max(self.left.warm_up, self.right.warm_up) + 1

    def compute(self, evaluation: EvaluationContext) -> Floats:
        """Return whether it crossed at each bar: beyond now, and not beyond on the bar before."""
        now = self.direction * compare(evaluation.outputs(self.left)[0], evaluation.outputs(self.right)[0])
        before = shifted(now, 1)
        return np.where(np.isnan(now + before), np.nan, (now > 0) & (before <= 0))


@dataclass(frozen=True, slots=True)
class BooleanOperation(Node):
    """Several conditions, all (`and`) or any (`or`) of which must hold; without a value if one of them has none."""

    is_condition: ClassVar[bool] = True
    operator: str
    operands: tuple[Node, ...]

    @property
    def warm_up(self) -> int:
        """The longest warm-up of all operands."""
        return max(node.warm_up for node in self.operands)

    def compute(self, evaluation: EvaluationContext) -> Floats:
        """Return whether they hold at each bar."""
        join = np.minimum if self.operator == "and" else np.maximum
        return reduce(join, (evaluation.outputs(node)[0] for node in self.operands))


@dataclass(frozen=True, slots=True)
class Not(Node):
    """The opposite of a condition."""

    is_condition: ClassVar[bool] = True
    operand: Node

    @property
    def warm_up(self) -> int:
        """The operand's warm-up."""
        return self.operand.warm_up

    def compute(self, evaluation: EvaluationContext) -> Floats:
        """Return whether the operand doesn't hold, at each bar."""
        return 1.0 - evaluation.outputs(self.operand)[0]


def arithmetic(sign: str, left: Floats, right: Floats) -> Floats:
    """Return the numbers joined by `sign`, NaN if the result isn't a finite number."""
    with np.errstate(all="ignore"):
        result = ARITHMETIC[sign](left, right)
    return np.where(np.isfinite(result), result, np.nan)


def shifted(values: Floats, bars: int) -> Floats:
    """Return the series moved `bars` later, NaN at its beginning."""
    result = np.full(len(values), np.nan)
    if bars < len(values):
        result[bars:] = values[: len(values) - bars]
    return result


def compare(left: Floats, right: Floats) -> Floats:
    """Return 1.0 if left is greater, -1.0 if it is less, 0.0 if they are equal within the tolerance."""
    close = np.abs(left - right) <= TOLERANCE * np.maximum(np.abs(left), np.abs(right))
    return np.where(close, 0.0, np.sign(left - right))


def _difference(left: Floats, right: Floats) -> Floats:
    # What rounding leaves of two equal numbers is noise with a sign; zero is what was meant.
    noise = np.abs(left - right) <= _NOISE * np.maximum(np.abs(left), np.abs(right))
    return np.where(noise, 0.0, left - right)


ARITHMETIC: Mapping[str, Callable[[Floats, Floats], Floats]] = {
    "+": lambda left, right: _difference(left, -right),
    "-": _difference,
    "*": np.multiply,
    "/": np.divide,
    "%": np.mod,
    "**": np.power,
    "minimum": np.minimum,
    "maximum": np.maximum,
}
COMPARISONS: Mapping[str, Callable[[Floats], Floats]] = {
    ">": lambda order: (order > 0).astype(np.float64),
    ">=": lambda order: (order >= 0).astype(np.float64),
    "<": lambda order: (order < 0).astype(np.float64),
    "<=": lambda order: (order <= 0).astype(np.float64),
    "==": lambda order: (order == 0).astype(np.float64),
    "!=": lambda order: (order != 0).astype(np.float64),
}
