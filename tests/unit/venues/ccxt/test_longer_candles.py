from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.model.markets import Candle, MarketSymbol, Timeframe, Trade
from domain.model.order_side import OrderSide
from infra.venues.ccxt.longer_candles import build_longer_candles, is_on_grid, source_timeframe
from tests.support.fake_venue import FakeVenue

MARKET = MarketSymbol("kraken", "BTC/USD")
START = datetime(2024, 1, 1, tzinfo=UTC)
KRAKEN = ("1m", "5m", "15m", "30m", "1h", "4h", "1d", "1w", "2w")
COINBASE = ("1m", "5m", "15m", "30m", "1h", "2h", "6h", "1d")


@pytest.mark.parametrize(
    ("offered", "timeframe", "parts"),
    [
        (KRAKEN, Timeframe.H1, Timeframe.H1),
        (KRAKEN, Timeframe.M3, Timeframe.M1),
        (KRAKEN, Timeframe.H2, Timeframe.H1),
        (KRAKEN, Timeframe.H6, Timeframe.H1),
        (KRAKEN, Timeframe.H12, Timeframe.H4),
        (COINBASE, Timeframe.H4, Timeframe.H2),
        (COINBASE, Timeframe.H12, Timeframe.H6),
        (COINBASE, Timeframe.W1, Timeframe.D1),
        (("5m", "1d"), Timeframe.M1, None),
        (("5m", "1d"), Timeframe.M3, None),
    ],
)
def test_what_a_venue_lacks_is_made_of_the_longest_that_divides_it(
    offered: tuple[str, ...], timeframe: Timeframe, parts: Timeframe | None
) -> None:
    assert source_timeframe(timeframe, offered) is parts


def test_weeks_that_begin_on_another_day_are_made_of_days() -> None:
    one = Decimal(1)
    thursday = Candle(MARKET, Timeframe.W1, datetime(2024, 1, 4, tzinfo=UTC), one, one, one, one, one, closed=True)
    assert not is_on_grid([thursday])
    assert source_timeframe(Timeframe.W1, KRAKEN, {Timeframe.W1}) is Timeframe.D1


class Pages:
    """A venue that gives few candles a page."""

    def __init__(self, venue: FakeVenue, size: int, reach: timedelta | None) -> None:
        self.venue = venue
        self.size = size
        self.reach = reach

    async def fetch(self, timeframe: Timeframe, start: datetime, limit: int) -> list[Candle]:
        found = await self.venue.fetch_candles(MARKET, timeframe, start, 100_000)
        traded = [candle for candle in found if candle.volume]  # as many venues leave out what has no trade
        within = [candle for candle in traded if self.reach is None or candle.open_time < start + self.reach]
        return within[: min(limit, self.size)]


@given(
    st.lists(st.integers(1, 40_000), min_size=1, max_size=30),
    st.sampled_from([Timeframe.M3, Timeframe.M30, Timeframe.H2, Timeframe.H6]),
    st.integers(20, 400),
    st.booleans(),
    st.integers(0, 40),
)
async def test_made_candles_are_those_of_the_trades_whatever_the_venues_pages_are(
    steps: list[int], timeframe: Timeframe, size: int, windowed: bool, asked_from: int
) -> None:
    at, trades = 0, []
    for number, step in enumerate(steps):
        at += step
        when = START + timedelta(seconds=at)
        trades.append(Trade(MARKET, str(number), when, Decimal(100 + step % 9), Decimal(1), OrderSide.BUY))
    venue = FakeVenue(trades)
    venue.now = trades[-1].at
    pages = Pages(venue, size, timedelta(minutes=300) if windowed else None)
    start = START + asked_from * timeframe.duration
    right = [candle for candle in venue.candles(timeframe) if candle.volume and candle.open_time >= start]
    made = await build_longer_candles(pages.fetch, Timeframe.M1, timeframe, start, 1_000, venue.now)
    assert made == right[: len(made)]
    assert made or not right or right[0].open_time - start >= 300 * Timeframe.M1.duration
    newest = await build_longer_candles(pages.fetch, Timeframe.M1, timeframe, None, 4, venue.now)
    assert newest == [candle for candle in venue.candles(timeframe)[-4:] if candle.volume]
