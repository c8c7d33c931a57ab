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
from domain.indicators.compute import combination_fault, parameter_fault
from domain.strategies.builtins import read_helper
from domain.strategies.errors import RuleError, RuleErrors
from domain.strategies.expressions import IndicatorCall, Node, Number, Output, Price
from domain.strategies.parse_context import HELPERS, LATER, SHOWN, Read, Reading, nearest_function, read_all


def read_call(reading: Reading, tree: ast.Call, read: Read) -> Node:
    """Return the value of a call; raise RuleErrors, also where it has several."""
    call = _function(reading, tree, read)
    if not isinstance(call, IndicatorCall):
        return call
    outputs = call.definition.short_outputs
    if len(outputs) > 1:
        message = f"{call.definition.name} has several outputs: {', '.join(outputs)}"
        raise reading.wrong(f"{message}; write {reading.shown(tree)}.{outputs[0]} for the first.", tree)
    return Output(call, 0)


def read_output(reading: Reading, tree: ast.Attribute, read: Read) -> Node:
    """Return one output of a call, as in `macd(close).hist`; raise RuleErrors."""
    if not isinstance(tree.value, ast.Call):
        message = "A dot stands only after a function with several outputs, as in macd(close).hist."
        raise reading.wrong(message, tree)
    call = _function(reading, tree.value, read)
    if not isinstance(call, IndicatorCall) or len(call.definition.outputs) == 1:
        raise reading.wrong(f"{reading.shown(tree.value)} has one value; leave out .{tree.attr[:SHOWN]}.", tree)
    place = call.definition.output_aliases.get(tree.attr)
    if place is None:
        raise _no_output(reading, tree, call.definition)
    return Output(call, place)


def _no_output(reading: Reading, tree: ast.Attribute, definition: IndicatorDefinition) -> RuleErrors:
    outputs = ", ".join(definition.short_outputs)
    message = f"{definition.name} has no output {tree.attr[:SHOWN]!r}; it has {outputs}."
    _, end = reading.span(tree)
    suggestion = closest_match(tree.attr[:SHOWN], definition.output_aliases)
    return RuleErrors([RuleError(message, end - len(tree.attr), end, suggestion)])


def _function(reading: Reading, tree: ast.Call, read: Read) -> Node:
    if not isinstance(tree.func, ast.Name):
        raise reading.wrong("Only a function's name can be called, as in sma(close, 20).", tree.func)
    name = tree.func.id
    if name in reading.parameters:
        raise reading.wrong(f"{name} is a parameter and can't be called.", tree.func)
    if name in PRICES:
        raise reading.wrong(f"{name} is a series and can't be called; shift({name}, 1) is the one before.", tree.func)
    if name in LATER:
        raise reading.wrong(f"{name} isn't supported yet in rules.", tree)
    definition = indicator(name)
    if name not in HELPERS and definition is None:
        raise _unknown(reading, tree.func)
    for argument in tree.args:
        if isinstance(argument, ast.Starred):
            raise reading.wrong("* before a value isn't part of the rule language.", argument)
    if definition is None:
        return read_helper(reading, tree, name, read)
    return _indicator(reading, tree, definition, read)


def _unknown(reading: Reading, tree: ast.Name) -> RuleErrors:
    suggestion = nearest_function(tree.id)
    hint = f"; did you mean {suggestion}?" if suggestion else "; the query `indicators` lists them all."
    return reading.wrong(f"There is no function {tree.id[:SHOWN]!r}{hint}", tree, suggestion)


def _indicator(reading: Reading, tree: ast.Call, definition: IndicatorDefinition, read: Read) -> IndicatorCall:
    given = [argument for argument in tree.args if not _is_average_name(reading, argument)]
    nodes = dict(zip(given, read_all(reading, given, read), strict=True))
    count = _input_count(tree.args, nodes, definition)
    inputs = _inputs(reading, tree, definition, [nodes[argument] for argument in tree.args[:count]])
    places = _places(reading, tree, definition, count)
    values = _values(reading, definition, places, read)
    fault = combination_fault(definition, values)
    if fault:
        raise reading.wrong(f"{fault}.", tree)
    return IndicatorCall(definition, inputs, values)


def _is_average_name(reading: Reading, tree: ast.expr) -> bool:
    return isinstance(tree, ast.Name) and tree.id in MOVING_AVERAGES and tree.id not in reading.parameters


def _input_count(arguments: Sequence[ast.expr], nodes: Mapping[ast.expr, Node], definition: IndicatorDefinition) -> int:
    if not definition.parameters:
        return len(arguments)
    series = [argument in nodes and not isinstance(nodes[argument], Number) for argument in arguments]
    return series.index(False) if False in series else len(series)


def _inputs(
    reading: Reading, tree: ast.Call, definition: IndicatorDefinition, given: Sequence[Node]
) -> tuple[Node, ...]:
    total = len(definition.inputs)
    allowed = {total} if definition.needs_inputs else {0, definition.free_inputs, total}
    if len(given) not in allowed:
        raise reading.wrong(_input_message(definition, len(given)), tree)
    return (*given, *(Price(name) for name in definition.inputs[len(given) :]))


def _input_message(definition: IndicatorDefinition, count: int) -> str:
    name, total = definition.name, len(definition.inputs)
    series = ", ".join(definition.inputs) if not definition.needs_inputs else ", ".join("ab"[:total])
    message = f"{name} takes {total} series, as in {name}({series}{', …' if definition.parameters else ''}); "
    hint = f" For the {name} of two numbers write {name}imum(a, b)." if name in {"min", "max"} else ""
    return f"{message}{count} {'was' if count == 1 else 'were'} given.{hint}"


def _places(
    reading: Reading, tree: ast.Call, definition: IndicatorDefinition, inputs: int
) -> dict[IndicatorParameter, ast.expr]:
    parameters, positional = definition.parameters, tree.args[inputs:]
    if len(positional) > len(parameters):
        raise reading.wrong(f"{definition.name} {_takes(definition)}; one too many is given.", positional[-1])
    places = dict(zip(parameters, positional, strict=False))
    for keyword in tree.keywords:
        parameter = next((each for each in parameters if each.name == keyword.arg), None)
        if parameter is None:
            raise _no_parameter(reading, keyword, definition)
        if parameter in places:
            raise reading.wrong(f"{parameter.name} of {definition.name} is given twice.", keyword)
        places[parameter] = keyword.value
    return places


def _takes(definition: IndicatorDefinition) -> str:
    names = ", ".join(parameter.name for parameter in definition.parameters)
    return f"takes the parameters {names}" if names else "takes no parameters"


def _no_parameter(reading: Reading, keyword: ast.keyword, definition: IndicatorDefinition) -> RuleErrors:
    name = keyword.arg or "**"
    start, _ = reading.span(keyword)
    suggestion = closest_match(name[:SHOWN], [parameter.name for parameter in definition.parameters])
    message = f"{definition.name} has no parameter {name[:SHOWN]!r}; it {_takes(definition)}."
    return RuleErrors([RuleError(message, start, start + len(name), suggestion)])


def _values(
    reading: Reading, definition: IndicatorDefinition, places: Mapping[IndicatorParameter, ast.expr], read: Read
) -> tuple[float, ...]:
    errors: list[RuleError] = []
    values: list[float] = []
    for parameter in definition.parameters:
        try:
            tree = places.get(parameter)
            values.append(
                float(parameter.default) if tree is None else _value(reading, definition, parameter, tree, read)
            )
        except RuleErrors as found:
            errors.extend(found.errors)
    if errors:
        raise RuleErrors(errors)
    return tuple(values)


def _value(
    reading: Reading, definition: IndicatorDefinition, parameter: IndicatorParameter, tree: ast.expr | None, read: Read
) -> float:
    if tree is None:
        return float(parameter.default)
    if isinstance(tree, ast.Name) and _is_average_name(reading, tree):
        if parameter.kind is ParameterKind.MOVING_AVERAGE:
            return float(MOVING_AVERAGES.index(tree.id))
        raise reading.wrong(f"{parameter.name} of {definition.name} is {parameter.kind.value}, not {tree.id}.", tree)
    return _number(reading, definition, parameter, tree, read(reading, tree))


def _number(
    reading: Reading, definition: IndicatorDefinition, parameter: IndicatorParameter, tree: ast.expr, node: Node
) -> float:
    name = f"{parameter.name} of {definition.name}"
    if not isinstance(node, Number):
        shown = reading.shown(tree)
        raise reading.wrong(f"{name} must be a number or a parameter; {shown} changes from bar to bar.", tree)
    fault = parameter_fault(parameter, node.value)
    if fault:
        raise reading.wrong(f"{name} {fault}.", tree)
    return node.value
