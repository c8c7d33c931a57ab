"""Validates a strategy definition, and names what of it can be stored but not traded yet."""

from collections.abc import Iterator
from decimal import Decimal

from domain.core.errors import ErrorCode
from domain.indicators.warmup import EXACT, LOOSEST
from domain.model.definitions import OrderStyle, Sizing, StrategyDefinition, chosen_fields
from domain.model.orders import OrderType, TimeInForce
from domain.strategies.compiled import compiled_strategy
from domain.strategies.definition_parser import parse_rules
from domain.strategies.distances import HUNDRED, LARGEST, distance_errors, is_within, not_one
from domain.strategies.errors import DefinitionError, ValidationResult
from domain.strategies.ladder_validation import add_errors, target_errors
from domain.strategies.parser import LANGUAGE_VERSION
from domain.strategies.user_names import name_and_value_errors, range_errors

__all__ = ["LANGUAGE_VERSION", "DefinitionError", "ValidationResult", "sizing_errors", "unsupported_errors", "validate"]

MAX_HOLDING_BARS = 1_000_000
MAX_GIVE_UP_SECONDS = 7 * 24 * 3_600

_SHORT = "Nothing can be sold short on a spot market, and there are no others yet; use rules for long alone."
_TIGHTEST, _LOOSEST = Decimal(str(EXACT)), Decimal(str(LOOSEST))
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
        *name_and_value_errors(definition),
        *_tolerance_errors(definition.warm_up_tolerance),
        *_exit_errors(definition),
        *target_errors(definition.targets),
        *add_errors(definition),
        *sizing_errors(definition.sizing, definition),
        *_order_errors(definition.order),
    ]
    if any(error.path and error.path[0] in {"parameters", "let", "warmUpTolerance"} for error in errors):
        return ValidationResult(valid=False, lookback=None, errors=tuple(errors))
    defaults = {parameter.name: parameter.default for parameter in definition.parameters}
    parsed = parse_rules(definition, defaults)
    errors += parsed.errors or range_errors(definition, defaults)
    if errors:
        return ValidationResult(valid=False, lookback=None, errors=tuple(errors))
    compiled = compiled_strategy(definition, parsed, defaults)
    return ValidationResult(valid=True, lookback=compiled.warm_up, errors=(), warm_ups=compiled.function_warm_ups())


def _tolerance_errors(tolerance: Decimal | None) -> Iterator[DefinitionError]:
    if tolerance is not None and not (tolerance.is_finite() and _TIGHTEST <= tolerance <= _LOOSEST):
        message = f"warmUpTolerance is {tolerance}; it must be between {_TIGHTEST:f} and {_LOOSEST:f}."
        yield DefinitionError(message, ("warmUpTolerance",))


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
