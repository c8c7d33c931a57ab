"""The rule language: Python's expression grammar, parsed by `ast` and never executed.

A rule is a condition built of numbers, parameters, named parts, the series and the clock of a candle, arithmetic,
comparisons, `and or not`, `x if c else y`, every function of TA-Lib by its lower-case name, the functions of
`domain.strategies.builtins`, other candles by `tf` and `market`, and the position.
"""

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from domain.indicators.candle_arrays import SERIES
from domain.strategies.builtins import BUILTINS
from domain.strategies.candle_nodes import Clock, ClockPart, Elsewhere
from domain.strategies.cumulative import reject_cumulative_levels
from domain.strategies.errors import RuleError, RuleErrors
from domain.strategies.expressions import (
    Arithmetic,
    BooleanOperation,
    Choice,
    Comparison,
    Named,
    Negation,
    Node,
    Not,
    Number,
    Price,
)
from domain.strategies.lexer import check_tokens
from domain.strategies.operators import arithmetic
from domain.strategies.parse_context import (
    CLOCK,
    MAX_SHOWN,
    POSITION,
    POSITION_FIELDS,
    Operand,
    ParseContext,
    Scope,
    closest_value,
    find_indicator,
    follow_series,
    parse_all,
    parse_condition,
    parse_number,
    uses_position,
)
from domain.strategies.source_parser import parse_attribute, parse_named_call

LANGUAGE_VERSION = 1
"""Incremented when the meaning of a rule changes; each strategy version stores the one that it was written in."""
MAX_NODES = 500
MAX_DEPTH = 60
MAX_WARM_UP = 5_000

_ARITHMETIC = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Mod: "%", ast.Pow: "**"}
SIGNS = tuple(_ARITHMETIC.values())
_COMPARISONS = {ast.Gt: ">", ast.GtE: ">=", ast.Lt: "<", ast.LtE: "<=", ast.Eq: "==", ast.NotEq: "!="}
_UNSUPPORTED = {
    ast.Lambda: "lambda",
    ast.Subscript: "[…] after a value",
    ast.List: "a list",
    ast.Tuple: "a comma outside a function",
    ast.Dict: "a dictionary",
    ast.Set: "a set",
    ast.ListComp: "a comprehension",
    ast.SetComp: "a comprehension",
    ast.DictComp: "a comprehension",
    ast.GeneratorExp: "a comprehension",
    ast.JoinedStr: "an f-string",
    ast.NamedExpr: "an assignment",
    ast.Await: "await",
    ast.Yield: "yield",
    ast.YieldFrom: "yield",
    ast.Starred: "* before a value",
}
_ALLOWED = "a rule has numbers, series, functions, arithmetic, comparisons, and, or, not, if … else"


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule that can be evaluated: its text, its condition, and the numbers that the condition compares."""

    text: str
    node: Node
    operands: tuple[Operand, ...]
    warm_up: int


def parse_rule(text: str, scope: Scope) -> Rule:
    """Parse a condition; raises `RuleErrors`."""
    return _parse_text(text, scope, parse_condition)


def parse_part(name: str, text: str, scope: Scope) -> Node:
    """Parse the definition's part of that name, a number or a condition; raises `RuleErrors`."""
    node = _parse_text(text, scope, _parse).node
    if isinstance(node, Number):
        return node
    inner = node.node if isinstance(node, Elsewhere) else node
    named = Named(inner, name, inner.warm_up, uses_position(inner))
    return replace(node, node=named) if isinstance(node, Elsewhere) else named


def _parse_text(text: str, scope: Scope, parse: Callable[[ParseContext, ast.expr], Node]) -> Rule:
    try:
        check_tokens(text, scope.names)
        tree, offset = _tree(text)
    except RuleError as error:
        raise RuleErrors([error]) from None
    context = ParseContext(text, offset, scope, _parse)
    _check_size(context, tree)
    node = parse(context, tree)
    reject_cumulative_levels(context, tree)
    return _check_warm_up(Rule(text, node, tuple(context.operands), node.warm_up))


def _check_warm_up(rule: Rule) -> Rule:
    if rule.warm_up > MAX_WARM_UP:
        message = (
            f"The rule needs more than {MAX_WARM_UP:,} candles before its first right value "
            f"({_count(rule.warm_up)}); choose shorter periods."
        )
        raise RuleErrors([RuleError(message, 0, len(rule.text))])
    return rule


def _count(bars: int) -> str:
    return f"{bars:,}" if bars < 100 * MAX_WARM_UP else "without end"


def _tree(text: str) -> tuple[ast.expr, int]:
    line = text.replace("\t", " ").replace("\r", " ").replace("\n", " ")
    offset = len(line) - len(line.lstrip())
    try:
        return ast.parse(line.lstrip(), mode="eval").body, offset
    except SyntaxError as error:
        raise _unreadable(error, text, offset) from None
    except (RecursionError, MemoryError):
        raise RuleError("The rule is nested too deeply.", 0, len(text)) from None


def _unreadable(error: SyntaxError, text: str, offset: int) -> RuleError:
    if not error.offset:  # Python's parser reached the end and expected more
        end = len(text.rstrip())
        return RuleError("The rule ends where a value was expected.", end, end)
    start = min(error.offset - 1 + offset, len(text))
    end = min(max((error.end_offset or 0) - 1 + offset, start), len(text))
    if text[start : start + 1] == "=":
        return RuleError("= isn't part of a condition; write == to compare.", start, start + 1, "==")
    return RuleError("The rule can't be read from here on: a value or an operator is missing.", start, end)


def _check_size(context: ParseContext, tree: ast.expr) -> None:
    waiting: list[tuple[ast.AST, int]] = [(tree, 1)]
    seen = 0
    while waiting:
        part, depth = waiting.pop()
        seen += 1
        if depth > MAX_DEPTH:
            raise context.error_at(f"The rule is nested deeper than {MAX_DEPTH} levels.", part)
        waiting.extend((child, depth + 1) for child in ast.iter_child_nodes(part))
    if seen > MAX_NODES:
        raise context.error_at(f"The rule has {seen:,} parts; at most {MAX_NODES} are allowed.", tree)


def _parse(context: ParseContext, tree: ast.expr) -> Node:
    parser = _PARSERS.get(type(tree))
    if parser is None:
        raise context.error_at(
            f"{_UNSUPPORTED.get(type(tree), 'This')} isn't part of the rule language; {_ALLOWED}.", tree
        )
    return parser(context, tree)


def _constant(context: ParseContext, tree: ast.Constant) -> Node:
    if isinstance(tree.value, (int, float)) and not isinstance(tree.value, bool):
        return Number(float(tree.value))
    raise context.error_at(f"{context.excerpt(tree)} isn't part of the rule language; {_ALLOWED}.", tree)


def _name(context: ParseContext, tree: ast.Name) -> Node:
    name, scope = tree.id, context.scope
    if name in scope.parameters:
        return Number(scope.parameters[name])
    if name in scope.parts:
        return _part(context, tree, scope.parts[name])
    if name in SERIES:
        return Price(name)
    if name in CLOCK:
        return _clock(context, tree)
    if name == POSITION:
        fields = ", ".join(f"{POSITION}.{field}" for field in POSITION_FIELDS)
        raise context.error_at(f"{POSITION} has several parts; write one of {fields}.", tree)
    if name in scope.later_parts:
        raise context.error_at(f"{name} is a part that comes later; a part is usable in those after it.", tree)
    if name in BUILTINS or find_indicator(name) is not None:
        raise context.error_at(f"{name} is a function; write what it is of, as in {name}(close, 14).", tree)
    suggestion = closest_value(context, name)
    hint = f"; did you mean {suggestion}?" if suggestion else "; it is no parameter and no series."
    raise context.error_at(f"Nothing is called {name[:MAX_SHOWN]!r}{hint}", tree, suggestion)


def _part(context: ParseContext, tree: ast.Name, node: Node) -> Node:
    if context.source is not None and not isinstance(node, Number):
        message = f"{tree.id} is of the strategy's own candles and can't be used inside of {context.source}."
        raise context.error_at(message, tree)
    return node


def _clock(context: ParseContext, tree: ast.Name) -> Node:
    if context.source is not None:
        message = f"{tree.id} is that of the strategy's own candle; it can't be used inside of {context.source}."
        raise context.error_at(message, tree)
    return Clock(ClockPart(tree.id))


def _unary(context: ParseContext, tree: ast.UnaryOp) -> Node:
    if isinstance(tree.op, ast.Not):
        return Not(parse_condition(context, tree.operand))
    if isinstance(tree.op, ast.Invert):
        raise context.error_at("~ isn't part of the rule language; write not.", tree)
    operand = parse_number(context, tree.operand)
    if isinstance(tree.op, ast.UAdd):
        return operand
    if isinstance(operand, Number):
        return Number(-operand.value)
    return follow_series([operand], lambda nodes: Negation(nodes[0]))


def _binary(context: ParseContext, tree: ast.BinOp) -> Node:
    sign = _ARITHMETIC.get(type(tree.op))
    if sign is None:
        raise context.error_at("Only + - * / % and ** join numbers.", tree)
    left, right = parse_all(context, [tree.left, tree.right], parse_number)
    if isinstance(left, Number) and isinstance(right, Number):
        return _folded(context, tree, sign, left.value, right.value)
    return follow_series([left, right], lambda nodes: Arithmetic(sign, *nodes))


def _folded(context: ParseContext, tree: ast.BinOp, sign: str, left: float, right: float) -> Node:
    value = float(arithmetic(sign, np.array([left]), np.array([right]))[0])
    if np.isnan(value):
        raise context.error_at(f"{context.excerpt(tree)} has no finite value.", tree)
    return Number(value)


def _comparison(context: ParseContext, tree: ast.Compare) -> Node:
    signs = [_COMPARISONS.get(type(operator)) for operator in tree.ops]
    if None in signs:
        raise context.error_at("Numbers are compared by > >= < <= == and != alone.", tree)
    trees = [tree.left, *tree.comparators]
    nodes = parse_all(context, trees, parse_number)
    for operand, node in zip(trees, nodes, strict=True):
        context.record_operand(operand, node)
    links = tuple(Comparison(sign or "", *pair) for sign, pair in zip(signs, pairwise(nodes), strict=True))
    return links[0] if len(links) == 1 else BooleanOperation("and", links)


def _boolean(context: ParseContext, tree: ast.BoolOp) -> Node:
    word = "and" if isinstance(tree.op, ast.And) else "or"
    return BooleanOperation(word, tuple(parse_all(context, tree.values, parse_condition)))


def _choice(context: ParseContext, tree: ast.IfExp) -> Node:
    chosen, otherwise = parse_all(context, [tree.body, tree.orelse], context.parse)
    if chosen.is_condition != otherwise.is_condition:
        kinds = ["a condition" if node.is_condition else "a number" for node in (chosen, otherwise)]
        message = f"Both values of if … else are numbers, or both are conditions; here they are {' and '.join(kinds)}."
        raise context.error_at(message, tree)
    return Choice(parse_condition(context, tree.test), chosen, otherwise)


_PARSERS: Mapping[type[ast.expr], Callable[[ParseContext, Any], Node]] = {  # each parses its own kind of tree alone
    ast.Constant: _constant,
    ast.Name: _name,
    ast.UnaryOp: _unary,
    ast.BinOp: _binary,
    ast.BoolOp: _boolean,
    ast.Compare: _comparison,
    ast.IfExp: _choice,
    ast.Call: parse_named_call,
    ast.Attribute: parse_attribute,
}
