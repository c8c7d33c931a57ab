from itertools import pairwise

import pytest

from infra.sandbox.candles import INTERVALS, MINUTE_MS, STREAMED_INTERVALS, group, span_start
from infra.sandbox.matching.market_specs import MARKETS
from infra.sandbox.matching.synthetic_history import LISTED_MS, SyntheticHistory

BIRTH_MS = 1_790_000_040_000
FIRST_PRICE = 6_183_763_000_000
SPEC = MARKETS["BTCUSDT"]


@pytest.fixture(scope="module")
def history() -> SyntheticHistory:
    return SyntheticHistory(7, SPEC, BIRTH_MS, FIRST_PRICE)


def test_the_past_ends_at_the_first_price(history: SyntheticHistory) -> None:
    last = history.candles(MINUTE_MS, BIRTH_MS - 10 * MINUTE_MS, BIRTH_MS + MINUTE_MS)[-1]
    assert (last.open_ms, last.close) == (BIRTH_MS - MINUTE_MS, FIRST_PRICE)


def test_the_past_is_a_function_of_seed_market_and_time(history: SyntheticHistory) -> None:
    start, end = BIRTH_MS - 3_000 * MINUTE_MS, BIRTH_MS - 2_900 * MINUTE_MS
    again = SyntheticHistory(7, SPEC, BIRTH_MS, FIRST_PRICE)
    assert again.candles(MINUTE_MS, start, end) == history.candles(MINUTE_MS, start, end)
    assert SyntheticHistory(8, SPEC, BIRTH_MS, FIRST_PRICE).candles(MINUTE_MS, start, end) != history.candles(
        MINUTE_MS, start, end
    )


@pytest.mark.parametrize("interval", [name for name in STREAMED_INTERVALS if name != "1m"])
def test_every_timeframe_is_the_sum_of_its_minutes(history: SyntheticHistory, interval: str) -> None:
    span = INTERVALS[interval]
    start = span_start(BIRTH_MS, span) - 3 * span
    direct = history.candles(span, start, BIRTH_MS)
    minutes = history.candles(MINUTE_MS, start, start + len(direct) * span)
    assert direct == group(minutes, span)


def test_each_minute_opens_where_the_one_before_closed_and_holds_its_prices(history: SyntheticHistory) -> None:
    minutes = history.candles(MINUTE_MS, BIRTH_MS - 2_000 * MINUTE_MS, BIRTH_MS)
    for before, after in pairwise(minutes):
        assert after.open == before.close
        assert after.low <= min(after.open, after.close) <= max(after.open, after.close) <= after.high
        assert after.low % SPEC.tick == 0
        assert 0 <= after.taker_volume <= after.volume


def test_nothing_is_older_than_the_listing(history: SyntheticHistory) -> None:
    day = INTERVALS["1d"]
    candles = history.candles(day, 0, BIRTH_MS)
    assert candles[0].open_ms == LISTED_MS
    assert len(candles) == (BIRTH_MS - LISTED_MS) // day
