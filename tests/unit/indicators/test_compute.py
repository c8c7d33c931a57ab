"""The catalogue lists what TA-Lib has, and indicators are computed with checked parameters."""

from decimal import Decimal

import numpy as np
import pytest

from domain.core.errors import ErrorCode, InputError, InputErrors
from domain.indicators.candle_arrays import candle_arrays
from domain.indicators.catalogue import IndicatorDefinition, IndicatorParameter, ParameterKind, catalogue, indicator
from domain.indicators.compute import compute_indicator, indicator_warm_up
from domain.indicators.library import talib
from domain.indicators.warmup import look_back
from tests.support.candles import flat_candles, random_candles


def test_every_function_of_the_library_is_in_the_catalogue() -> None:
    assert {definition.name.upper() for definition in catalogue()} == set(talib.get_functions())


def test_a_definition_has_title_group_inputs_parameters_and_outputs() -> None:
    macd = indicator("macd")
    assert macd is not None
    assert (macd.title, macd.group) == ("Moving Average Convergence/Divergence", "Momentum Indicators")
    assert macd.inputs == ("close",)
    assert [(parameter.name, parameter.default) for parameter in macd.parameters] == [
        ("fastperiod", Decimal(12)),
        ("slowperiod", Decimal(26)),
        ("signalperiod", Decimal(9)),
    ]
    assert macd.outputs == ("macd", "macdsignal", "macdhist")
    assert macd.short_outputs == ("macd", "signal", "hist")


@pytest.mark.parametrize("definition", [pytest.param(definition, id=definition.name) for definition in catalogue()])
def test_short_names_of_outputs_are_distinct(definition: IndicatorDefinition) -> None:
    assert len(set(definition.short_outputs)) == len(definition.outputs)


@pytest.mark.parametrize(
    "definition", [pytest.param(definition, id=definition.name) for definition in catalogue() if definition.parameters]
)
def test_the_range_of_a_parameter_is_that_of_the_library(definition: IndicatorDefinition) -> None:
    inputs = [np.linspace(100.0, 200.0, 400) + np.sin(np.arange(400)) for _ in definition.inputs]
    function = getattr(talib, definition.name.upper())
    for place, parameter in enumerate(definition.parameters):
        arguments = [_argument(parameter, parameter.default) for parameter in definition.parameters]
        arguments[place] = _argument(parameter, parameter.minimum)
        if (definition.name, parameter.name) != ("mavp", "maxperiod"):  # whose default minimum is above it
            function(*inputs, *arguments)
        arguments[place] = _argument(parameter, parameter.minimum) - 1
        if abs(parameter.minimum) < 10**6:
            with pytest.raises(Exception, match=r"Bad Parameter"):
                function(*inputs, *arguments)


def _argument(parameter: IndicatorParameter, value: Decimal) -> float | int:
    return float(value) if parameter.kind is ParameterKind.REAL else int(value)


def test_a_computed_indicator_is_the_librarys_own() -> None:
    candles = random_candles(200, 1)
    bands = compute_indicator("BBANDS", {"timeperiod": Decimal(20), "nbdevup": 1.5}, candles)
    expected = talib.BBANDS(candles.close, 20, 1.5, 2.0, 0)
    assert list(bands) == ["upperband", "middleband", "lowerband"]
    for ours, theirs in zip(bands.values(), expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_values_before_the_look_back_are_missing_also_for_whole_numbers() -> None:
    patterns = compute_indicator("cdldoji", {}, random_candles(50, 1))["integer"]
    assert np.isnan(patterns[:10]).all()
    assert np.isfinite(patterns[10:]).all()


def test_too_few_candles_give_no_values_and_no_error() -> None:
    for count in (0, 1, 5):
        values = compute_indicator("adx", {}, random_candles(count, 1))["real"]
        assert len(values) == count
        assert np.isnan(values).all()


def test_the_place_of_an_extreme_is_given_in_bars_ago() -> None:
    candles = random_candles(300, 4)
    ago = compute_indicator("maxindex", {"timeperiod": 30}, candles)["integer"]
    window = candles.close[-30:]
    assert ago[-1] == 29 - int(np.argmax(window))


def test_a_difference_in_a_market_that_does_not_move_is_zero() -> None:
    for name, output in (("macd", "macdhist"), ("linearreg_slope", "real"), ("ao", "real"), ("ppo", "real")):
        values = compute_indicator(name, {}, flat_candles(300))[output]
        assert (values[100:] == 0.0).all(), name


def test_an_unknown_indicator_is_answered_with_the_nearest_name() -> None:
    with pytest.raises(InputError, match="did you mean rsi") as caught:
        compute_indicator("rsii", {}, random_candles(10, 1))
    assert caught.value.code is ErrorCode.NOT_FOUND


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("rsi", {"timeperiod": 1}, "between 2 and 100000, not 1"),
        ("rsi", {"timeperiod": Decimal("14.5")}, "whole number"),
        ("rsi", {"timperiod": 14}, "did you mean timeperiod"),
        ("rsi", {"timeperiod": Decimal("1e400")}, "finite"),
        ("rsi", {"timeperiod": Decimal("NaN")}, "finite"),
        ("bbands", {"matype": 14}, "one of sma, ema"),
        ("percentile", {"percentile": 101}, "between 0 and 100"),
        ("bop", {"timeperiod": 3}, "no parameters"),
        ("bop", {"x" * 500: 3}, "no parameters"),
    ],
)
def test_a_wrong_parameter_is_answered_with_what_is_right(
    name: str, parameters: dict[str, Decimal | float], message: str
) -> None:
    with pytest.raises(InputErrors, match=message) as caught:
        compute_indicator(name, parameters, random_candles(10, 1))
    assert caught.value.errors[0].path == ("parameters", next(iter(parameters)))


def test_parameters_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(InputErrors, match="these parameters together"):
        compute_indicator("mavp", {"minperiod": 30, "maxperiod": 2}, random_candles(10, 1))


@pytest.mark.parametrize("definition", [pytest.param(definition, id=definition.name) for definition in catalogue()])
def test_every_indicator_over_candles_is_the_librarys_own(definition: IndicatorDefinition) -> None:
    candles = random_candles(400, 3)
    periods = talib.HT_DCPERIOD(candles.close)
    series = [periods if name == "periods" else candles.series(name) for name in definition.inputs]
    start = 32 if "periods" in definition.inputs else 0  # the first value of the cycle
    result = getattr(talib, definition.name.upper())(*(values[start:] for values in series))
    expected = result if isinstance(result, (tuple, list)) else [result]
    ours = compute_indicator(definition.name, {}, candles)
    assert list(ours) == list(definition.outputs)
    for output, theirs in zip(ours.values(), expected, strict=True):
        known = np.isfinite(output)
        values = theirs.astype(float)
        if definition.name.endswith("index"):  # ours are in bars ago
            values = np.arange(start, 400) - values
        np.testing.assert_allclose(output[start:][known[start:]], values[known[start:]], rtol=0, atol=1e-7)
        missing = ~known[start:] & np.isfinite(theirs.astype(float))
        assert not missing[look_back(definition, _defaults(definition)) :].any()


def _defaults(definition: IndicatorDefinition) -> tuple[float, ...]:
    return tuple(float(parameter.default) for parameter in definition.parameters)


def test_an_indicator_is_computed_of_the_series_that_are_named() -> None:
    candles = random_candles(200, 1)
    of_volume = compute_indicator("sma", {"timeperiod": 5}, candles, ["Volume"])["real"]
    np.testing.assert_array_equal(of_volume, talib.SMA(candles.volume, 5))
    of_typical = compute_indicator("rsi", {}, candles, ["typprice"])["real"]
    np.testing.assert_array_equal(of_typical, talib.RSI(talib.TYPPRICE(candles.high, candles.low, candles.close), 14))
    spread = compute_indicator("sub", {}, candles, ["close", "sma"])["real"]
    np.testing.assert_array_equal(spread[40:], (candles.close - talib.SMA(candles.close, 30))[40:])
    assert indicator_warm_up("sma", {"timeperiod": 5}, ["sma"]) == 29 + 4


@pytest.mark.parametrize(
    ("name", "inputs", "message"),
    [
        ("sma", ["close", "open"], r"sma takes 1 series \(close\), not 2"),
        ("beta", ["close"], r"beta takes 2 series \(high, low\), not 1"),
        ("sma", ["clos"], "no series 'clos'; did you mean close"),
        ("sma", ["macd"], "macd has 3 outputs"),
        ("sma", [""], "A series is open, high, low, close, volume, or an indicator"),
    ],
)
def test_series_that_are_none_are_answered_with_what_is_right(name: str, inputs: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        compute_indicator(name, {}, random_candles(10, 1), inputs)
    assert (caught.value.code, caught.value.path) == (ErrorCode.INVALID, ("inputs",))


def test_the_warm_up_is_given_and_absent_if_there_is_none() -> None:
    assert indicator_warm_up("sma", {"timeperiod": 20}) == 19
    assert indicator_warm_up("ema", {"timeperiod": 26}) > 250
    assert indicator_warm_up("sar", {"acceleration": 0}) is None


def test_candles_become_arrays_of_floats() -> None:
    class Bar:
        open = Decimal("1.5")
        high = Decimal(3)
        low = Decimal("0.25")
        close = Decimal(2)
        volume = Decimal("10.125")

    arrays = candle_arrays([Bar(), Bar()])
    assert len(arrays) == 2
    assert [arrays.series(name)[1] for name in ("open", "high", "low", "close", "volume")] == [
        1.5,
        3.0,
        0.25,
        2.0,
        10.125,
    ]
    assert len(candle_arrays([])) == 0
