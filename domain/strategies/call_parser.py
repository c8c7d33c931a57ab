"""Calls of functions in a rule: TA-Lib's, with their inputs, parameters and outputs, and the language's own."""

import ast
from collections.abc import Mapping, Sequence

from domain.core.text import closest_match
from domain.indicators.candle_arrays import PRICES
from domain.indicators.catalogue import (
    MOVING_AVERAGES,
    IndicatorDefinition,
    IndicatorParameter,
    ParameterKind,
    indicator,
)
from domain.indicators.compute import combination_error, parameter_error
from domain.strategies.builtins import parse_builtin
from domain.strategies.errors import RuleError, RuleErrors
from domain.strategies.expressions import IndicatorCall, Node, Number, Output, Price
from domain.strategies.parse_context import (
    BUILTINS,
    MAX_SHOWN,
    RESERVED_NAMES,
    ParseContext,
    ParseNode,
    closest_function,
    parse_all,
)


def parse_call(context: ParseContext, tree: ast.Call, parse: ParseNode) -> Node:
    """Return the node of a call that has one value; raises `RuleErrors`, also if it has several outputs."""
    call = _call(context, tree, parse)
    if not isinstance(call, IndicatorCall):
        return call
    outputs = call.definition.short_outputs
    if len(outputs) > 1:
        message = f"{call.definition.name} has several outputs: {', '.join(outputs)}"
        raise context.error_at(f"{message}; write {context.excerpt(tree)}.{outputs[0]} for the first.", tree)
    return Output(call, 0)


def parse_output(context: ParseContext, tree: ast.Attribute, parse: ParseNode) -> Node:
    """Return one output of a call, as in `macd(close).hist`; raises `RuleErrors`."""
    if not isinstance(tree.value, ast.Call):
        message = "A dot stands only after a function with several outputs, as in macd(close).hist."
        raise context.error_at(message, tree)
    call = _call(context, tree.value, parse)
    if not isinstance(call, IndicatorCall) or len(call.definition.outputs) == 1:
        raise context.error_at(
            f"{context.excerpt(tree.value)} has one value; leave out .{tree.attr[:MAX_SHOWN]}.", tree
        )
    place = call.definition.output_aliases.get(tree.attr)
    if place is None:
        raise _unknown_output(context, tree, call.definition)
    return Output(call, place)


def _unknown_output(context: ParseContext, tree: ast.Attribute, definition: IndicatorDefinition) -> RuleErrors:
    outputs = ", ".join(definition.short_outputs)
    message = f"{definition.name} has no output {tree.attr[:MAX_SHOWN]!r}; it has {outputs}."
    _, end = context.span(tree)
    suggestion = closest_match(tree.attr[:MAX_SHOWN], definition.output_aliases)
    return RuleErrors([RuleError(message, end - len(tree.attr), end, suggestion)])


def _call(context: ParseContext, tree: ast.Call, parse: ParseNode) -> Node:
    if not isinstance(tree.func, ast.Name):
        raise context.error_at("Only a function's name can be called, as in sma(close, 20).", tree.func)
    name = tree.func.id
    if name in context.parameters:
        raise context.error_at(f"{name} is a parameter and can't be called.", tree.func)
    if name in PRICES:
        raise context.error_at(
            f"{name} is a series and can't be called; shift({name}, 1) is the one before.", tree.func
        )
    if name in RESERVED_NAMES:
        raise context.error_at(f"{name} isn't supported yet in rules.", tree)
    definition = indicator(name)
    if name not in BUILTINS and definition is None:
        raise _unknown_function(context, tree.func)
    for argument in tree.args:
        if isinstance(argument, ast.Starred):
            raise context.error_at("* before a value isn't part of the rule language.", argument)
    if definition is None:
        return parse_builtin(context, tree, name, parse)
    return _indicator(context, tree, definition, parse)


def _unknown_function(context: ParseContext, tree: ast.Name) -> RuleErrors:
    suggestion = closest_function(tree.id)
    hint = f"; did you mean {suggestion}?" if suggestion else "; the query `indicators` lists them all."
    return context.error_at(f"There is no function {tree.id[:MAX_SHOWN]!r}{hint}", tree, suggestion)


def _indicator(
    context: ParseContext, tree: ast.Call, definition: IndicatorDefinition, parse: ParseNode
) -> IndicatorCall:
    given = [argument for argument in tree.args if not _is_average_name(context, argument)]
    nodes = dict(zip(given, parse_all(context, given, parse), strict=True))
    count = _input_count(tree.args, nodes, definition)
    inputs = _inputs(context, tree, definition, [nodes[argument] for argument in tree.args[:count]])
    arguments_by_parameter = _bind_parameters(context, tree, definition, count)
    values = _values(context, definition, arguments_by_parameter, parse)
    error = combination_error(definition, values)
    if error:
        raise context.error_at(f"{error}.", tree)
    return IndicatorCall(definition, inputs, values)


def _is_average_name(context: ParseContext, tree: ast.expr) -> bool:
    return isinstance(tree, ast.Name) and tree.id in MOVING_AVERAGES and tree.id not in context.parameters


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
    return (*given, *(Price(name) for name in definition.inputs[len(given) :]))


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
    parse: ParseNode,
) -> tuple[float, ...]:
    errors: list[RuleError] = []
    values: list[float] = []
    for parameter in definition.parameters:
        try:
            values.append(_value(context, definition, parameter, arguments_by_parameter.get(parameter), parse))
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
    parse: ParseNode,
) -> float:
    if tree is None:
        return float(parameter.default)
    if isinstance(tree, ast.Name) and _is_average_name(context, tree):
        if parameter.kind is ParameterKind.MOVING_AVERAGE:
            return float(MOVING_AVERAGES.index(tree.id))
        raise context.error_at(f"{parameter.name} of {definition.name} is {parameter.kind.value}, not {tree.id}.", tree)
    return _number(context, definition, parameter, tree, parse(context, tree))


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
