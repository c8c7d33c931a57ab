"""An indicator over stored candles: which candles it takes, and its values beside their times."""

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
"""How many candles before the first one shown are read at most."""


@dataclass(frozen=True, slots=True)
class IndicatorOutput:
    """One series of values, None where the look-back isn't filled."""

    name: str
    values: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class IndicatorSeries:
    """An indicator's outputs beside the open times of closed candles, oldest first; all of its parameters are told."""

    name: str
    timeframe: Timeframe
    inputs: tuple[str, ...]
    parameters: tuple[ParameterValue, ...]
    times: tuple[datetime, ...]
    outputs: tuple[IndicatorOutput, ...]


@dataclass(frozen=True, slots=True)
class IndicatorQuery:
    """A checked indicator with all its parameters, and the candles that it needs before the first one shown."""

    name: str
    parameters: tuple[ParameterValue, ...]
    inputs: tuple[str, ...]
    bars_before: int


def indicator_query(name: str, parameters: Mapping[str, Decimal], inputs: Sequence[str] = ()) -> IndicatorQuery:
    """Return the query; raise InputError or InputErrors, which name what was meant, for what can't be computed.

    Running sums, which depend on their beginning for ever, begin where the series does.
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


def indicator_series(query: IndicatorQuery, candles: Sequence[Candle], shown: int) -> IndicatorSeries:
    """Return the values at the last `shown` of `candles`, which are of one timeframe, oldest first, at least one.

    After a gap between candles the computation begins anew.
    """
    times = tuple(candle.open_time for candle in candles[-shown:])
    places, arrays = _with_gaps(candles)
    parameters = {each.name: each.value for each in query.parameters}
    outputs = compute_indicator(query.name, parameters, arrays, query.inputs)
    return IndicatorSeries(
        query.name,
        candles[0].timeframe,
        query.inputs,
        query.parameters,
        times,
        tuple(IndicatorOutput(name, _values(values[places][-shown:])) for name, values in outputs.items()),
    )


def _with_gaps(candles: Sequence[Candle]) -> tuple[npt.NDArray[np.intp], CandleArrays]:
    """Return where each candle is in arrays that have one bar without values in the place of each gap."""
    arrays = candle_arrays(candles)
    pairs = enumerate(pairwise(candles), start=1)
    gaps = [number for number, (one, next_) in pairs if next_.open_time != one.close_time]
    places = np.arange(len(candles)) + np.searchsorted(gaps, np.arange(len(candles)), side="right")
    return places, CandleArrays(*(np.insert(arrays.series(name), gaps, np.nan) for name in PRICES), gapless=not gaps)


def _values(values: Floats) -> tuple[float | None, ...]:
    return tuple(None if np.isnan(value) else value for value in values.tolist())
