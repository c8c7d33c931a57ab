"""The value of a condition at the newest candle alone: what joins and compares is computed for that one bar."""

import math
from collections.abc import Callable, Mapping
from typing import Final

from domain.strategies.evaluation import Evaluation
from domain.strategies.expressions import BooleanOperation, Comparison, Node, Number
from domain.strategies.operators import TOLERANCE

_HOLDS: Final[Mapping[str, Callable[[float], bool]]] = {
    ">": lambda order: order > 0,
    ">=": lambda order: order >= 0,
    "<": lambda order: order < 0,
    "<=": lambda order: order <= 0,
    "==": lambda order: order == 0,
    "!=": lambda order: order != 0,
}


def latest_value(node: Node, evaluation: Evaluation) -> float:
    """Return the last of the node's values as `Evaluation.outputs` computes them; NaN if it has none there.

    Thousands of rules that compare a few indicators with numbers of their own cost no more than a few indicators.
    """
    match node:
        case Number(value=value):
            return value
        case Comparison(sign=sign, left=left, right=right):
            order = _order(latest_value(left, evaluation), latest_value(right, evaluation))
            return math.nan if math.isnan(order) else float(_HOLDS[sign](order))
        case BooleanOperation(operator=operator, operands=operands):
            values = [latest_value(operand, evaluation) for operand in operands]
            if any(map(math.isnan, values)):
                return math.nan
            return min(values) if operator == "and" else max(values)
        case _:
            values_of_all = evaluation.outputs(node)[0]
            return float(values_of_all[-1]) if len(values_of_all) else math.nan


def _order(left: float, right: float) -> float:
    """Return what `domain.strategies.operators.compare` does, for one bar."""
    difference = left - right
    if abs(difference) <= TOLERANCE * max(abs(left), abs(right)):
        return 0.0
    return difference if math.isnan(difference) else math.copysign(1.0, difference)
