"""Rules that name the position, asked bar by bar: what doesn't depend on it is computed beforehand, as series."""

import math
from collections.abc import Callable, Mapping
from operator import attrgetter, neg, pos

import numpy as np

from domain.strategies.evaluation import Evaluation
from domain.strategies.expressions import (
    Absolute,
    Arithmetic,
    BooleanOperation,
    Choice,
    Comparison,
    Named,
    Negation,
    Node,
    Not,
    PositionFacts,
    PositionValue,
)
from domain.strategies.operators import NOISE, TOLERANCE, arithmetic
from domain.strategies.parse_context import uses_position

BarRule = Callable[[int, PositionFacts], bool]
"""Whether a rule holds at the bar of an index, with the position as it is when that bar has closed."""
_Value = Callable[[int, PositionFacts], float]

_NAN = float("nan")


def bar_rule(condition: Node, evaluation: Evaluation, warm_up: int) -> BarRule:
    """Return the condition to be asked bar by bar; it is false at the first `warm_up` bars, and without a value."""
    value = _value(condition, evaluation)
    return lambda bar, position: bar >= warm_up and value(bar, position) == 1.0


def _value(node: Node, evaluation: Evaluation) -> _Value:
    if not uses_position(node):
        series = evaluation.outputs(node)[0]
        return lambda bar, _position: float(series[bar])
    if isinstance(node, PositionValue):
        read: Callable[[PositionFacts], float] = attrgetter(node.name)
        return lambda _bar, position: read(position)
    return _join(node, [_value(child, evaluation) for child in node.children])


def _join(node: Node, children: list[_Value]) -> _Value:
    match node:
        case Arithmetic(sign):
            joined = _arithmetic(sign, *children)
        case Comparison(sign):
            joined = _comparison(sign, *children)
        case BooleanOperation(operator):
            joined = _boolean(operator, children)
        case Choice():
            joined = _choice(*children)
        case _:
            joined = _unary(type(node), *children)
    return joined


def _choice(condition: _Value, chosen: _Value, otherwise: _Value) -> _Value:
    def value(bar: int, position: PositionFacts) -> float:
        holds = condition(bar, position)
        return holds if math.isnan(holds) else (chosen if holds == 1.0 else otherwise)(bar, position)

    return value


def _boolean(operator: str, operands: list[_Value]) -> _Value:
    join = min if operator == "and" else max

    def value(bar: int, position: PositionFacts) -> float:
        values = [operand(bar, position) for operand in operands]
        return _NAN if any(map(math.isnan, values)) else join(values)

    return value


def _unary(kind: type[Node], operand: _Value) -> _Value:
    change = _UNARY[kind]
    return lambda bar, position: change(operand(bar, position))


_UNARY: Mapping[type[Node], Callable[[float], float]] = {
    Absolute: abs,
    Negation: neg,
    Not: lambda holds: 1.0 - holds,
    Named: pos,
}


def _arithmetic(sign: str, left: _Value, right: _Value) -> _Value:
    join = _ARITHMETIC.get(sign) or (lambda a, b: float(arithmetic(sign, np.array([a]), np.array([b]))[0]))

    def value(bar: int, position: PositionFacts) -> float:
        result = join(left(bar, position), right(bar, position))
        return result if math.isfinite(result) else _NAN

    return value


def _difference(left: float, right: float) -> float:
    result = left - right
    return 0.0 if abs(result) <= NOISE * max(abs(left), abs(right)) else result


_ARITHMETIC: Mapping[str, Callable[[float, float], float]] = {
    "+": lambda left, right: _difference(left, -right),
    "-": _difference,
    "*": lambda left, right: left * right,
    "/": lambda left, right: left / right if right else _NAN,
}


def _comparison(sign: str, left: _Value, right: _Value) -> _Value:
    holds = _COMPARISONS[sign]

    def value(bar: int, position: PositionFacts) -> float:
        a, b = left(bar, position), right(bar, position)
        if math.isnan(a) or math.isnan(b):
            return _NAN
        return float(holds(0.0 if abs(a - b) <= TOLERANCE * max(abs(a), abs(b)) else a - b))

    return value


_COMPARISONS: Mapping[str, Callable[[float], bool]] = {
    ">": lambda order: order > 0,
    ">=": lambda order: order >= 0,
    "<": lambda order: order < 0,
    "<=": lambda order: order <= 0,
    "==": lambda order: order == 0,
    "!=": lambda order: order != 0,
}
