"""An indicator's series stands beside the times of its candles, and is null where it can't be known."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest

from domain.core.errors import ErrorCode, InputError, InputErrors
from domain.indicators.catalogue import catalogue
from domain.indicators.library import talib
from domain.indicators.series import MAX_WARM_UP, IndicatorSeries, indicator_query, indicator_series
from domain.model.markets import Candle, MarketSymbol, Timeframe
from tests.support.candles import random_candles

START = datetime(2026, 11, 1, tzinfo=UTC)
MARKET = MarketSymbol("sandbox", "BTC/USDT")


def candles(count: int, first: int = 0) -> list[Candle]:
    """Return a part of one long walk, minute by minute."""
    walk = random_candles(first + count, 7)
    return [
        Candle(MARKET, Timeframe.M1, START + n * timedelta(minutes=1), *(Decimal(str(v)) for v in bar), closed=True)
        for n, bar in enumerate(zip(walk.open, walk.high, walk.low, walk.close, walk.volume, strict=True))
    ][first:]


def closes(of: list[Candle]) -> np.ndarray:
    return np.array([float(candle.close) for candle in of])


def values(series: IndicatorSeries, output: int = 0) -> list[float | None]:
    return list(series.outputs[output].values)


def test_values_are_null_until_the_look_back_is_filled() -> None:
    found = candles(30)
    series = indicator_series(indicator_query("SMA", {"timeperiod": Decimal(10)}), found, 30)
    assert series.times == tuple(candle.open_time for candle in found)
    assert values(series)[:9] == [None] * 9
    assert values(series)[9:] == pytest.approx(talib.SMA(closes(found), 10)[9:].tolist())


def test_the_earlier_candles_are_computed_with_and_not_shown() -> None:
    query = indicator_query("ema", {"timeperiod": Decimal(26)})
    history = candles(3_000)
    series = indicator_series(query, history[-query.bars_before - 40 :], 40)
    assert series.times == tuple(candle.open_time for candle in history[-40:])
    assert values(series) == pytest.approx(talib.EMA(closes(history), 26)[-40:].tolist(), rel=1e-9)


def test_all_outputs_and_parameters_are_given_by_their_names() -> None:
    series = indicator_series(indicator_query("MACD", {"fastperiod": Decimal(10)}), candles(60), 5)
    assert [(parameter.name, parameter.value) for parameter in series.parameters] == [
        ("fastperiod", 10),
        ("slowperiod", 26),
        ("signalperiod", 9),
    ]
    assert [output.name for output in series.outputs] == ["macd", "macdsignal", "macdhist"]
    assert (series.name, series.timeframe) == ("macd", Timeframe.M1)


def test_after_a_gap_the_computation_starts_again() -> None:
    before, after = candles(50), candles(50, first=60)
    series = indicator_series(indicator_query("sma", {"timeperiod": Decimal(10)}), [*before, *after], 60)
    assert len(series.times) == len(values(series)) == 60
    assert values(series)[:10] == pytest.approx(talib.SMA(closes(before), 10)[-10:].tolist())
    assert values(series)[10:19] == [None] * 9
    assert values(series)[19:] == pytest.approx(talib.SMA(closes(after), 10)[9:].tolist())


@pytest.mark.parametrize("name", [definition.name for definition in catalogue()])
def test_every_indicator_of_the_catalogue_gives_a_value_a_time_or_says_why_not(name: str) -> None:
    query = indicator_query(name, {})
    assert query.bars_before <= MAX_WARM_UP
    found = candles(150)
    try:
        series = indicator_series(query, found, 20)
    except InputError as error:
        assert error.code is ErrorCode.UNSUPPORTED  # noqa: PT017  # most of them don't raise
        return
    assert all(len(output.values) == 20 for output in series.outputs)


def test_a_sum_without_end_begins_with_the_series() -> None:
    assert indicator_query("obv", {}).bars_before == 0


def test_what_is_unknown_is_refused_with_what_was_meant() -> None:
    with pytest.raises(InputError, match="did you mean macd") as unknown:
        indicator_query("mcad", {})
    assert unknown.value.code is ErrorCode.NOT_FOUND
    with pytest.raises(InputErrors, match="did you mean timeperiod"):
        indicator_query("rsi", {"timperiod": Decimal(14)})


def test_an_indicator_that_needs_more_candles_than_are_read_is_refused() -> None:
    with pytest.raises(InputError, match=r"needs .* earlier candles"):
        indicator_query("ema", {"timeperiod": Decimal(100_000)})
