"""What somebody asks of a market's past is fetched where it isn't stored, while they wait."""

import asyncio
from datetime import timedelta
from itertools import pairwise

import pytest

from domain.core.pagination import TimeKeysetPage
from domain.market_data.history import MAX_FETCHED_MARKETS, MarketHistory
from domain.model.markets import MarketSymbol, Timeframe
from infra.clock import SystemClock
from tests.support.markets import MarketNode
from tests.support.venues import BTC
from tests.support.waiting import eventually

GONE = MarketSymbol("gone", "BTC/USDT")
MINUTE = timedelta(minutes=1)


@pytest.fixture
def past(node: MarketNode) -> MarketHistory:
    return MarketHistory(node.database, node.hub, node.venues, node.bus, SystemClock(), wait_seconds=60)


async def test_a_market_that_was_never_collected_has_a_past(node: MarketNode, past: MarketHistory) -> None:
    found = await past.candles(BTC, Timeframe.M1, TimeKeysetPage(100, backwards=True))
    assert len(found) == 100
    assert all(one.close_time == next_.open_time for one, next_ in pairwise(found))
    assert node.hub.venue_now("sandbox") - found[-1].close_time < 2 * MINUTE
    assert len(await past.trades(BTC, TimeKeysetPage(5, backwards=True))) > 0


async def test_what_stays_missing_is_waited_for_once(node: MarketNode) -> None:
    await node.feeds.close()
    clock = SystemClock()
    past = MarketHistory(node.database, node.hub, node.venues, node.bus, clock, wait_seconds=1)
    started = clock.monotonic()
    assert await past.candles(BTC, Timeframe.H1, TimeKeysetPage(10, backwards=True)) == []
    assert clock.monotonic() - started >= 1
    past._wait_seconds = 600  # which is longer than the test may take
    assert await past.candles(BTC, Timeframe.H1, TimeKeysetPage(10, backwards=True)) == []


async def test_a_list_of_many_markets_does_not_start_all_of_their_feeds(node: MarketNode) -> None:
    await node.feeds.close()
    past = MarketHistory(node.database, node.hub, node.venues, node.bus, SystemClock(), wait_seconds=600)
    window = TimeKeysetPage(10, backwards=True)

    async def asked(market: MarketSymbol) -> None:
        await past.candles(market, Timeframe.H1, window)

    names = [MarketSymbol("sandbox", f"A{number}/USDT") for number in range(MAX_FETCHED_MARKETS)]
    waiting = [asyncio.create_task(asked(name)) for name in names for _ in range(2)]
    await eventually(lambda: past._waiting.total() == 2 * MAX_FETCHED_MARKETS, "all of them wait")
    assert await past.candles(BTC, Timeframe.H1, window) == []
    assert not any(task.done() for task in waiting)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert not past._waiting


async def test_nobody_waits_for_a_venue_that_this_engine_no_longer_reaches(past: MarketHistory) -> None:
    assert await past.candles(GONE, Timeframe.M1, TimeKeysetPage(10)) == []
    assert await past.trades(GONE, TimeKeysetPage(10)) == []


async def test_what_lies_before_the_start_of_the_feed_is_fetched_page_by_page(past: MarketHistory) -> None:
    newest = await past.candles(BTC, Timeframe.M1, TimeKeysetPage(700, backwards=True))
    earlier = await past.candles(BTC, Timeframe.M1, TimeKeysetPage(700, before=newest[0].open_time, backwards=True))
    assert (len(newest), len(earlier)) == (700, 700)
    assert earlier[-1].close_time == newest[0].open_time
    assert await past.missing_minutes(BTC, newest[-1].open_time - 2_000 * MINUTE, newest[-1].open_time) == 0
