"""Judges the values that a trading session or a backtest gives to a strategy's parameters."""

from domain.core.errors import ErrorCode, InputError, InputErrors
from domain.model.definitions import StrategyDefinition
from domain.model.markets import Timeframe
from domain.model.trading import ParameterValue
from domain.strategies.compiled import compile_definition


def parameter_value_errors(
    definition: StrategyDefinition, values: tuple[ParameterValue, ...], timeframe: Timeframe
) -> list[InputError]:
    """Return the errors of the values, by themselves or in the rules that use them; paths are those of an input."""
    names = [value.name for value in values]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        message = f"{repeated[0][:40]!r} is given twice."
        return [InputError(ErrorCode.INVALID, message, ("input", "parameters"))]
    try:
        compile_definition(definition, {value.name: value.value for value in values}, timeframe)
    except InputErrors as found:
        return [_under_input(error, names) for error in found.errors]
    return []


def all_parameter_values(
    definition: StrategyDefinition, values: tuple[ParameterValue, ...]
) -> tuple[ParameterValue, ...]:
    """Return the value of each parameter of the definition: the given one, or else its default."""
    given = {value.name: value.value for value in values}
    return tuple(
        ParameterValue(parameter.name, given.get(parameter.name, parameter.default))
        for parameter in definition.parameters
    )


def _under_input(error: InputError, names: list[str]) -> InputError:
    """Return the error with its path in the request, in which parameters are a list."""
    if not error.path:
        return InputError(ErrorCode.INVALID, error.message, ("input", "timeframe"))
    field, *rest = error.path
    if field == "parameters" and rest and rest[0] in names:
        return InputError(error.code, error.message, ("input", "parameters", str(names.index(rest[0]))))
    if field == "parameters":
        return InputError(error.code, error.message, ("input", "parameters"))
    return InputError(ErrorCode.INVALID, f"{field}: {error.message}", ("input", "parameters"))
