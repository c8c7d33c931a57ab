"""Calls of functions in a rule: TA-Lib's, with their inputs, parameters and outputs, and the language's own."""

import ast
from collections.abc import Callable, Mapping, Sequence

from domain.core.text import closest_match
from domain.indicators.candle_arrays import SERIES
from domain.indicators.catalogue import MOVING_AVERAGES, IndicatorDefinition, IndicatorParameter, ParameterKind
from domain.indicators.compute import combination_error, parameter_error
from domain.strategies.builtin_parser import parse_builtin, unknown_output
from domain.strategies.builtins import BUILTINS
from domain.strategies.candle_nodes import Elsewhere
from domain.strategies.errors import RuleError, RuleErrors
from domain.strategies.expressions import IndicatorCall, Node, Number, Output, Price
from domain.strategies.parse_context import (
    CLOCK,
    MAX_SHOWN,
    POSITION,
    ParseContext,
    closest_function,
    find_indicator,
    follow_series,
    parse_all,
    parse_number,
    reject_position,
)


def parse_call(context: ParseContext, tree: ast.Call, name: str, place: ast.expr) -> Node:
    """Return the node of a call of `name`, which stands at `place`; raises `RuleErrors`, also for several outputs."""
    _check_function(context, tree, name, place)
    definition = find_indicator(name)
    if definition is None:
        return parse_builtin(context, tree, name)
    outputs = definition.short_outputs
    call = _indicator(context, tree, definition)
    if len(outputs) > 1:
        message = f"{name} has several outputs: {', '.join(outputs)}"
        raise context.error_at(f"{message}; write {context.excerpt(tree)}.{outputs[0]} for the first.", tree)
    return call(0)


def parse_output(context: ParseContext, tree: ast.Attribute, call: ast.Call, name: str, place: ast.expr) -> Node:
    """Return one output of a call of `name`, as in `macd(close).hist`; raises `RuleErrors`."""
    _check_function(context, call, name, place)
    definition = find_indicator(name)
    aliases = dict.fromkeys(BUILTINS[name].outputs, 0) if definition is None else definition.output_aliases
    if (len(BUILTINS[name].outputs) if definition is None else len(definition.outputs)) == 1:
        raise context.error_at(f"{context.excerpt(call)} has one value; leave out .{tree.attr[:MAX_SHOWN]}.", tree)
    if tree.attr not in aliases:
        shown = list(aliases) if definition is None else list(definition.short_outputs)
        raise unknown_output(context, tree, name, shown, aliases)
    if definition is None:
        return parse_builtin(context, call, name, tree.attr)
    return _indicator(context, call, definition)(aliases[tree.attr])


def _check_function(context: ParseContext, tree: ast.Call, name: str, place: ast.expr) -> None:
    """Raise `RuleErrors` unless `name` is a function, and its arguments are written as a function's are."""
    shown = name[:MAX_SHOWN]
    if name in context.scope.parameters or name in context.scope.parts:
        kind = "parameter" if name in context.scope.parameters else "named part"
        raise context.error_at(f"{shown} is a {kind} and can't be called.", place)
    if name in SERIES:
        raise context.error_at(f"{name} is a series and can't be called; shift({name}, 1) is the one before.", place)
    if name in CLOCK or name == POSITION:
        raise context.error_at(f"{name} can't be called; write it without brackets.", place)
    if name not in BUILTINS and find_indicator(name) is None:
        raise _unknown_function(context, name, place)
    for argument in tree.args:
        if isinstance(argument, ast.Starred):
            raise context.error_at("* before a value isn't part of the rule language.", argument)


def _unknown_function(context: ParseContext, name: str, place: ast.expr) -> RuleErrors:
    suggestion = closest_function(name)
    hint = f"; did you mean {suggestion}?" if suggestion else "; the query `indicators` lists them all."
    _, end = context.span(place)
    return RuleErrors([RuleError(f"There is no function {name[:MAX_SHOWN]!r}{hint}", end - len(name), end, suggestion)])


def _indicator(context: ParseContext, tree: ast.Call, definition: IndicatorDefinition) -> Callable[[int], Node]:
    """Return what makes the node of an output of a call, by the output's index."""
    given = [argument for argument in tree.args if not _is_average_name(context, argument)]
    nodes = dict(zip(given, parse_all(context, given, parse_number), strict=True))
    count = _input_count(tree.args, nodes, definition)
    series = tree.args[:count]
    inputs = _inputs(context, tree, definition, [nodes[argument] for argument in series])
    reject_position(context, definition.name, series, inputs[:count])
    values = _values(context, definition, _bind_parameters(context, tree, definition, count))
    error = combination_error(definition, values)
    if error:
        raise context.error_at(f"{error}.", tree)
    tolerance = context.scope.tolerance

    def output(place: int) -> Node:
        return follow_series(
            inputs, lambda series: Output(IndicatorCall(definition, tuple(series), values, tolerance), place)
        )

    return output


def _is_average_name(context: ParseContext, tree: ast.expr) -> bool:
    return isinstance(tree, ast.Name) and tree.id in MOVING_AVERAGES and tree.id not in context.scope.names_of_user


def _input_count(arguments: Sequence[ast.expr], nodes: Mapping[ast.expr, Node], definition: IndicatorDefinition) -> int:
    if not definition.parameters:
        return len(arguments)
    series = [argument in nodes and not isinstance(nodes[argument], Number) for argument in arguments]
    return series.index(False) if False in series else len(series)


def _inputs(
    context: ParseContext, tree: ast.Call, definition: IndicatorDefinition, given: Sequence[Node]
) -> tuple[Node, ...]:
    total = len(definition.inputs)
    allowed = {total} if definition.needs_inputs else {0, definition.free_inputs, total}
    if len(given) not in allowed:
        raise context.error_at(_input_message(definition, len(given)), tree)
    others: list[Node] = [Price(name) for name in definition.inputs[len(given) :]]
    keys = {node.key if isinstance(node, Elsewhere) else None for node in given}
    (key,) = keys if len(keys) == 1 else {None}
    # What is left out comes from the candles that the series before it come from.
    return (*given, *(others if key is None else (Elsewhere(key, node) for node in others)))


def _input_message(definition: IndicatorDefinition, count: int) -> str:
    name, total = definition.name, len(definition.inputs)
    series = ", ".join(definition.inputs) if not definition.needs_inputs else ", ".join("ab"[:total])
    message = f"{name} takes {total} series, as in {name}({series}{', …' if definition.parameters else ''}); "
    hint = f" For the {name} of two numbers write {name}imum(a, b)." if name in {"min", "max"} else ""
    return f"{message}{count} {'was' if count == 1 else 'were'} given.{hint}"


def _bind_parameters(
    context: ParseContext, tree: ast.Call, definition: IndicatorDefinition, inputs: int
) -> dict[IndicatorParameter, ast.expr]:
    parameters, positional = definition.parameters, tree.args[inputs:]
    if len(positional) > len(parameters):
        raise context.error_at(
            f"{definition.name} {_parameter_list(definition)}; one too many is given.", positional[-1]
        )
    arguments_by_parameter = dict(zip(parameters, positional, strict=False))
    for keyword in tree.keywords:
        parameter = next((candidate for candidate in parameters if candidate.name == keyword.arg), None)
        if parameter is None:
            raise _unknown_parameter(context, keyword, definition)
        if parameter in arguments_by_parameter:
            raise context.error_at(f"{parameter.name} of {definition.name} is given twice.", keyword)
        arguments_by_parameter[parameter] = keyword.value
    return arguments_by_parameter


def _parameter_list(definition: IndicatorDefinition) -> str:
    names = ", ".join(parameter.name for parameter in definition.parameters)
    return f"takes the parameters {names}" if names else "takes no parameters"


def _unknown_parameter(context: ParseContext, keyword: ast.keyword, definition: IndicatorDefinition) -> RuleErrors:
    name = keyword.arg or "**"
    start, _ = context.span(keyword)
    suggestion = closest_match(name[:MAX_SHOWN], [parameter.name for parameter in definition.parameters])
    message = f"{definition.name} has no parameter {name[:MAX_SHOWN]!r}; it {_parameter_list(definition)}."
    return RuleErrors([RuleError(message, start, start + len(name), suggestion)])


def _values(
    context: ParseContext,
    definition: IndicatorDefinition,
    arguments_by_parameter: Mapping[IndicatorParameter, ast.expr],
) -> tuple[float, ...]:
    errors: list[RuleError] = []
    values: list[float] = []
    for parameter in definition.parameters:
        try:
            values.append(_value(context, definition, parameter, arguments_by_parameter.get(parameter)))
        except RuleErrors as found:
            errors.extend(found.errors)
    if errors:
        raise RuleErrors(errors)
    return tuple(values)


def _value(
    context: ParseContext,
    definition: IndicatorDefinition,
    parameter: IndicatorParameter,
    tree: ast.expr | None,
) -> float:
    if tree is None:
        return float(parameter.default)
    if isinstance(tree, ast.Name) and _is_average_name(context, tree):
        if parameter.kind is ParameterKind.MOVING_AVERAGE:
            return float(MOVING_AVERAGES.index(tree.id))
        raise context.error_at(f"{parameter.name} of {definition.name} is {parameter.kind.value}, not {tree.id}.", tree)
    return _number(context, definition, parameter, tree, parse_number(context, tree))


def _number(
    context: ParseContext, definition: IndicatorDefinition, parameter: IndicatorParameter, tree: ast.expr, node: Node
) -> float:
    name = f"{parameter.name} of {definition.name}"
    if not isinstance(node, Number):
        shown = context.excerpt(tree)
        raise context.error_at(f"{name} must be a number or a parameter; {shown} changes from bar to bar.", tree)
    error = parameter_error(parameter, node.value)
    if error:
        raise context.error_at(f"{name} {error}.", tree)
    return node.value
