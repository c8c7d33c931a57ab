"""Calls of the language's own functions: binds arguments by place and name, and checks each against its kind."""

import ast
from collections.abc import Iterable, Mapping

from domain.core.text import closest_match
from domain.strategies.builtins import BUILTINS, MAX_BARS, Argument, ArgumentKind, Build, Builtin
from domain.strategies.errors import RuleError, RuleErrors
from domain.strategies.expressions import Node, Number
from domain.strategies.parse_context import (
    MAX_SHOWN,
    ParseContext,
    ParseNode,
    follow_series,
    parse_condition,
    parse_number,
    reject_position,
)

_MAX_REPEATED = 100


def parse_builtin(context: ParseContext, tree: ast.Call, name: str, output: str | None = None) -> Node:
    """Return the node of a call of the function `name`, or of one of its outputs; raises `RuleErrors`."""
    builtin = BUILTINS[name]
    build = _output(context, tree, name, output)
    bound = _bind(context, tree, name, builtin)
    nodes, trees, bars = _values(context, builtin, bound)
    if builtin.looks_back:
        reject_position(context, name, trees, nodes)
    if nodes and not builtin.follows_series:
        return build(nodes, bars, context.timeframe)
    return follow_series(nodes, lambda series: build(series, bars, context.timeframe))


def unknown_output(
    context: ParseContext, tree: ast.Attribute, name: str, outputs: Iterable[str], aliases: Iterable[str]
) -> RuleErrors:
    """Return the error of an output that a function doesn't have, by any of its aliases."""
    _, end = context.span(tree)
    message = f"{name} has no output {tree.attr[:MAX_SHOWN]!r}; it has {', '.join(outputs)}."
    return RuleErrors([RuleError(message, end - len(tree.attr), end, closest_match(tree.attr[:MAX_SHOWN], aliases))])


def _output(context: ParseContext, tree: ast.Call, name: str, output: str | None) -> Build:
    outputs = BUILTINS[name].outputs
    if output is not None:
        return outputs[output]
    if len(outputs) > 1 and not BUILTINS[name].has_default_output:
        first = next(iter(outputs))
        message = (
            f"{name} has several outputs: {', '.join(outputs)}; write {context.excerpt(tree)}.{first} for the first."
        )
        raise context.error_at(message, tree)
    return next(iter(outputs.values()))


def _bind(context: ParseContext, tree: ast.Call, name: str, builtin: Builtin) -> list[tuple[Argument, ast.expr | None]]:
    arguments = list(builtin.arguments)
    if builtin.repeated:
        arguments += [arguments[-1]] * min(max(len(tree.args) - len(arguments), 0), _MAX_REPEATED - len(arguments))
    if len(tree.args) > len(arguments):
        raise _wrong_count(context, tree, name, builtin, len(tree.args) + len(tree.keywords))
    by_name: dict[str, ast.expr] = {}
    positional = {argument.name for argument in arguments[: len(tree.args)]}
    for keyword in tree.keywords:
        _check_keyword(context, keyword, name, builtin, positional | by_name.keys())
        by_name[str(keyword.arg)] = keyword.value
    given: list[ast.expr | None] = [*tree.args]
    given += [by_name.get(argument.name) for argument in arguments[len(given) :]]
    if any(value is None and argument.default is None for argument, value in zip(arguments, given, strict=True)):
        raise _wrong_count(context, tree, name, builtin, len(tree.args) + len(tree.keywords))
    return list(zip(arguments, given, strict=True))


def _wrong_count(context: ParseContext, tree: ast.Call, name: str, builtin: Builtin, count: int) -> RuleErrors:
    given = f"{count} value{'s' if count != 1 else ''} {'was' if count == 1 else 'were'} given"
    return context.error_at(f"{name} is written {builtin.usage(name)}; {given}.", tree)


def _check_keyword(context: ParseContext, keyword: ast.keyword, name: str, builtin: Builtin, given: set[str]) -> None:
    names = [] if builtin.repeated else [argument.name for argument in builtin.arguments]
    if keyword.arg in names and keyword.arg not in given:
        return
    if keyword.arg in names:
        raise context.error_at(f"{keyword.arg} of {name} is given twice.", keyword)
    shown = (keyword.arg or "**")[:MAX_SHOWN]
    start, _ = context.span(keyword)
    written = f"{shown}=" if keyword.arg else shown
    message = f"{written} has no meaning here; write {builtin.usage(name)}."
    raise RuleErrors([RuleError(message, start, start + len(shown), closest_match(shown, names))])


def _values(
    context: ParseContext, builtin: Builtin, bound: list[tuple[Argument, ast.expr | None]]
) -> tuple[list[Node], list[ast.expr], list[int]]:
    nodes: list[Node] = []
    trees: list[ast.expr] = []
    bars: list[int] = []
    errors: list[RuleError] = []
    for argument, tree in bound:
        try:
            if argument.kind is ArgumentKind.BARS:
                bars.append(_count(context, argument, tree))
            elif tree is not None:
                nodes.append(_PARSERS[argument.kind](context, tree))
                trees.append(tree)
        except RuleErrors as found:
            errors.extend(found.errors)
    if errors:
        raise RuleErrors(errors)
    _record_operands(context, builtin, nodes, trees)
    return nodes, trees, bars


def _record_operands(context: ParseContext, builtin: Builtin, nodes: list[Node], trees: list[ast.expr]) -> None:
    """Record the numbers that a function makes a condition of, for a signal's reason."""
    if builtin.is_condition:
        for tree, node in zip(trees, nodes, strict=True):
            context.record_operand(tree, node)


def _count(context: ParseContext, argument: Argument, tree: ast.expr | None) -> int:
    if tree is None:
        assert argument.default is not None, "an argument that may be left out has a default"
        return argument.default
    node = parse_number(context, tree)
    if not isinstance(node, Number):
        message = f"{context.excerpt(tree)} changes from bar to bar; a count of bars is a number or a parameter."
        raise context.error_at(message, tree)
    if not node.value.is_integer() or not argument.least <= node.value <= MAX_BARS:
        ahead = " (a rule can't look ahead)" if node.value < 0 else ""
        bounds = f"{argument.least} and {MAX_BARS:,}"
        raise context.error_at(f"A count of bars is a whole number between {bounds}, not {node.value:g}{ahead}.", tree)
    return int(node.value)


_PARSERS: Mapping[ArgumentKind, ParseNode] = {
    ArgumentKind.NUMBER: parse_number,
    ArgumentKind.CONDITION: parse_condition,
}
