"""An indicator over stored candles: the candles that it needs, and its values with their times."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from domain.core.errors import ErrorCode, InputError
from domain.indicators.candle_arrays import PRICES, CandleArrays, Floats, candle_arrays
from domain.indicators.compute import compute_indicator, find_indicator, indicator_warm_up, parameter_values
from domain.indicators.inputs import input_names
from domain.indicators.warmup import look_back
from domain.model.markets import Candle, Timeframe
from domain.model.trading import ParameterValue

MAX_TIMES = 5_000
"""How many values a series has at most."""

MAX_WARM_UP = 20_000
"""How many candles before the first returned one are read at most."""


@dataclass(frozen=True, slots=True)
class IndicatorOutput:
    """One series of values, None during the look-back."""

    name: str
    values: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class IndicatorSeries:
    """An indicator's outputs and the open times of their candles, oldest first, with all of its parameters."""

    name: str
    timeframe: Timeframe
    inputs: tuple[str, ...]
    parameters: tuple[ParameterValue, ...]
    times: tuple[datetime, ...]
    outputs: tuple[IndicatorOutput, ...]


@dataclass(frozen=True, slots=True)
class IndicatorQuery:
    """A valid indicator with all its parameters, and the number of candles needed before the first returned one."""

    name: str
    parameters: tuple[ParameterValue, ...]
    inputs: tuple[str, ...]
    bars_before: int


def indicator_query(name: str, parameters: Mapping[str, Decimal], inputs: Sequence[str] = ()) -> IndicatorQuery:
    """Return the query; raises InputError or InputErrors, with suggestions, for what can't be computed.

    Running sums without end, such as OBV, start at the first candle of the series.
    """
    definition = find_indicator(name)
    values = parameter_values(definition, parameters)
    given = tuple(
        ParameterValue(parameter.name, parameters.get(parameter.name, parameter.default))
        for parameter in definition.parameters
    )
    bars = indicator_warm_up(name, parameters, inputs)
    before = look_back(definition, values) if bars is None else bars
    if before > MAX_WARM_UP:
        message = f"{definition.name} needs {before:,} earlier candles with these parameters; at most {MAX_WARM_UP:,}."
        raise InputError(ErrorCode.INVALID, message, ["parameters"])
    return IndicatorQuery(definition.name, given, input_names(definition, inputs), before)


def indicator_series(query: IndicatorQuery, candles: Sequence[Candle], count: int) -> IndicatorSeries:
    """Return the values at the last `count` of `candles`, which are of one timeframe, oldest first, at least one.

    The computation starts again after a gap between candles.
    """
    times = tuple(candle.open_time for candle in candles[-count:])
    indexes, arrays = _with_gaps(candles)
    parameters = {parameter.name: parameter.value for parameter in query.parameters}
    outputs = compute_indicator(query.name, parameters, arrays, query.inputs)
    return IndicatorSeries(
        query.name,
        candles[0].timeframe,
        query.inputs,
        query.parameters,
        times,
        tuple(IndicatorOutput(name, _values(values[indexes][-count:])) for name, values in outputs.items()),
    )


def _with_gaps(candles: Sequence[Candle]) -> tuple[npt.NDArray[np.intp], CandleArrays]:
    """Return arrays with one bar of NaN for each gap, and the index of each candle in them."""
    arrays = candle_arrays(candles)
    pairs = enumerate(pairwise(candles), start=1)
    gaps = [number for number, (candle, next_) in pairs if next_.open_time != candle.close_time]
    indexes = np.arange(len(candles)) + np.searchsorted(gaps, np.arange(len(candles)), side="right")
    return indexes, CandleArrays(*(np.insert(arrays.series(name), gaps, np.nan) for name in PRICES), gapless=not gaps)


def _values(values: Floats) -> tuple[float | None, ...]:
    return tuple(None if np.isnan(value) else value for value in values.tolist())
