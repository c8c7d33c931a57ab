"""The candles that a session looks at: without a gap, bounded, and as numbers the same as they are."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from domain.indicators.candle_arrays import candle_arrays
from domain.model.markets import Candle, Timeframe
from domain.trading.candle_buffer import CandleBuffer
from tests.support.orders import BTC

START = datetime(2026, 11, 5, tzinfo=UTC)


def candle(index: int) -> Candle:
    price = Decimal(100 + index)
    opened = START + index * timedelta(minutes=1)
    return Candle(BTC, Timeframe.M1, opened, price, price + 2, price - 2, price + 1, Decimal(index), closed=True)


@given(st.integers(1, 8), st.integers(1, 60))
def test_the_newest_are_kept_and_their_numbers_with_them(length: int, count: int) -> None:
    history = CandleBuffer(length)
    for index in range(count):
        assert history.append(candle(index))
    kept = [candle(index) for index in range(max(count - length, 0), count)]
    assert list(history.candles) == kept
    for index, newest in enumerate(kept):
        actual, expected = history.arrays(newest.open_time), candle_arrays(kept[: index + 1])
        for name in ("open", "high", "low", "close", "volume"):
            assert np.array_equal(actual.series(name), expected.series(name))


def test_what_was_before_the_oldest_has_no_numbers() -> None:
    history = CandleBuffer(3)
    history.load([candle(index) for index in range(5)])
    assert len(history.arrays(candle(0).open_time)) == 0
    assert len(history.arrays(candle(9).open_time)) == 3


def test_a_gap_or_a_repeat_isnt_taken() -> None:
    history = CandleBuffer(3)
    assert history.append(candle(0))
    assert not history.append(candle(0))
    assert not history.append(candle(2))
    assert history.newest == candle(0)


def test_loading_begins_after_the_last_gap() -> None:
    history = CandleBuffer(10)
    history.load([candle(0), candle(1), candle(4), candle(5)])
    assert list(history.candles) == [candle(4), candle(5)]
    assert list(history.after(candle(4).open_time)) == [candle(5)]
    assert list(history.after(None)) == [candle(4), candle(5)]
    history.load([replace(candle(7))])
    assert history.arrays(candle(7).open_time).close.tolist() == [108.0]
