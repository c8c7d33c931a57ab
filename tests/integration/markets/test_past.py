"""What somebody asks of a market's past is fetched where it isn't stored, while they wait."""

from datetime import timedelta
from itertools import pairwise

import pytest

from domain.keyset import TimeWindow
from domain.markets.past import MarketPast
from domain.markets.types import MarketSymbol, Timeframe
from infra.clock import SystemClock
from tests.support.markets import MarketNode
from tests.support.venues import BTC

GONE = MarketSymbol("gone", "BTC/USDT")
MINUTE = timedelta(minutes=1)


@pytest.fixture
def past(node: MarketNode) -> MarketPast:
    return MarketPast(node.storage, node.hub, node.venues, node.bus, SystemClock(), wait_seconds=60)


async def test_a_market_that_was_never_collected_has_a_past(node: MarketNode, past: MarketPast) -> None:
    found = await past.candles(BTC, Timeframe.M1, TimeWindow(100, backwards=True))
    assert len(found) == 100
    assert all(one.close_time == next_.open_time for one, next_ in pairwise(found))
    assert node.hub.venue_now("sandbox") - found[-1].close_time < 2 * MINUTE
    assert len(await past.trades(BTC, TimeWindow(5, backwards=True))) > 0


async def test_what_stays_missing_is_waited_for_once(node: MarketNode) -> None:
    await node.feeds.close()
    past = MarketPast(node.storage, node.hub, node.venues, node.bus, clock := SystemClock(), wait_seconds=1.5)
    for waits in (True, False):
        started = clock.monotonic()
        assert await past.candles(BTC, Timeframe.H1, TimeWindow(10, backwards=True)) == []
        assert (clock.monotonic() - started >= 1.5) is waits


async def test_nobody_waits_for_a_venue_that_this_engine_no_longer_reaches(past: MarketPast) -> None:
    assert await past.candles(GONE, Timeframe.M1, TimeWindow(10)) == []
    assert await past.trades(GONE, TimeWindow(10)) == []


async def test_what_lies_before_the_start_of_the_feed_is_fetched_page_by_page(past: MarketPast) -> None:
    newest = await past.candles(BTC, Timeframe.M1, TimeWindow(700, backwards=True))
    earlier = await past.candles(BTC, Timeframe.M1, TimeWindow(700, before=newest[0].open_time, backwards=True))
    assert (len(newest), len(earlier)) == (700, 700)
    assert earlier[-1].close_time == newest[0].open_time
    assert await past.missing_minutes(BTC, newest[-1].open_time - 2_000 * MINUTE, newest[-1].open_time) == 0
