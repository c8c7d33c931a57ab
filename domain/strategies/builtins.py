"""The rule language's own functions, besides TA-Lib's: crossings, changes, shifts and extremes."""

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
from domain.strategies.parse_context import ParseContext, ParseNode, parse_all

MAX_BARS = 5_000
"""The largest count of bars that a built-in function takes."""

Arguments = Sequence[ast.expr]
Build = Callable[[ParseContext, Arguments, Sequence[Node]], Node]


@dataclass(frozen=True, slots=True)
class Builtin:
    """A built-in function: its usage, its smallest and largest count of arguments, and what builds its node."""

    usage: str
    min_arguments: int
    max_arguments: int
    build: Build


def parse_builtin(context: ParseContext, tree: ast.Call, name: str, parse: ParseNode) -> Node:
    """Return the node of a call of the built-in function `name`; raises `RuleErrors`."""
    builtin = _BUILTINS[name]
    arguments = _arguments(context, tree, builtin)
    if not builtin.min_arguments <= len(arguments) <= builtin.max_arguments:
        count = f"{len(arguments)} value{'s' if len(arguments) != 1 else ''}"
        raise context.error_at(f"{name} is written {builtin.usage}; {count} were given.", tree)
    return builtin.build(context, arguments, parse_all(context, arguments, parse))


def _arguments(context: ParseContext, tree: ast.Call, builtin: Builtin) -> list[ast.expr]:
    arguments = list(tree.args)
    for keyword in tree.keywords:
        if keyword.arg != "bars" or len(arguments) != 1 or not builtin.usage.endswith("bars)"):
            name = f"{keyword.arg}=" if keyword.arg else "**"
            raise context.error_at(f"{name} has no meaning here; write {builtin.usage}.", keyword)
        arguments.append(keyword.value)
    return arguments


def _abs(_context: ParseContext, _trees: Arguments, nodes: Sequence[Node]) -> Node:
    (node,) = nodes
    return Number(abs(node.value)) if isinstance(node, Number) else Absolute(node)


def _crosses(direction: int) -> Build:
    def build(context: ParseContext, trees: Arguments, nodes: Sequence[Node]) -> Node:
        for tree, node in zip(trees, nodes, strict=True):
            context.record_operand(tree, node)
        return Cross(direction, nodes[0], nodes[1])

    return build


def _extreme(sign: str) -> Build:
    def build(_context: ParseContext, _trees: Arguments, nodes: Sequence[Node]) -> Node:
        result = nodes[0]
        for node in nodes[1:]:
            result = Arithmetic(sign, result, node)
        return result

    return build


def _rolling(function: str) -> Build:
    def build(context: ParseContext, trees: Arguments, nodes: Sequence[Node]) -> Node:
        bars = _bars(context, trees, nodes, least=1)
        definition = indicator(function)
        assert definition is not None
        # TA-Lib's rolling extremes start at two bars; of one bar it is the value itself.
        return nodes[0] if bars == 1 else Output(IndicatorCall(definition, (nodes[0],), (float(bars),)), 0)

    return build


def _shift(context: ParseContext, trees: Arguments, nodes: Sequence[Node]) -> Node:
    return Shift(nodes[0], _bars(context, trees, nodes, least=0))


def _change(context: ParseContext, trees: Arguments, nodes: Sequence[Node]) -> Node:
    return Change(nodes[0], _bars(context, trees, nodes, least=1))


def _bars(context: ParseContext, trees: Arguments, nodes: Sequence[Node], *, least: int) -> int:
    if len(nodes) == 1:
        return 1
    node = nodes[1]
    if not isinstance(node, Number):
        message = f"{context.excerpt(trees[1])} changes from bar to bar; a count of bars is a number or a parameter."
        raise context.error_at(message, trees[1])
    if not node.value.is_integer() or not least <= node.value <= MAX_BARS:
        ahead = " (a rule can't look ahead)" if node.value < 0 else ""
        message = f"A count of bars is a whole number between {least} and {MAX_BARS:,}, not {node.value:g}{ahead}."
        raise context.error_at(message, trees[1])
    return int(node.value)


_MAX_ARGUMENTS = 100
_BUILTINS: Mapping[str, Builtin] = {
    "abs": Builtin("abs(x)", 1, 1, _abs),
    "change": Builtin("change(x, bars)", 1, 2, _change),
    "shift": Builtin("shift(x, bars)", 1, 2, _shift),
    "highest": Builtin("highest(x, bars)", 2, 2, _rolling("max")),
    "lowest": Builtin("lowest(x, bars)", 2, 2, _rolling("min")),
    "crosses_above": Builtin("crosses_above(a, b)", 2, 2, _crosses(1)),
    "crosses_below": Builtin("crosses_below(a, b)", 2, 2, _crosses(-1)),
    "minimum": Builtin("minimum(a, b)", 2, _MAX_ARGUMENTS, _extreme("minimum")),
    "maximum": Builtin("maximum(a, b)", 2, _MAX_ARGUMENTS, _extreme("maximum")),
}
