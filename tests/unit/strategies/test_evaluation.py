"""Rules evaluate to the same over a whole series as over the newest window, and to the right values."""

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.core.errors import InputErrors
from domain.indicators.candle_arrays import PRICES, CandleArrays, SeriesKey
from domain.indicators.library import talib
from domain.model.definitions import ExitDistance, Sizing, StrategyDefinition, StrategyParameter
from domain.model.markets import Timeframe
from domain.strategies.compiled import (
    CompiledStrategy,
    atr_warm_up,
    average_true_range,
    average_true_ranges,
    compile_definition,
)
from domain.strategies.errors import DefinitionError
from domain.strategies.evaluation import LatestSignals, MissingCandlesError, RuleName
from domain.strategies.expressions import PositionFacts
from tests.support.candles import flat_candles, random_candles, timed
from tests.support.rule_grammar import cut_at, definitions, hourly_candles

SIZING = Sizing(quote_amount=Decimal(500))
LENGTH = 40
STEP = 3


def compiled(**rules: str) -> CompiledStrategy:
    parameters = (StrategyParameter("n", Decimal(3), Decimal(2), Decimal(50)),)
    return compile_definition(StrategyDefinition(sizing=SIZING, parameters=parameters, **rules))


def values_of(rule: str, candles: CandleArrays) -> list[bool]:
    return compiled(enter_long=rule).evaluate(candles).enter_long.tolist()


def prices(*close: float) -> CandleArrays:
    series = np.array(close, dtype=np.float64)
    return CandleArrays(series.copy(), series + 1, series - 1, series, np.ones(len(series)))


@settings(max_examples=60, deadline=None)
@given(definitions(), st.integers(0, 10_000), st.sampled_from([0.0, 0.5, 5.0]))
def test_the_newest_window_evaluates_to_what_the_whole_series_does(
    definition: StrategyDefinition, seed: int, tick: float
) -> None:
    try:
        strategy = compile_definition(definition, timeframe=Timeframe.H1)
    except InputErrors:  # such as a division by a zero that was folded
        return
    candles = hourly_candles(strategy.warm_up + LENGTH, seed, tick=tick)
    series = strategy.evaluate(candles).enter_long
    bars = range(len(candles) - LENGTH, len(candles), STEP)
    windows = [strategy.latest(cut_at(candles, bar + 1)).enter_long for bar in bars]
    assert series[-LENGTH::STEP].tolist() == windows


@settings(max_examples=60, deadline=None)
@given(definitions(), st.integers(0, 10_000), st.integers(0, LENGTH - 1))
def test_what_comes_later_changes_no_signal(definition: StrategyDefinition, seed: int, bars: int) -> None:
    try:
        strategy = compile_definition(definition, timeframe=Timeframe.H1)
    except InputErrors:
        return
    candles, other = (hourly_candles(strategy.warm_up + LENGTH, each) for each in (seed, seed + 1))
    count = strategy.warm_up + bars + 1
    known, changed = strategy.evaluate(cut_at(candles, count)), strategy.evaluate(_continued(candles, other, count))
    assert known.enter_long.tolist() == changed.enter_long[:count].tolist()


def _continued(candles: CandleArrays, other: CandleArrays, count: int) -> CandleArrays:
    """Return the candles as they were known at the close of that one, and then those of another market."""
    known = cut_at(candles, count)
    others = {key: _joined(known.others[key], other.others[key]) for key in candles.others}
    return replace(_joined(known, other), others=others)


def _joined(known: CandleArrays, other: CandleArrays) -> CandleArrays:
    series = {name: np.append(known.series(name), other.series(name)[len(known) :]) for name in PRICES}
    return replace(other, **series)


@settings(max_examples=60, deadline=None)
@given(definitions(with_position=True), st.integers(0, 10_000), st.integers(0, 500), st.floats(-50, 50))
def test_a_rule_of_the_position_is_the_same_bar_by_bar_as_on_the_newest_candle(
    definition: StrategyDefinition, seed: int, bars: int, percent: float
) -> None:
    try:
        strategy = compile_definition(definition, timeframe=Timeframe.H1)
    except InputErrors:
        return
    candles = hourly_candles(strategy.warm_up + LENGTH, seed)
    position = PositionFacts(bars, percent, candles.close[-1] / (1 + percent / 100))
    rule = strategy.bar_rules(candles)[RuleName.ENTER_LONG]
    assert not any(rule(bar, position) for bar in range(min(strategy.warm_up, 50)))
    for bar in range(len(candles) - LENGTH, len(candles), 7):
        latest = strategy.latest(cut_at(candles, bar + 1), position)
        assert rule(bar, position) == latest.enter_long
    assert not strategy.evaluate(candles).enter_long.any()


def test_the_longer_candle_counts_on_the_candle_that_closes_together_with_it_and_not_before() -> None:
    candles = timed(prices(*range(1, 37)), Timeframe.M5)  # from 21:00 to midnight, each close its number
    assert values_of('tf("1h").close == 24', candles) == [False] * 23 + [True] * 12 + [False]
    assert values_of('shift(tf("1h").close) == 12', candles) == [False] * 23 + [True] * 12 + [False]
    assert values_of('crosses_above(tf("1h").close, 20)', candles) == [False] * 23 + [True] + [False] * 12
    assert values_of("hour == 22 and minute == 55", candles) == [False] * 23 + [True] + [False] * 12


def test_a_missing_candle_of_another_series_is_unknown_and_not_replaced_by_an_older_one() -> None:
    whole = timed(prices(*range(1, 25)), Timeframe.H1)
    holed = replace(whole.between(0, 10), others={})
    later = whole.between(11, 24)
    other = CandleArrays(
        *(np.concatenate([holed.series(name), later.series(name)]) for name in PRICES),
        opened_at=np.concatenate([holed.closed_at, later.closed_at]) - 3_600,
        timeframe=Timeframe.H1,
    )
    candles = replace(whole, others={SeriesKey("BTC/USDT"): other})
    assert values_of('market("BTC/USDT").close > 0', candles) == [True] * 10 + [False] + [True] * 13


def test_the_volume_weighted_price_begins_again_each_day() -> None:
    candles = replace(timed(prices(*range(1, 49)), Timeframe.H1), volume=np.arange(1.0, 49.0))
    day = np.arange(25, 49)
    expected = np.cumsum(day * day) / np.cumsum(day)
    strategy = compile_definition(
        StrategyDefinition(SIZING, enter_long="vwap() > 0 and weekday == 2"), timeframe=Timeframe.H1
    )
    assert strategy.warm_up == 23
    assert strategy.evaluate(candles).enter_long.tolist() == [False] * 24 + [True] * 24
    reason = strategy.explain(candles, "enter_long")
    assert float(reason.split("vwap()=")[1].split(",")[0]) == pytest.approx(expected[-1])


def test_other_candles_that_were_not_given_are_an_error_and_not_silence() -> None:
    with pytest.raises(MissingCandlesError, match="BTC/USDT"):
        values_of('market("BTC/USDT").close > 0', timed(prices(1, 2, 3), Timeframe.H1))


@pytest.mark.parametrize("tick", [0.0, 1.0])
@pytest.mark.parametrize(
    "rule",
    [
        "crosses_above(ema(close, 12), ema(close, 26)) and adx(14) > 20",
        "crosses_above(macd(close).macd, macd(close).signal)",
        "rsi(14) < 30 or rsi(14) > 70",
        "close < bbands(close, 20, 2, 2).lower",
        "supertrend(10, 3).trend > 0 and close > kama(close, 10)",
        "sar() < close and ht_trendmode() == 1",
        "crosses_below(stochrsi(14).k, 20)",
        "change(obv(), 20) > 0 and close > highest(shift(high, 1), 20)",
    ],
)
def test_well_known_rules_are_equal_live_and_over_history(rule: str, tick: float) -> None:
    strategy = compiled(enter_long=rule)
    candles = random_candles(strategy.warm_up + 600, 11, tick=tick)
    series = strategy.evaluate(candles).enter_long
    bars = range(strategy.warm_up, len(candles), 3)
    assert np.count_nonzero(series) > 0
    assert [strategy.latest(candles.first(bar + 1)).enter_long for bar in bars] == series[list(bars)].tolist()


def test_no_rule_is_true_before_the_warm_up_is_over() -> None:
    strategy = compiled(enter_long="ema(close, 5) > 0")
    signals = strategy.evaluate(random_candles(strategy.warm_up + 5, 1)).enter_long.tolist()
    assert signals == [False] * strategy.warm_up + [True] * 5


@pytest.mark.parametrize("count", [0, 1, 7])
def test_too_few_candles_give_no_signal(count: int) -> None:
    strategy = compiled(enter_long="sma(close, 9) > 0", exit_long="not sma(close, 9) > 0")
    candles = random_candles(count, 1)
    assert strategy.latest(candles) == LatestSignals(
        enter_long=False, exit_long=False, enter_short=False, exit_short=False
    )
    assert not strategy.latest(candles).any
    assert strategy.evaluate(candles).enter_long.tolist() == [False] * count


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("close > 2", [0, 0, 1, 1, 0]),
        ("close >= 2", [0, 1, 1, 1, 1]),
        ("close < 2", [1, 0, 0, 0, 0]),
        ("close <= 2", [1, 1, 0, 0, 1]),
        ("close == 2", [0, 1, 0, 0, 1]),
        ("close != 2", [1, 0, 1, 1, 0]),
        ("1 < close < 4", [0, 1, 1, 0, 1]),
        ("not close > 2", [1, 1, 0, 0, 1]),
        ("close > 3 or close < 2", [1, 0, 0, 1, 0]),
        ("close > 1 and close < 4", [0, 1, 1, 0, 1]),
        ("crosses_above(close, 2)", [0, 0, 1, 0, 0]),
        ("crosses_below(close, 3)", [0, 0, 0, 0, 1]),
        ("change(close) > 0", [0, 1, 1, 1, 0]),
        ("change(close, 2) == 2", [0, 0, 1, 1, 0]),
        ("shift(close, 2) == 1", [0, 0, 1, 0, 0]),
        ("shift(close, 0) == 1", [1, 0, 0, 0, 0]),
        ("sma(close, 2) == 2.5", [0, 0, 1, 0, 0]),
        ("highest(close, 3) == 4", [0, 0, 0, 1, 1]),
        ("lowest(close, 2) == 2", [0, 0, 1, 0, 1]),
        ("maxindex(close, 3) == 1", [0, 0, 0, 0, 1]),
        ("minimum(close, 3) == 3", [0, 0, 1, 1, 0]),
        ("maximum(close, 3, 2) == 4", [0, 0, 0, 1, 0]),
        ("abs(close - 3) == 1", [0, 1, 0, 1, 1]),
        ("-close == -1 or +close == 4", [1, 0, 0, 1, 0]),
        ("close ** 2 == 16", [0, 0, 0, 1, 0]),
        ("close % 2 == 0", [0, 1, 0, 1, 1]),
        ("close / (close - 1) > 1.9", [0, 1, 0, 0, 1]),
        ("1 / (close - 2) > 0 or close > 0", [1, 0, 1, 1, 0]),
        ("sqrt(close - 3) >= 0", [0, 0, 1, 1, 0]),
        ("close == n", [0, 0, 1, 0, 0]),
        ("high - low == 2 and open == close and volume == 1", [1, 1, 1, 1, 1]),
        ("2 > 1", [1, 1, 1, 1, 1]),
        ("rising(close)", [0, 1, 1, 1, 0]),
        ("rising(close, 2)", [0, 0, 1, 1, 0]),
        ("falling(close)", [0, 0, 0, 0, 1]),
        ("not rising(close)", [0, 0, 0, 0, 1]),
        ("bars_since(close == 2, 2) == 1", [0, 0, 1, 0, 0]),
        ("bars_since(close == 1, 2) == 2", [0, 0, 1, 1, 1]),
        ("value_when(close == 2, high, 2) == 3", [0, 0, 1, 1, 1]),
        ("value_when(close > 2, close, 1) == 4", [0, 0, 0, 1, 1]),
        ("log(close) > 1", [0, 0, 1, 1, 0]),
        ("(high if close > 2 else low) > 2", [0, 0, 1, 1, 0]),
        ("close > 3 if close > 2 else close < 2", [1, 0, 0, 1, 0]),
        ("hl2 == close and hlc3 == close and ohlc4 == close", [1, 1, 1, 1, 1]),
    ],
)
def test_rules_evaluate_to_the_expected_values(rule: str, expected: list[int]) -> None:
    assert values_of(rule, prices(1, 2, 3, 4, 2)) == [bool(value) for value in expected]


def test_a_missing_value_leaves_no_trace_once_it_is_out_of_the_window() -> None:
    candles = prices(1, 2, 3, 2, 3, 4, 5, 6)  # its third change is below zero, which has no root
    assert values_of("sma(sqrt(change(close)), 2) > 0", candles) == [False] * 2 + [True] + [False] * 2 + [True] * 3


def test_rounding_is_not_a_signal_in_a_market_that_does_not_move() -> None:
    candles = flat_candles(500)
    for rule in (
        "sma(close, 7) > close",
        "close > ema(close, 12)",
        "ema(close, 12) - close > 0",
        "macd(close).hist > 0",
        "macd(close).hist < 0",
        "crosses_above(sma(close, 3), sma(close, 7))",
    ):
        assert not any(values_of(rule, candles)), rule


@pytest.mark.parametrize(
    ("opening", "closing"),
    [("change(", ")"), ("change(", ", 1)"), ("shift(", ")"), ("abs(", ")"), ("ema(", ", 1)"), ("minimum(close, ", ")")],
)
def test_the_deepest_nesting_costs_no_more_than_its_length(opening: str, closing: str) -> None:
    strategy = compiled(enter_long=f"{opening * 45}close{closing * 45} != 0")
    assert len(strategy.evaluate(random_candles(300, 1)).enter_long) == 300


def test_indicators_of_rules_are_the_librarys() -> None:
    candles = random_candles(800, 3)
    adx = talib.ADX(candles.high, candles.low, candles.close, 14)
    warm_up = compiled(enter_long="adx(14) > 20").warm_up
    assert values_of("adx(14) > 20", candles)[warm_up:] == (adx[warm_up:] > 20).tolist()


def test_parameters_take_the_place_of_their_defaults() -> None:
    parameters = (StrategyParameter("n", Decimal(3), Decimal(2), Decimal(50)),)
    definition = StrategyDefinition(sizing=SIZING, parameters=parameters, enter_long="sma(close, n) > 0")
    assert compile_definition(definition).warm_up == 2
    strategy = compile_definition(definition, {"n": Decimal(20)})
    assert (strategy.warm_up, strategy.parameters) == (19, {"n": Decimal(20)})


@pytest.mark.parametrize(
    ("given", "name", "message"),
    [
        ({"n": Decimal(1)}, "n", "at least 2, not 1"),
        ({"n": Decimal(51)}, "n", "at most 50, not 51"),
        ({"n": Decimal("NaN")}, "n", "finite"),
        ({"m": Decimal(3)}, "m", "no parameter 'm'"),
    ],
)
def test_a_parameter_out_of_its_range_is_refused_by_name(given: dict[str, Decimal], name: str, message: str) -> None:
    parameters = (StrategyParameter("n", Decimal(3), Decimal(2), Decimal(50)),)
    definition = StrategyDefinition(sizing=SIZING, parameters=parameters, enter_long="sma(close, n) > 0")
    with pytest.raises(InputErrors, match=message) as caught:
        compile_definition(definition, given)
    assert [error.path for error in caught.value.errors] == [("parameters", name)]


def test_a_parameter_that_spoils_a_rule_is_refused_with_the_rules_place() -> None:
    definition = StrategyDefinition(
        sizing=SIZING, parameters=(StrategyParameter("n", Decimal(3)),), enter_long="sma(close, n) > 0"
    )
    with pytest.raises(InputErrors) as caught:
        compile_definition(definition, {"n": Decimal("2.5")})
    (error,) = caught.value.errors
    assert isinstance(error, DefinitionError)
    assert (error.path, error.start, error.end) == (("enterLong",), 11, 12)


def test_a_reason_shows_the_rule_and_the_values_of_its_operands() -> None:
    strategy = compiled(enter_long="close > 0 and\n  sma(close, n) > 0", exit_long="crosses_below(close, low - 1)")
    candles = prices(50_099.3, 50_101.2, 50_100.3, 50_123.1)
    assert strategy.explain(candles, RuleName.ENTER_LONG) == (
        "close > 0 and sma(close, n) > 0  [close=50123.1, sma(close, n)=50108.2]"
    )
    assert strategy.explain(candles, "exit_long") == "crosses_below(close, low - 1)  [close=50123.1, low - 1=50121.1]"
    assert strategy.explain(candles, "enter_short") == ""


def test_a_reason_without_values_or_of_a_long_rule_stays_short() -> None:
    assert compiled(enter_long="1 < 2").explain(prices(1), "enter_long") == "1 < 2"
    assert compiled(enter_long="sma(close, n) > 1").explain(prices(1), "enter_long").endswith("[sma(close, n)=?]")
    long = " or ".join(f"close > {number}" for number in range(90))
    assert len(compiled(enter_long=long).explain(prices(1), "enter_long")) <= 400


def test_each_rule_has_a_signal_of_its_own_name() -> None:
    strategy = compiled(enter_long="close > 1", exit_long="close > 2", enter_short="close > 3", exit_short="close > 4")
    latest = strategy.latest(prices(1, 3.5))
    assert latest == LatestSignals(enter_long=True, exit_long=True, enter_short=True, exit_short=False)
    assert latest.any
    signals = strategy.evaluate(prices(1, 3.5))
    assert [signals.enter_long[1], signals.exit_long[1], signals.enter_short[1], signals.exit_short[1]] == [1, 1, 1, 0]


def test_a_definition_measured_in_ranges_warms_them_up() -> None:
    by_stop = StrategyDefinition(sizing=SIZING, stop_loss=ExitDistance(atr_multiple=Decimal(2)))
    by_size = StrategyDefinition(sizing=Sizing(volatility_percent=Decimal(1)))
    assert compile_definition(by_stop).warm_up == compile_definition(by_size).warm_up == atr_warm_up() > 300
    assert compile_definition(StrategyDefinition(sizing=SIZING)).warm_up == 0


def test_the_average_true_range_is_wilders() -> None:
    candles = random_candles(2_000, 8)
    expected = talib.ATR(candles.high, candles.low, candles.close, 14)
    value = average_true_range(candles)
    assert value is not None
    assert float(value) == pytest.approx(expected[-1], rel=1e-7)
    np.testing.assert_array_equal(average_true_ranges(candles), expected)
    assert average_true_range(candles.first(14)) is None
    assert average_true_range(candles.first(15)) is not None
