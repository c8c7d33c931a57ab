"""The functions that the rule language has beside TA-Lib's: crossings, changes, shifts and extremes."""

import ast
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from domain.indicators.catalogue import indicator
from domain.strategies.expressions import (
    Absolute,
    Arithmetic,
    Change,
    Cross,
    IndicatorCall,
    Node,
    Number,
    Output,
    Shift,
)
from domain.strategies.parse_context import Read, Reading, read_all

MAX_BARS = 5_000
"""How far back a helper may look."""

Arguments = Sequence[ast.expr]
Build = Callable[[Reading, Arguments, Sequence[Node]], Node]


@dataclass(frozen=True, slots=True)
class Helper:
    """How a helper is written, how many arguments it takes, and the node that it makes of them."""

    usage: str
    fewest: int
    most: int
    build: Build


def read_helper(reading: Reading, tree: ast.Call, name: str, read: Read) -> Node:
    """Return the node of a call of the helper `name`; raise RuleErrors."""
    helper = _HELPERS[name]
    arguments = _arguments(reading, tree, helper)
    if not helper.fewest <= len(arguments) <= helper.most:
        count = f"{len(arguments)} value{'s' if len(arguments) != 1 else ''}"
        raise reading.wrong(f"{name} is written {helper.usage}; {count} were given.", tree)
    return helper.build(reading, arguments, read_all(reading, arguments, read))


def _arguments(reading: Reading, tree: ast.Call, helper: Helper) -> list[ast.expr]:
    arguments = list(tree.args)
    for keyword in tree.keywords:
        if keyword.arg != "bars" or len(arguments) != 1 or not helper.usage.endswith("bars)"):
            name = f"{keyword.arg}=" if keyword.arg else "**"
            raise reading.wrong(f"{name} has no meaning here; write {helper.usage}.", keyword)
        arguments.append(keyword.value)
    return arguments


def _abs(_reading: Reading, _trees: Arguments, nodes: Sequence[Node]) -> Node:
    (node,) = nodes
    return Number(abs(node.value)) if isinstance(node, Number) else Absolute(node)


def _crosses(direction: int) -> Build:
    def build(reading: Reading, trees: Arguments, nodes: Sequence[Node]) -> Node:
        for tree, node in zip(trees, nodes, strict=True):
            reading.look_at(tree, node)
        return Cross(direction, nodes[0], nodes[1])

    return build


def _extreme(sign: str) -> Build:
    def build(_reading: Reading, _trees: Arguments, nodes: Sequence[Node]) -> Node:
        result = nodes[0]
        for node in nodes[1:]:
            result = Arithmetic(sign, result, node)
        return result

    return build


def _rolling(function: str) -> Build:
    def build(reading: Reading, trees: Arguments, nodes: Sequence[Node]) -> Node:
        bars = _bars(reading, trees, nodes, least=1)
        definition = indicator(function)
        assert definition is not None
        # TA-Lib's rolling extremes start at two bars; of one bar it is the value itself.
        return nodes[0] if bars == 1 else Output(IndicatorCall(definition, (nodes[0],), (float(bars),)), 0)

    return build


def _shift(reading: Reading, trees: Arguments, nodes: Sequence[Node]) -> Node:
    return Shift(nodes[0], _bars(reading, trees, nodes, least=0))


def _change(reading: Reading, trees: Arguments, nodes: Sequence[Node]) -> Node:
    return Change(nodes[0], _bars(reading, trees, nodes, least=1))


def _bars(reading: Reading, trees: Arguments, nodes: Sequence[Node], *, least: int) -> int:
    if len(nodes) == 1:
        return 1
    node = nodes[1]
    if not isinstance(node, Number):
        message = f"{reading.shown(trees[1])} changes from bar to bar; a count of bars is a number or a parameter."
        raise reading.wrong(message, trees[1])
    if not node.value.is_integer() or not least <= node.value <= MAX_BARS:
        ahead = " (a rule can't look ahead)" if node.value < 0 else ""
        message = f"A count of bars is a whole number between {least} and {MAX_BARS:,}, not {node.value:g}{ahead}."
        raise reading.wrong(message, trees[1])
    return int(node.value)


_MANY = 100
_HELPERS: Mapping[str, Helper] = {
    "abs": Helper("abs(x)", 1, 1, _abs),
    "change": Helper("change(x, bars)", 1, 2, _change),
    "shift": Helper("shift(x, bars)", 1, 2, _shift),
    "highest": Helper("highest(x, bars)", 2, 2, _rolling("max")),
    "lowest": Helper("lowest(x, bars)", 2, 2, _rolling("min")),
    "crosses_above": Helper("crosses_above(a, b)", 2, 2, _crosses(1)),
    "crosses_below": Helper("crosses_below(a, b)", 2, 2, _crosses(-1)),
    "minimum": Helper("minimum(a, b)", 2, _MANY, _extreme("minimum")),
    "maximum": Helper("maximum(a, b)", 2, _MANY, _extreme("maximum")),
}
