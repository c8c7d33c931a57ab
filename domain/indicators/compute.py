"""Computes indicators over series by TA-Lib, with validated parameters, one gap-free stretch at a time."""

import math
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

import numpy as np
import numpy.typing as npt

from domain.core.errors import ErrorCode, InputError, InputErrors
from domain.core.money import plain
from domain.core.text import closest_match
from domain.indicators.candle_arrays import PRICES, CandleArrays, Floats
from domain.indicators.catalogue import (
    MOVING_AVERAGES,
    IndicatorDefinition,
    IndicatorParameter,
    ParameterKind,
    indicator,
    indicator_names,
)
from domain.indicators.inputs import input_names
from domain.indicators.library import talib
from domain.indicators.warmup import NEVER, look_back, warm_up

MAX_BARS = 100_000
"""The longest look-back that a computation may be asked for."""

_INDEXES = frozenset({"maxindex", "minindex", "minmaxindex"})
_PRICE_DIFFERENCES = frozenset(
    {"ac", "ao", "apo", "dpo", "eri", "linearreg_slope", "macd", "macdext", "macdfix", "mom", "qstick"}
)
_PERCENT_DIFFERENCES = frozenset({"fosc", "ppo", "pvo", "trix"})
_AVERAGES = {"dema", "ema", "macd", "macdfix", "sma", "t3", "tema", "trima", "wma"}
_LINES = {"linearreg", "linearreg_intercept", "linearreg_slope", "tsf"}
_PRICES = {"avgprice", "max", "medprice", "midpoint", "midprice", "min", "sum", "typprice", "wclprice"}
_MOVES = {"atr", "minus_dm", "mom", "obv", "plus_dm", "trange"}
_PATTERNS = {name for name in indicator_names() if name.startswith("cdl")}
_FINITE = frozenset(_AVERAGES | _LINES | _PRICES | _MOVES | _PATTERNS)
"""Functions of sums, differences, extremes and constant factors, or of whole numbers: finite for finite inputs."""

_NOISE = 1e-12
_BLOCK = 16_384
"""How many values are processed together, so that they stay in the processor's cache."""


def parameter_error(parameter: IndicatorParameter, value: float) -> str | None:
    """Return why a parameter's value is invalid, as the end of a sentence; None if it is valid."""
    if not math.isfinite(value):
        return f"must be a finite number, not {value}"
    if parameter.kind is not ParameterKind.REAL and not float(value).is_integer():
        return f"must be a whole number, not {value:g}"
    if not parameter.minimum <= Decimal(value) <= parameter.maximum:
        allowed = f"{_bound(parameter.minimum)} and {_bound(parameter.maximum)}"
        if parameter.kind is ParameterKind.MOVING_AVERAGE:
            return f"must be one of {', '.join(MOVING_AVERAGES)}, or their number between {allowed}, not {value:g}"
        return f"must be between {allowed}, not {value:g}"
    return None


def combination_error(definition: IndicatorDefinition, values: tuple[float, ...]) -> str | None:
    """Return why parameters that are each in range are invalid together, as a minimum above its maximum; else None."""
    try:
        _call(definition, [np.ones(1)] * len(definition.inputs), values)
    except Exception:  # noqa: BLE001  # TA-Lib's wrapper raises nothing more special
        return f"{definition.name} can't be computed with these parameters together"
    return None


def compute(
    definition: IndicatorDefinition,
    inputs: Sequence[Floats],
    values: tuple[float, ...],
    hidden: int,
    *,
    gapless: bool = False,
) -> tuple[Floats, ...]:
    """Return the outputs over inputs of one length, NaN for bars without a value; `gapless` inputs have no NaN.

    Each stretch without NaN is computed on its own, since one NaN would stay in TA-Lib's running sums for ever. Its
    first `hidden` bars are NaN. `values` are those of `definition.parameters`, in order and valid. Functions that
    return an index are converted to "bars ago", which doesn't depend on the start of the history.
    """
    length = len(inputs[0])
    if hidden < length and (gapless or all(map(_is_finite, inputs))):
        return tuple(_mask_start(definition, hidden, output) for output in _call(definition, list(inputs), values))
    outputs = tuple(np.full(length, np.nan) for _ in definition.outputs)
    for start, end in _stretches(inputs, hidden + 1):
        results = _call(definition, [series[start:end] for series in inputs], values)
        for output, result in zip(outputs, results, strict=True):
            output[start + hidden : end] = _mask_start(definition, hidden, result)[hidden:]
    return outputs


def compute_indicator(
    name: str, parameters: Mapping[str, Decimal | float], candles: CandleArrays, inputs: Sequence[str] = ()
) -> dict[str, Floats]:
    """Return each output by TA-Lib's name for it, as long as the candles, NaN during the look-back.

    `inputs` are those of `input_names`. The first values of a recursive indicator depend on where the candles begin:
    pass `indicator_warm_up` bars more than are shown. Raises InputError for an unknown name or input, and InputErrors
    for parameters.
    """
    definition = find_indicator(name)
    values = parameter_values(definition, parameters)
    names = input_names(definition, inputs)
    series = [_series(name, candles) for name in names]
    hidden = look_back(definition, values)
    gapless = candles.gapless and all(name in PRICES for name in names)
    outputs = compute(definition, series, values, hidden, gapless=gapless)
    return dict(zip(definition.outputs, outputs, strict=True))


def indicator_warm_up(name: str, parameters: Mapping[str, Decimal | float], inputs: Sequence[str] = ()) -> int | None:
    """Return the bars before the first accurate value; None if every value depends on where the history begins.

    Raises as `compute_indicator` does.
    """
    definition = find_indicator(name)
    others = [series for series in input_names(definition, inputs) if series not in PRICES]
    before = max((indicator_warm_up(other, {}) or 0 for other in others), default=0)
    bars = warm_up(definition, parameter_values(definition, parameters))
    return bars + before if bars < NEVER else None


def _series(name: str, candles: CandleArrays) -> Floats:
    if name in PRICES:
        return np.ascontiguousarray(candles.series(name))
    (output,) = compute_indicator(name, {}, candles).values()
    return output


def find_indicator(name: str) -> IndicatorDefinition:
    """Return the indicator called `name` in any case; raises InputError (NOT_FOUND) with the closest name."""
    definition = indicator(name.lower())
    if definition is not None:
        return definition
    near = closest_match(name[:50], indicator_names())
    hint = f"; did you mean {near}?" if near else "; `indicators` lists them all."
    raise InputError(ErrorCode.NOT_FOUND, f"There is no indicator {name[:50]!r}{hint}", ["name"])


def parameter_values(definition: IndicatorDefinition, parameters: Mapping[str, Decimal | float]) -> tuple[float, ...]:
    """Return the value of each parameter in order, defaults filled in; raises InputErrors for invalid ones."""
    known = {parameter.name: parameter for parameter in definition.parameters}
    errors = [_unknown(definition, name) for name in parameters if name not in known]
    for name in (name for name in parameters if name in known):
        error = parameter_error(known[name], float(parameters[name]))
        if error:
            errors.append(InputError(ErrorCode.INVALID, f"{name} of {definition.name} {error}.", ["parameters", name]))
    if errors:
        raise InputErrors(errors)
    values = tuple(float(parameters.get(parameter.name, parameter.default)) for parameter in definition.parameters)
    error = combination_error(definition, values)
    if error:
        raise InputErrors([InputError(ErrorCode.INVALID, f"{error}.", ["parameters"])])
    return values


def _unknown(definition: IndicatorDefinition, name: str) -> InputError:
    names = [parameter.name for parameter in definition.parameters]
    takes = ", ".join(names) or "no parameters"
    near = closest_match(name[:50], names)
    hint = f"; did you mean {near}?" if near else f"; it takes {takes}."
    message = f"{definition.name} has no parameter {name[:50]!r}{hint}"
    return InputError(ErrorCode.INVALID, message, ["parameters", name])


def _call(definition: IndicatorDefinition, inputs: list[Floats], values: tuple[float, ...]) -> list[Floats]:
    arguments = [
        value if parameter.kind is ParameterKind.REAL else int(value)
        for parameter, value in zip(definition.parameters, values, strict=True)
    ]
    result = getattr(talib, definition.name.upper())(*inputs, *arguments)
    outputs = result if isinstance(result, (tuple, list)) else [result]
    return [_cleaned(definition, np.asarray(output, dtype=np.float64), inputs) for output in outputs]


def _cleaned(definition: IndicatorDefinition, output: Floats, inputs: list[Floats]) -> Floats:
    if definition.name in _INDEXES:
        return np.arange(len(output)) - output
    # Running sums leave rounding noise if a difference is zero, and noise has a sign.
    if definition.name in _PRICE_DIFFERENCES:
        _zero_noise(output, inputs)
    elif definition.name in _PERCENT_DIFFERENCES:
        output[np.abs(output) <= _NOISE * 100] = 0.0
    return output


def _zero_noise(output: Floats, inputs: list[Floats]) -> None:
    """Set to zero, in place, values that are noise compared with their bar's inputs; few are small enough to check."""
    largest = max(max(float(series.max()), -float(series.min())) for series in inputs)
    for start in range(0, len(output), _BLOCK):
        part = output[start : start + _BLOCK]
        near = np.flatnonzero(np.abs(part) <= _NOISE * largest)
        if len(near):
            noise = _NOISE * np.maximum.reduce([np.abs(series[start + near]) for series in inputs])
            part[near[np.abs(part[near]) <= noise]] = 0.0


def _mask_start(definition: IndicatorDefinition, hidden: int, output: Floats) -> Floats:
    """Set the first `hidden` bars and infinities to NaN, in place, and return the output."""
    output[:hidden] = np.nan
    if definition.name not in _FINITE and not _is_finite(output[hidden:]):
        output[np.isinf(output)] = np.nan
    return output


def _is_finite(series: Floats) -> bool:
    """Return whether every value is finite, by the fastest sum; also False if only the sum is infinite."""
    return math.isfinite(np.einsum("i->", series))


def _stretches(inputs: Sequence[Floats], shortest: int) -> Iterator[tuple[int, int]]:
    present: npt.NDArray[np.bool_] = np.logical_and.reduce([np.isfinite(series) for series in inputs])
    edges = np.flatnonzero(np.diff(np.concatenate(([False], present, [False])).astype(np.int8)))
    starts, ends = edges[::2], edges[1::2]
    long_enough = ends - starts >= shortest
    return zip(starts[long_enough].tolist(), ends[long_enough].tolist(), strict=True)


def _bound(value: Decimal) -> str:
    return plain(value) if abs(value) < MAX_BARS * 10 else f"{value:g}"
