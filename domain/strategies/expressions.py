"""The expression tree of a rule: each node knows its warm-up and computes itself over a series.

Nodes compare by value, not by their place in the rule, so an evaluation computes what two rules share once.
A condition's series holds 1.0 and 0.0; NaN, in both kinds, means that there is no value.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from typing import Protocol

import numpy as np

from domain.indicators.candle_arrays import CandleArrays, Floats, SeriesKey
from domain.indicators.catalogue import IndicatorDefinition
from domain.indicators.compute import compute
from domain.indicators.warmup import EXACT, warm_up
from domain.strategies.operators import COMPARISONS, arithmetic, compare


@dataclass(frozen=True, slots=True)
class PositionFacts:
    """What a rule sees of its open position.

    `bars` counts the closed candles since the entry's, which is 0; `profit_percent` is the change from the entry price
    to the close in percent, positive if it is a gain; `entry_price` is in quote per base.
    """

    bars: float
    profit_percent: float
    entry_price: float


class Node:
    """A node of a rule's tree."""

    __slots__ = ()

    @property
    def is_condition(self) -> bool:
        """Whether it is true or false rather than a number."""
        return False

    @property
    def children(self) -> tuple["Node", ...]:
        """The nodes that it is computed from."""
        return ()

    @property
    def own_warm_up(self) -> int:
        """How many bars of right values of its children it needs before its first right one."""
        return 0

    @property
    def warm_up(self) -> int:
        """How many bars come before the first value that is right."""
        return self.own_warm_up + max((child.warm_up for child in self.children), default=0)

    def compute(self, evaluation: "EvaluationContext") -> Floats:
        """Return the value at each bar of the evaluation's candles."""
        return self.outputs(evaluation)[0]

    def outputs(self, evaluation: "EvaluationContext") -> tuple[Floats, ...]:
        """Return the values of each output; all nodes but indicators have one. A node defines this or `compute`."""
        return (self.compute(evaluation),)


class Condition(Node):
    """A node that is true or false."""

    __slots__ = ()

    @property
    def is_condition(self) -> bool:
        """True."""
        return True


class EvaluationContext(Protocol):
    """What a node computes with: the candles, the position, and the outputs of its child nodes."""

    candles: CandleArrays
    position: PositionFacts | None

    def outputs(self, node: Node) -> tuple[Floats, ...]:
        """Return the outputs of `node` over the candles, computed once."""
        ...

    def aligned(self, key: SeriesKey, node: Node) -> Floats:
        """Return the values of `node` over the candles of `key`, each from the close of its candle on."""
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
class Unary(Node):
    """A node of one child."""

    operand: Node

    @property
    def children(self) -> tuple[Node, ...]:
        """The operand."""
        return (self.operand,)


@dataclass(frozen=True, slots=True)
class Binary(Node):
    """A node of two children, with the sign that joins them."""

    sign: str
    left: Node
    right: Node

    @property
    def children(self) -> tuple[Node, ...]:
        """Both operands."""
        return (self.left, self.right)


@dataclass(frozen=True, slots=True)
class Negation(Unary):
    """The number with its sign turned."""

    def compute(self, evaluation: EvaluationContext) -> Floats:
        """Return the negative at each bar."""
        return -evaluation.outputs(self.operand)[0]


@dataclass(frozen=True, slots=True)
class Absolute(Unary):
    """The number without its sign."""

    def compute(self, evaluation: EvaluationContext) -> Floats:
        """Return the absolute value at each bar."""
        return np.abs(evaluation.outputs(self.operand)[0])


@dataclass(frozen=True, slots=True)
class Arithmetic(Binary):
    """Two numbers and one of the signs of `ARITHMETIC`, or of minimum and maximum."""

    def compute(self, evaluation: EvaluationContext) -> Floats:
        """Return the result at each bar, NaN if it isn't a finite number."""
        return arithmetic(self.sign, evaluation.outputs(self.left)[0], evaluation.outputs(self.right)[0])


@dataclass(frozen=True, slots=True)
class IndicatorCall(Node):
    """All outputs of a function of TA-Lib over given series; `values` are of its parameters, in order.

    Its values count as right when what they remember of the start is at most the fraction `tolerance`.
    """

    definition: IndicatorDefinition
    inputs: tuple[Node, ...]
    values: tuple[float, ...]
    tolerance: float = EXACT

    @property
    def children(self) -> tuple[Node, ...]:
        """The input series."""
        return self.inputs

    @property
    def own_warm_up(self) -> int:
        """The bars of right input that the function needs before its first right value."""
        return warm_up(self.definition, self.values, self.tolerance)

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
    def children(self) -> tuple[Node, ...]:
        """The call, whose warm-up is the same for all of its outputs."""
        return (self.call,)

    def compute(self, evaluation: EvaluationContext) -> Floats:
        """Return the output at each bar."""
        return evaluation.outputs(self.call)[self.place]


@dataclass(frozen=True, slots=True)
class Comparison(Binary, Condition):
    """Two numbers and one of the signs of `COMPARISONS`."""

    def compute(self, evaluation: EvaluationContext) -> Floats:
        """Return whether it holds at each bar."""
        order = compare(evaluation.outputs(self.left)[0], evaluation.outputs(self.right)[0])
        return np.where(np.isnan(order), np.nan, COMPARISONS[self.sign](order))


@dataclass(frozen=True, slots=True)
class BooleanOperation(Condition):
    """Several conditions, all (`and`) or any (`or`) of which must hold; without a value if one of them has none."""

    operator: str
    operands: tuple[Node, ...]

    @property
    def children(self) -> tuple[Node, ...]:
        """All operands."""
        return self.operands

    def compute(self, evaluation: EvaluationContext) -> Floats:
        """Return whether they hold at each bar."""
        join = np.minimum if self.operator == "and" else np.maximum
        return reduce(join, (evaluation.outputs(node)[0] for node in self.operands))


@dataclass(frozen=True, slots=True)
class Not(Unary, Condition):
    """The opposite of a condition."""

    def compute(self, evaluation: EvaluationContext) -> Floats:
        """Return whether the operand doesn't hold, at each bar."""
        return 1.0 - evaluation.outputs(self.operand)[0]


@dataclass(frozen=True, slots=True)
class Choice(Node):
    """One of two numbers, or of two conditions, by a condition; without a value if the condition has none."""

    condition: Node
    chosen: Node
    otherwise: Node

    @property
    def is_condition(self) -> bool:
        """As both that it chooses from."""
        return self.chosen.is_condition

    @property
    def children(self) -> tuple[Node, ...]:
        """The condition and both that it chooses from."""
        return (self.condition, self.chosen, self.otherwise)

    def compute(self, evaluation: EvaluationContext) -> Floats:
        """Return the chosen value at each bar."""
        holds = evaluation.outputs(self.condition)[0]
        value = np.where(holds == 1.0, evaluation.outputs(self.chosen)[0], evaluation.outputs(self.otherwise)[0])
        return np.where(np.isnan(holds), np.nan, value)


@dataclass(frozen=True, slots=True, eq=False)
class Named(Unary):
    """A named part of the definition; compared by identity, so that parts of parts cost no more than their texts."""

    name: str
    stored_warm_up: int
    uses_position: bool

    __eq__ = object.__eq__
    __hash__ = object.__hash__

    @property
    def is_condition(self) -> bool:
        """As the part."""
        return self.operand.is_condition

    @property
    def warm_up(self) -> int:
        """The part's, computed once."""
        return self.stored_warm_up

    def compute(self, evaluation: EvaluationContext) -> Floats:
        """Return the part's value at each bar."""
        return evaluation.outputs(self.operand)[0]


@dataclass(frozen=True, slots=True)
class PositionValue(Node):
    """A number of the open position, by its name in `PositionFacts`; it stands in for the newest bar alone."""

    name: str

    def compute(self, evaluation: EvaluationContext) -> Floats:
        """Return the number at each bar, NaN without a position."""
        position = evaluation.position
        value = np.nan if position is None else getattr(position, self.name)
        return np.full(len(evaluation.candles), value)


def walk(nodes: tuple[Node, ...]) -> Iterator[Node]:
    """Yield the nodes and all below them; a named part is entered once."""
    waiting, entered = list(nodes), set[int]()
    while waiting:
        node = waiting.pop()
        if isinstance(node, Named):
            if id(node) in entered:
                continue
            entered.add(id(node))
        yield node
        waiting.extend(node.children)
