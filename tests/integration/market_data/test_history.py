"""What a reader requests of a market's history is fetched if it isn't stored, while they wait."""

import asyncio
from datetime import timedelta
from itertools import pairwise

import pytest

from domain.core.pagination import TimeKeysetPage
from domain.market_data.history import MAX_FETCHED_MARKETS, MarketHistory
from domain.model.markets import MarketSymbol, Timeframe
from infra.clock import SystemClock
from tests.support.clocks import ManualClock
from tests.support.markets import MarketNode
from tests.support.venues import BTC
from tests.support.waiting import PATIENCE_SECONDS, eventually

GONE = MarketSymbol("gone", "BTC/USDT")
MINUTE = timedelta(minutes=1)


@pytest.fixture
def history(node: MarketNode) -> MarketHistory:
    return MarketHistory(node.database, node.hub, node.venues, node.bus, SystemClock(), wait_seconds=60)


async def test_a_market_that_was_never_collected_has_a_past(node: MarketNode, history: MarketHistory) -> None:
    found = await history.candles(BTC, Timeframe.M1, TimeKeysetPage(100, backwards=True))
    assert len(found) == 100
    assert all(one.close_time == next_.open_time for one, next_ in pairwise(found))
    assert node.hub.venue_now("sandbox") - found[-1].close_time < 2 * MINUTE
    assert len(await history.trades(BTC, TimeKeysetPage(5, backwards=True))) > 0


async def test_what_stays_missing_is_waited_for_once(node: MarketNode) -> None:
    await node.feeds.close()
    clock = ManualClock()
    history = MarketHistory(node.database, node.hub, node.venues, node.bus, clock, wait_seconds=1)
    page = TimeKeysetPage(10, backwards=True)
    waiting = asyncio.create_task(history.candles(BTC, Timeframe.H1, page))
    await eventually(lambda: history.waiting_readers, "the reader waits")
    clock.move(1)
    assert await waiting == []
    async with asyncio.timeout(PATIENCE_SECONDS):  # the clock stands still: a reader that waited would wait for ever
        assert await history.candles(BTC, Timeframe.H1, page) == []


async def test_a_list_of_many_markets_does_not_start_all_of_their_feeds(node: MarketNode) -> None:
    await node.feeds.close()
    history = MarketHistory(node.database, node.hub, node.venues, node.bus, SystemClock(), wait_seconds=600)
    page = TimeKeysetPage(10, backwards=True)

    async def read(market: MarketSymbol) -> None:
        await history.candles(market, Timeframe.H1, page)

    names = [MarketSymbol("sandbox", f"A{number}/USDT") for number in range(MAX_FETCHED_MARKETS)]
    waiting = [asyncio.create_task(read(name)) for name in names for _ in range(2)]
    await eventually(lambda: history.waiting_readers == 2 * MAX_FETCHED_MARKETS, "all of them wait")
    assert await history.candles(BTC, Timeframe.H1, page) == []
    assert not any(task.done() for task in waiting)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert not history.waiting_readers


async def test_nobody_waits_for_a_venue_that_this_engine_no_longer_reaches(history: MarketHistory) -> None:
    assert await history.candles(GONE, Timeframe.M1, TimeKeysetPage(10)) == []
    assert await history.trades(GONE, TimeKeysetPage(10)) == []


async def test_what_lies_before_the_start_of_the_feed_is_fetched_page_by_page(history: MarketHistory) -> None:
    newest = await history.candles(BTC, Timeframe.M1, TimeKeysetPage(700, backwards=True))
    earlier = await history.candles(BTC, Timeframe.M1, TimeKeysetPage(700, before=newest[0].open_time, backwards=True))
    assert (len(newest), len(earlier)) == (700, 700)
    assert earlier[-1].close_time == newest[0].open_time
    assert await history.missing_minutes(BTC, newest[-1].open_time - 2_000 * MINUTE, newest[-1].open_time) == 0
