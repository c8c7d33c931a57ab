"""Validates a strategy definition, and names what of it can be stored but not traded yet."""

import keyword
import re
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

from domain.core.errors import ErrorCode
from domain.core.money import plain
from domain.indicators.candle_arrays import PRICES
from domain.indicators.catalogue import MOVING_AVERAGES, indicator_names
from domain.model.definitions import (
    OrderStyle,
    Sizing,
    StrategyDefinition,
    StrategyParameter,
    chosen_fields,
)
from domain.model.orders import OrderType, TimeInForce
from domain.strategies.compiled import bars_needed, parse_add_rules, parse_rules
from domain.strategies.distances import HUNDRED, LARGEST, distance_errors, is_within, not_one
from domain.strategies.errors import DefinitionError, ValidationResult
from domain.strategies.evaluation import RuleName
from domain.strategies.ladder_validation import add_errors, target_errors
from domain.strategies.parse_context import BUILTINS, RESERVED_NAMES
from domain.strategies.parser import LANGUAGE_VERSION

__all__ = ["LANGUAGE_VERSION", "DefinitionError", "ValidationResult", "sizing_errors", "unsupported_errors", "validate"]

MAX_PARAMETERS = 32
MAX_NAME_LENGTH = 40
LARGEST_PARAMETER = Decimal(10) ** 15
MAX_HOLDING_BARS = 1_000_000
RANGE_BUDGET = 20_000
"""How many characters of rules are parsed again to try both ends of the parameters' ranges. The start of a trading
session validates its own values in any case, so an error beyond the budget is found later, not never."""
MAX_GIVE_UP_SECONDS = 7 * 24 * 3_600

_SHORT = "Nothing can be sold short on a spot market, and there are no others yet; use rules for long alone."
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_PATHS = {
    "quote_amount": "quoteAmount",
    "equity_percent": "equityPercent",
    "risk_percent": "riskPercent",
    "volatility_percent": "volatilityPercent",
}


def validate(definition: StrategyDefinition) -> ValidationResult:
    """Return whether the definition can be run with its defaults and at both ends of every parameter's range.

    A definition without rules is valid: its trading sessions act on signals from outside.
    """
    errors = [
        *_parameter_errors(definition.parameters),
        *_exit_errors(definition),
        *target_errors(definition.targets),
        *add_errors(definition),
        *sizing_errors(definition.sizing, definition),
        *_order_errors(definition.order),
    ]
    if any(error.path and error.path[0] == "parameters" for error in errors):
        return ValidationResult(valid=False, lookback=None, errors=tuple(errors))
    defaults = {parameter.name: parameter.default for parameter in definition.parameters}
    rules, rule_errors = parse_rules(definition, defaults)
    adds, add_rule_errors = parse_add_rules(definition, defaults)
    errors += [*rule_errors, *add_rule_errors] or _range_errors(definition, defaults)
    lookback = None if errors else bars_needed(definition, [*rules.values(), *adds.values()])
    return ValidationResult(valid=not errors, lookback=lookback, errors=tuple(errors))


def sizing_errors(sizing: Sizing, definition: StrategyDefinition) -> list[DefinitionError]:
    """Return the errors of a sizing for the definition: its own, or one that a trading session sets instead."""
    names = chosen_fields(sizing)
    if len(names) != 1:
        return [not_one(("sizing",), "quoteAmount, equityPercent, riskPercent and volatilityPercent", len(names))]
    (name,) = names
    value: Decimal = getattr(sizing, name)
    limit = LARGEST if name == "quote_amount" else HUNDRED
    path = ("sizing", _PATHS[name])
    if not is_within(value, limit):
        return [DefinitionError(f"{_PATHS[name]} is {value}; it must be greater than 0 and at most {limit:f}.", path)]
    if name == "risk_percent" and definition.stop_loss is None and definition.trailing_stop is None:
        message = "riskPercent is what a hit stop loses, so it needs stopLoss (or trailingStop)."
        return [DefinitionError(message, path)]
    return []


def unsupported_errors(definition: StrategyDefinition) -> list[DefinitionError]:
    """Return an UNSUPPORTED error for each part of the definition that trading sessions can't carry out yet."""
    found = [
        ("enterShort", definition.enter_short, _SHORT),
        ("exitShort", definition.exit_short, _SHORT),
    ]
    return [
        DefinitionError(message, (name,), code=ErrorCode.UNSUPPORTED)
        for name, part, message in found
        if part is not None
    ]


def _parameter_errors(parameters: tuple[StrategyParameter, ...]) -> Iterator[DefinitionError]:
    if len(parameters) > MAX_PARAMETERS:
        message = f"{len(parameters)} parameters are given; at most {MAX_PARAMETERS} are allowed."
        yield DefinitionError(message, ("parameters",))
        return
    seen: set[str] = set()
    for index, parameter in enumerate(parameters):
        error = _name_error(parameter.name, seen)
        if error:
            yield DefinitionError(error, ("parameters", str(index), "name"))
        seen.add(parameter.name)
        for field, error in _value_errors(parameter):
            yield DefinitionError(f"{field} {error}.", ("parameters", str(index), field))


def _name_error(name: str, seen: set[str]) -> str | None:
    shown = name[:MAX_NAME_LENGTH]
    if len(name) > MAX_NAME_LENGTH or not _NAME.fullmatch(name):
        return f"{shown!r} can't be a name; use up to {MAX_NAME_LENGTH} ASCII letters, digits and _, a letter first."
    if name in seen:
        return f"{shown!r} is given twice; each parameter needs a name of its own."
    if keyword.iskeyword(name) or name in {*PRICES, *BUILTINS, *RESERVED_NAMES, *MOVING_AVERAGES, *indicator_names()}:
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


def _range_errors(definition: StrategyDefinition, defaults: dict[str, Decimal]) -> list[DefinitionError]:
    errors = []
    budget = RANGE_BUDGET
    for index, parameter in enumerate(definition.parameters):
        concerned = _only_with(definition, parameter.name)
        for field, value in (("min", parameter.min), ("max", parameter.max)):
            budget -= _length(concerned)
            if value is None or value == parameter.default or budget < 0:
                continue
            values = {**defaults, parameter.name: value}
            found = parse_rules(concerned, values)[1] + parse_add_rules(concerned, values)[1]
            if found:
                message = f"With {parameter.name} at its {field}, {plain(value)}: {found[0].message}"
                errors.append(DefinitionError(message, ("parameters", str(index), field)))
    return errors


def _only_with(definition: StrategyDefinition, name: str) -> StrategyDefinition:
    word = re.compile(rf"\b{name}\b")

    def kept(rule: str | None) -> str | None:
        return rule if rule and word.search(rule) else None

    return replace(
        definition,
        enter_long=kept(definition.enter_long),
        exit_long=kept(definition.exit_long),
        enter_short=kept(definition.enter_short),
        exit_short=kept(definition.exit_short),
        adds=tuple(replace(add, rule=kept(add.rule)) for add in definition.adds),
    )


def _length(definition: StrategyDefinition) -> int:
    texts = (*(getattr(definition, rule.value) for rule in RuleName), *(add.rule for add in definition.adds))
    return sum(len(text or "") for text in texts)


def _exit_errors(definition: StrategyDefinition) -> Iterator[DefinitionError]:
    exits = {
        "stopLoss": (definition.stop_loss, True),
        "takeProfit": (definition.take_profit, False),
        "trailingStop": (definition.trailing_stop, True),
    }
    for path, (distance, is_below) in exits.items():
        if distance is not None:
            yield from distance_errors((path,), distance, is_below=is_below)
    bars = definition.max_holding_bars
    if bars is not None and not 1 <= bars <= MAX_HOLDING_BARS:
        message = f"maxHoldingBars is {bars}; it must be between 1 and {MAX_HOLDING_BARS}."
        yield DefinitionError(message, ("maxHoldingBars",))


def _order_errors(order: OrderStyle) -> Iterator[DefinitionError]:
    if order.type not in {OrderType.MARKET, OrderType.LIMIT}:
        message = f"type is {order.type}; a strategy enters by MARKET or LIMIT."
        yield DefinitionError(message, ("order", "type"))
        return
    if order.type is OrderType.MARKET:
        yield from _market_errors(order)
        return
    offset, seconds = order.offset_bps, order.give_up_after_seconds
    if offset is not None and not (offset.is_finite() and 0 <= offset < 10_000):  # noqa: PLR2004  # 100 %
        message = f"offsetBps is {offset}; it must be at least 0 and less than 10000."
        yield DefinitionError(message, ("order", "offsetBps"))
    if seconds is not None and not 1 <= seconds <= MAX_GIVE_UP_SECONDS:
        message = f"giveUpAfterSeconds is {seconds}; it must be between 1 and {MAX_GIVE_UP_SECONDS}."
        yield DefinitionError(message, ("order", "giveUpAfterSeconds"))
    if order.post_only and order.time_in_force in {TimeInForce.IOC, TimeInForce.FOK}:
        message = f"postOnly rests at the venue, which {order.time_in_force} never does; leave one of them out."
        yield DefinitionError(message, ("order", "postOnly"))
    if order.time_in_force is TimeInForce.GTD and seconds is None:
        message = "GTD needs giveUpAfterSeconds, which says until when."
        yield DefinitionError(message, ("order", "timeInForce"))


def _market_errors(order: OrderStyle) -> Iterator[DefinitionError]:
    given = {
        "offsetBps": order.offset_bps is not None,
        "timeInForce": order.time_in_force is not None,
        "postOnly": order.post_only,
        "giveUpAfterSeconds": order.give_up_after_seconds is not None,
    }
    for path, is_given in given.items():
        if is_given:
            message = f"{path} is for LIMIT orders; with MARKET leave it out, or set type to LIMIT."
            yield DefinitionError(message, ("order", path))
