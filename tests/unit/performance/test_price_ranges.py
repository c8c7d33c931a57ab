"""The extremes of many spans at once are those of the candles inside of each."""

from datetime import UTC, datetime, timedelta

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from domain.model.markets import MarketSymbol
from domain.model.price_ranges import PriceRanges
from domain.model.reports import Span
from domain.performance.price_ranges import extremes_within

START = datetime(2026, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
BTC = MarketSymbol.parse("sandbox:BTC/USDT")


@given(
    st.lists(st.integers(1, 1_000), max_size=40),
    st.lists(st.tuples(st.integers(-10, 450), st.integers(0, 450)), max_size=20),
)
def test_the_extremes_are_those_of_the_candles_inside(prices: list[int], tenths: list[tuple[int, int]]) -> None:
    opened = np.array([START.timestamp() + 3_600 * number for number in range(len(prices))])
    low = np.array(prices, dtype=np.float64)
    ranges = PriceRanges(opened, opened + 3_600, low + 5, low)
    spans = {
        10 * number: Span(BTC, START + first / 10 * HOUR, START + (first + length) / 10 * HOUR)
        for number, (first, length) in enumerate(tenths)
    }
    found = extremes_within(ranges, spans)
    for index, span in spans.items():
        inside = [
            price
            for number, price in enumerate(prices)
            if START + number * HOUR >= span.start and START + (number + 1) * HOUR <= span.end
        ]
        if inside:
            assert (found[index].high, found[index].low) == (max(inside) + 5, min(inside))
        else:
            assert index not in found
