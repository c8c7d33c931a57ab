"""The newest value of a condition is the same, whether it is computed for one bar or for all."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.alerts.candle_rules import compile_rule
from domain.alerts.latest import latest_value
from domain.model.markets import Timeframe
from domain.strategies.evaluation import Evaluation, RuleName
from tests.support.candles import random_candles, timed

RULES = (
    "close > sma(close, 5)",
    "close >= close",
    "close == close + 0.0000000001",
    "close != open and close > 0",
    "rsi(close, 14) < 30 or rsi(close, 14) > 70",
    "not (close > open)",
    "crosses_above(close, sma(close, 5))",
    "(close > open) and not (high < low)",
    "close / (close - close) > 1",
    "close > 1000 if volume > 10 else close < 1000",
    "1 < close <= 2000",
)


@pytest.mark.parametrize("text", RULES)
@given(count=st.integers(0, 60), seed=st.integers(0, 1_000))
def test_the_newest_value_is_that_of_the_whole_series(text: str, count: int, seed: int) -> None:
    node = compile_rule(text, Timeframe.M1).rules[RuleName.ENTER_LONG].node
    candles = timed(replace(random_candles(count, seed, tick=1.0)), Timeframe.M1)
    values = Evaluation(candles).outputs(node)[0]
    expected = float(values[-1]) if len(values) else math.nan
    found = latest_value(node, Evaluation(candles))
    assert found == expected or (math.isnan(found) and math.isnan(expected)) or not len(values)
