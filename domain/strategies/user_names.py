"""The names that a definition gives, of parameters and of parts of its rules, and the values of its parameters."""

import keyword
import re
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

from domain.core.money import plain
from domain.indicators.catalogue import MOVING_AVERAGES, indicator_names
from domain.model.definitions import NamedPart, StrategyDefinition, StrategyParameter
from domain.strategies.definition_parser import mentions, parse_rules
from domain.strategies.errors import DefinitionError
from domain.strategies.evaluation import RuleName
from domain.strategies.parse_context import RESERVED_NAMES

MAX_PARTS = 32
MAX_PARTS_LENGTH = 8_000
MAX_PARAMETERS = 32
MAX_NAME_LENGTH = 40
LARGEST_PARAMETER = Decimal(10) ** 15
RANGE_BUDGET = 20_000
"""How many characters of rules are parsed again to try both ends of the parameters' ranges. The start of a trading
session validates its own values in any case, so an error beyond the budget is found later, not never."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


def name_and_value_errors(definition: StrategyDefinition) -> Iterator[DefinitionError]:
    """Yield what is wrong with the parameters and the named parts, but for the expressions of the latter."""
    parameters, parts = definition.parameters, definition.let
    if len(parameters) > MAX_PARAMETERS:
        message = f"{len(parameters)} parameters are given; at most {MAX_PARAMETERS} are allowed."
        yield DefinitionError(message, ("parameters",))
        return
    if len(parts) > MAX_PARTS:
        yield DefinitionError(f"{len(parts)} named parts are given; at most {MAX_PARTS} are allowed.", ("let",))
        return
    size = sum(len(part.expression) for part in parts)
    if size > MAX_PARTS_LENGTH:
        message = f"The named parts have {size:,} characters together; at most {MAX_PARTS_LENGTH:,} are allowed."
        yield DefinitionError(message, ("let",))
        return
    seen: set[str] = set()
    for index, parameter in enumerate(parameters):
        error = _name_error(parameter.name, seen)
        if error:
            yield DefinitionError(error, ("parameters", str(index), "name"))
        seen.add(parameter.name)
        for field, error in _value_errors(parameter):
            yield DefinitionError(f"{field} {error}.", ("parameters", str(index), field))
    for index, part in enumerate(parts):
        error = _name_error(part.name, seen)
        if error:
            yield DefinitionError(error, ("let", str(index), "name"))
        seen.add(part.name)


def _name_error(name: str, seen: set[str]) -> str | None:
    shown = name[:MAX_NAME_LENGTH]
    if len(name) > MAX_NAME_LENGTH or not _NAME.fullmatch(name):
        return f"{shown!r} can't be a name; use up to {MAX_NAME_LENGTH} ASCII letters, digits and _, a letter first."
    if name in seen:
        return f"{shown!r} is given twice; each parameter and each part needs a name of its own."
    if keyword.iskeyword(name) or name in {*RESERVED_NAMES, *MOVING_AVERAGES, *indicator_names()}:
        return f"{shown!r} means something in rules already; choose another name."
    return None


def _value_errors(parameter: StrategyParameter) -> Iterator[tuple[str, str]]:
    values = {"default": parameter.default, "min": parameter.min, "max": parameter.max, "step": parameter.step}
    is_invalid = False
    for field, value in values.items():
        if value is not None and not (value.is_finite() and abs(value) <= LARGEST_PARAMETER):
            is_invalid = True
            yield field, f"is {value}; it must be a number within ±{LARGEST_PARAMETER:f}"
    if is_invalid:
        return
    low, high, step = parameter.min, parameter.max, parameter.step
    if low is not None and high is not None and low > high:
        yield "min", f"is {plain(low)}, above max, which is {plain(high)}"
    elif low is not None and parameter.default < low:
        yield "default", f"is {plain(parameter.default)}, below min, which is {plain(low)}"
    elif high is not None and parameter.default > high:
        yield "default", f"is {plain(parameter.default)}, above max, which is {plain(high)}"
    if step is not None and step <= 0:
        yield "step", f"is {plain(step)}; it must be greater than 0"


def range_errors(definition: StrategyDefinition, defaults: dict[str, Decimal]) -> list[DefinitionError]:
    """Return an error for each end of a parameter's range at which a rule that names the parameter can't be parsed."""
    errors = []
    budget = RANGE_BUDGET
    for index, parameter in enumerate(definition.parameters):
        concerned = _only_with(definition, parameter.name)
        for field, value in (("min", parameter.min), ("max", parameter.max)):
            budget -= _length(concerned)
            if value is None or value == parameter.default or budget < 0:
                continue
            found = parse_rules(concerned, {**defaults, parameter.name: value}).errors
            if found:
                message = f"With {parameter.name} at its {field}, {plain(value)}: {found[0].message}"
                errors.append(DefinitionError(message, ("parameters", str(index), field)))
    return errors


def _only_with(definition: StrategyDefinition, name: str) -> StrategyDefinition:
    """Return the definition with only the rules and parts that depend on the parameter, and the parts they use."""
    dependent = {name}
    for part in definition.let:
        if mentions(part.expression, dependent):
            dependent.add(part.name)

    def kept(rule: str | None) -> str | None:
        return rule if rule and mentions(rule, dependent) else None

    concerned = replace(
        definition,
        enter_long=kept(definition.enter_long),
        exit_long=kept(definition.exit_long),
        enter_short=kept(definition.enter_short),
        exit_short=kept(definition.exit_short),
        adds=tuple(replace(add, rule=kept(add.rule)) for add in definition.adds),
    )
    used = [text for text in _rules(concerned) if text]
    parts: list[NamedPart] = []
    for part in reversed(definition.let):
        if part.name in dependent or any(mentions(text, {part.name}) for text in used):
            parts.insert(0, part)
            used.append(part.expression)
    return replace(concerned, let=tuple(parts))


def _length(definition: StrategyDefinition) -> int:
    return sum(len(text or "") for text in (*_rules(definition), *(part.expression for part in definition.let)))


def _rules(definition: StrategyDefinition) -> tuple[str | None, ...]:
    return (*(getattr(definition, rule.value) for rule in RuleName), *(add.rule for add in definition.adds))
