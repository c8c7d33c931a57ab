"""The trend has the direction, strength and volatility of the series that it is computed from."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest

from domain.indicators.candle_arrays import CandleArrays
from domain.indicators.trend import TrendDirection, VolatilityRegime, bars_needed, compute_trend, latest_trend
from domain.model.markets import Candle, MarketSymbol, Timeframe
from tests.support.candles import flat_candles, random_candles

START = datetime(2026, 11, 1, tzinfo=UTC)
COUNT = 600


def around(closes: np.ndarray, swing: np.ndarray | float = 1.0) -> CandleArrays:
    """Return candles of these closes, each reaching `swing` to both sides."""
    opens = np.concatenate([closes[:1], closes[:-1]])
    return CandleArrays(
        opens, np.maximum(opens, closes) + swing, np.minimum(opens, closes) - swing, closes, np.ones(len(closes))
    )


def candles(count: int, first: int = 0) -> list[Candle]:
    """Return rising hourly candles."""
    market = MarketSymbol("sandbox", "BTC/USDT")
    made = []
    for number in range(first, first + count):
        price = Decimal(1000 + number)
        opened = START + number * timedelta(hours=1)
        made.append(Candle(market, Timeframe.H1, opened, price, price + 3, price - 1, price + 1, Decimal(1), True))
    return made


@pytest.mark.parametrize(("slope", "direction"), [(2.0, TrendDirection.UP), (-2.0, TrendDirection.DOWN)])
def test_a_steady_climb_is_a_strong_trend_up_and_a_fall_one_down(slope: float, direction: TrendDirection) -> None:
    reading = compute_trend(around(5000 + slope * np.arange(COUNT)))
    assert reading is not None
    assert reading.direction is direction
    assert 50 < reading.strength <= 100


def test_prices_that_swing_around_one_level_go_sideways() -> None:
    reading = compute_trend(around(1000 + 5 * np.sin(np.arange(COUNT) * 2.1)))
    assert reading is not None
    assert reading.direction is TrendDirection.SIDEWAYS
    assert 0 <= reading.strength < 20


@pytest.mark.parametrize("seed", range(5))
def test_the_last_turn_decides(seed: int) -> None:
    up, down = random_candles(COUNT, seed, drift=0.002), random_candles(100, seed + 100, drift=-0.004)
    closes = np.concatenate([up.close, up.close[-1] * down.close / 1000])
    reading = compute_trend(around(closes))
    assert reading is not None
    assert reading.direction is TrendDirection.DOWN


@pytest.mark.parametrize(
    ("last", "regime"),
    [(4.0, VolatilityRegime.HIGH), (0.25, VolatilityRegime.LOW), (1.0, VolatilityRegime.NORMAL)],
)
def test_volatility_is_compared_with_its_own_past(last: float, regime: VolatilityRegime) -> None:
    swing = 5 + np.random.default_rng(1).uniform(-1, 1, COUNT)
    swing[-15:] *= last
    # The mean swing stands in the middle of the past only where nothing has changed.
    if last == 1.0:
        swing[-60:] = np.tile([4.0, 6.0], 30)
    reading = compute_trend(around(np.full(COUNT, 1000.0), swing))
    assert reading is not None
    assert reading.volatility is regime


def test_a_market_that_does_not_move_goes_sideways_without_strength() -> None:
    reading = compute_trend(flat_candles(COUNT))
    assert reading is not None
    assert (reading.direction, reading.strength, reading.volatility) == (
        TrendDirection.SIDEWAYS,
        0.0,
        VolatilityRegime.NORMAL,
    )


def test_there_is_no_trend_while_there_are_too_few_candles() -> None:
    enough = random_candles(bars_needed(), 1)
    assert compute_trend(enough) is not None
    assert compute_trend(enough.last(bars_needed() - 1)) is None
    assert latest_trend([], Timeframe.H1) is None


def test_what_a_feed_loads_when_it_starts_is_enough() -> None:
    assert bars_needed() <= 500


def test_older_candles_change_nothing() -> None:
    long = random_candles(5_000, 3, drift=0.0005)
    short = compute_trend(long.last(bars_needed()))
    whole = compute_trend(long)
    assert short is not None
    assert whole is not None
    assert replace(short, strength=0) == replace(whole, strength=0)
    assert short.strength == pytest.approx(whole.strength, rel=1e-8)


def test_the_trend_is_given_at_the_close_of_the_newest_candle() -> None:
    trend = latest_trend(candles(bars_needed()), Timeframe.H1)
    assert trend is not None
    assert trend.at == START + bars_needed() * timedelta(hours=1)
    assert (trend.timeframe, trend.direction) == (Timeframe.H1, TrendDirection.UP)


def test_only_candles_after_the_last_gap_count() -> None:
    before, after = candles(bars_needed()), candles(bars_needed() - 1, first=bars_needed() + 1)
    assert latest_trend([*before, *after], Timeframe.H1) is None
    assert latest_trend([*before, *candles(bars_needed(), first=bars_needed() + 1)], Timeframe.H1) is not None
