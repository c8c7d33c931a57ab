import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from decimal import Decimal
from itertools import pairwise
from typing import TypeVar

import pytest

from domain.core.pagination import TimeKeysetPage
from domain.market_data import codec
from domain.market_data.timings import FeedTimings, HubTimings
from domain.market_data.topics import candles_topic
from domain.model.depth import is_crossed
from domain.model.markets import VENUE_TIMEFRAMES, Candle, Depth, FeedState, FeedStatus, MarketSymbol, Timeframe
from infra.postgres.database import PostgresDatabase
from tests.support.markets import MarketNode, running_node
from tests.support.sandbox import SandboxProcess
from tests.support.venues import BTC
from tests.support.waiting import PATIENCE_SECONDS, eventually

T = TypeVar("T")


async def taken(stream: AsyncIterator[T], count: int, timeout_seconds: float = PATIENCE_SECONDS) -> list[T]:
    items: list[T] = []
    async with aclosing(stream), asyncio.timeout(timeout_seconds):
        async for item in stream:
            items.append(item)
            if len(items) == count:
                return items
    return items


async def test_the_catalogue_holds_the_markets_of_the_venue_in_order(node: MarketNode) -> None:
    markets = node.hub.catalogue.all()
    assert [market.symbol for market in markets] == sorted(market.symbol for market in markets)
    assert node.hub.catalogue.get(BTC) is not None
    assert node.hub.catalogue.get(MarketSymbol("sandbox", "NO/SUCH")) is None


async def test_a_cold_book_is_there_when_it_is_first_asked_for(node: MarketNode) -> None:
    depth = await node.hub.depth(BTC, PATIENCE_SECONDS)
    assert depth is not None
    assert depth.bids
    assert not is_crossed(depth.bids, depth.asks)
    assert node.hub.latest_depth(BTC) is not None
    price = node.hub.price_of(BTC)
    assert price is not None
    assert abs(price / depth.bids[0].price - 1) < Decimal("0.01")


async def test_a_market_that_nobody_has_answers_nothing(node: MarketNode) -> None:
    nowhere = MarketSymbol("sandbox", "NO/SUCH")
    assert await node.hub.depth(nowhere, 0.2) is None
    assert await node.hub.ticker(nowhere, 0.2) is None
    assert node.hub.status(nowhere) is None


async def test_books_come_in_order_within_one_epoch(node: MarketNode) -> None:
    books = [item for item in await taken(node.hub.depth_stream(BTC), 15) if isinstance(item, Depth)]
    assert len({book.epoch for book in books}) == 1
    sequences = [book.sequence for book in books]
    assert sequences == sorted(set(sequences))


async def test_a_ticker_has_the_best_prices_of_the_book(node: MarketNode) -> None:
    async with node.hub.subscribe(BTC):
        await node.hub.depth(BTC, PATIENCE_SECONDS)
        (ticker,) = await taken(node.hub.ticker_stream(BTC), 1)
        assert ticker.bid is not None
        assert ticker.ask is not None
        assert ticker.bid < ticker.ask
        assert await node.hub.ticker(BTC) is not None


async def test_readers_share_one_feed_and_each_gets_every_trade(node: MarketNode) -> None:
    async with node.hub.subscribe(BTC):
        first, second = await asyncio.gather(taken(node.hub.trade_stream(BTC), 6), taken(node.hub.trade_stream(BTC), 6))
    assert first == second
    ids = [int(trade.venue_trade_id) for batch in first for trade in batch]
    assert ids == list(range(ids[0], ids[0] + len(ids)))
    assert node.feeds.running == {BTC}


async def test_the_forming_candle_is_the_venues_own(node: MarketNode) -> None:
    for timeframe in (Timeframe.M1, Timeframe.H1, Timeframe.D1):
        published, own = await _both_of_one_volume(node, timeframe)
        assert published == own


async def _both_of_one_volume(node: MarketNode, timeframe: Timeframe) -> tuple[Candle, Candle]:
    """Return a forming candle as the hub published it, and as the venue did when as much had been traded in it.

    One that is closed is left out: it may hold as much as it did when it was forming. So is one without a trade.
    """
    source, published, own = node.venues.public("sandbox"), dict[object, Candle](), dict[object, Candle]()

    async def follow() -> None:
        async for candle in node.hub.candle_stream(BTC, timeframe):
            note(published, candle)

    def note(candles: dict[object, Candle], candle: Candle) -> None:
        if candle.volume and not candle.closed:
            candles[candle.open_time, candle.volume] = candle

    following = asyncio.create_task(follow())
    try:
        # A feed that begins late in a minute builds its candles from the next minute on.
        async with asyncio.timeout(60 + PATIENCE_SECONDS):
            while not (both := published.keys() & own.keys()):
                (candle,) = await source.fetch_candles(BTC, timeframe, None, 1)
                note(own, candle)
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
    state = both.pop()
    return published[state], own[state]


async def test_history_is_filled_back_in_every_timeframe(node: MarketNode) -> None:
    await node.hub.depth(BTC, PATIENCE_SECONDS)
    stored: dict[Timeframe, list[Candle]] = {}

    async def read() -> bool:
        async with node.database.read_only() as reading:
            for timeframe in Timeframe:
                stored[timeframe] = await reading.market_data.candles(BTC, timeframe, TimeKeysetPage(limit=1000))
        return all(len(stored[timeframe]) >= (500 if timeframe in VENUE_TIMEFRAMES else 70) for timeframe in Timeframe)

    async with node.hub.subscribe(BTC):
        for _ in range(600):
            if await read():
                break
            await asyncio.sleep(0.1)
    for timeframe, candles in stored.items():
        assert len(candles) >= (500 if timeframe in VENUE_TIMEFRAMES else 70), timeframe
        assert all(candle.open_time == timeframe.open_time(candle.open_time) for candle in candles)
        assert all(candle.closed for candle in candles)
        assert all(b.open_time == a.close_time for a, b in pairwise(candles))


async def test_trades_and_snapshots_are_stored(node: MarketNode) -> None:
    batches = await taken(node.hub.trade_stream(BTC), 3)
    first, last = batches[0][0], batches[-1][-1]

    async def stored() -> list[str]:
        async with node.database.read_only() as reading:
            trades = await reading.market_data.trades(BTC, TimeKeysetPage(limit=100_000, start=first.at))
        return [trade.venue_trade_id for trade in trades]

    async with node.hub.subscribe(BTC), asyncio.timeout(PATIENCE_SECONDS):
        while last.venue_trade_id not in (ids := await stored()):  # noqa: ASYNC110  # the database sends no event
            await asyncio.sleep(0.1)
    numbers = [int(number) for number in ids]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


async def test_a_closed_minute_is_stored_before_it_is_published_and_is_the_venues_own(
    sandbox: SandboxProcess, database: PostgresDatabase, timings: FeedTimings
) -> None:
    await sandbox.skip_to_seconds_before_a_minute(10)
    async with running_node(sandbox.url, database, timings) as node:
        async with node.hub.closed_candles(BTC, Timeframe.M1) as arrivals, asyncio.timeout(120):
            closed = await anext(arrivals)
        async with node.database.read_only() as reading:
            page = TimeKeysetPage(limit=1, start=closed.open_time)
            (stored,) = await reading.market_data.candles(BTC, Timeframe.M1, page)
        (own,) = await node.venues.public("sandbox").fetch_candles(BTC, Timeframe.M1, closed.open_time, 1)
    assert closed == stored == own


@pytest.mark.parametrize("timings", [FeedTimings(stale_after=0.7)])
async def test_the_feed_of_a_silent_venue_is_stale_and_its_book_is_not_shown(
    node: MarketNode, sandbox: SandboxProcess
) -> None:
    states: list[FeedState] = []

    async def follow() -> None:
        async for item in node.hub.depth_stream(BTC):
            if isinstance(item, FeedStatus) and item.state not in states[-1:]:
                states.append(item.state)

    def state() -> FeedState | None:
        status = node.hub.status(BTC)
        return None if status is None else status.state

    following = asyncio.create_task(follow())
    try:
        await eventually(lambda: FeedState.LIVE in states, "the feed is live")
        await eventually(lambda: node.hub.latest_depth(BTC), "its book is shown")
        await sandbox.inject_faults(silenceMarketStreams=True)
        await eventually(lambda: states[-1] is state() is FeedState.STALE, "the feed is stale")
        assert node.hub.latest_depth(BTC) is None
        # After a while the connection is closed, and the venue sends its book again on a new one.
        assert await node.hub.depth(BTC, 0.2) is None or state() is not FeedState.STALE
        await sandbox.inject_faults(silenceMarketStreams=False)
        await eventually(lambda: states[-1] is FeedState.LIVE, "the feed is live again")
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)


async def test_two_nodes_collect_a_market_once(
    sandbox: SandboxProcess, database: PostgresDatabase, timings: FeedTimings, node: MarketNode
) -> None:
    async with running_node(sandbox.url, database, timings, node.bus, "other") as other:
        assert await node.hub.depth(BTC, PATIENCE_SECONDS) is not None
        assert await other.hub.depth(BTC, PATIENCE_SECONDS) is not None
        assert len([each for each in (node, other) if BTC in each.feeds.running]) == 1
        owner, heir = (node, other) if BTC in node.feeds.running else (other, node)
        async with heir.hub.subscribe(BTC):
            await owner.feeds.close()
            await eventually(lambda: BTC in heir.feeds.running, "the other node takes over")
            await eventually(lambda: heir.hub.latest_depth(BTC), "the book is back")


async def test_a_feed_ends_when_nobody_has_followed_it_for_a_while_and_starts_again_on_request(
    sandbox: SandboxProcess, database: PostgresDatabase
) -> None:
    timings = FeedTimings(demand_seconds=1, manage_every=0.2)
    hub_timings = HubTimings(fresh_seconds=2, request_every=0.1, maintain_every=0.1)
    async with running_node(sandbox.url, database, timings, hub_timings=hub_timings) as node:
        async with node.hub.subscribe(BTC):
            assert await node.hub.depth(BTC, PATIENCE_SECONDS) is not None
            await eventually(lambda: node.feeds.running == {BTC}, "the feed runs")
        await eventually(lambda: not node.feeds.running, "the feed ends")
        clients = node.venues.connection("sandbox").public.clients.values()
        await eventually(lambda: not any(client.subscriptions for client in clients), "the streams are unsubscribed")
        await eventually(lambda: node.hub.latest_depth(BTC) is None, "the last book is too old")
        assert await node.hub.depth(BTC, PATIENCE_SECONDS) is not None


async def test_a_market_that_is_always_kept_is_collected_without_demand(
    sandbox: SandboxProcess, database: PostgresDatabase
) -> None:
    async with running_node(sandbox.url, database, FeedTimings(demand_seconds=0), always=[BTC]) as node:
        await eventually(lambda: node.feeds.running == {BTC}, "the feed runs")
        assert await node.hub.depth(BTC, PATIENCE_SECONDS) is not None


async def test_a_candle_that_the_bus_lost_comes_from_the_storage(node: MarketNode) -> None:
    await node.hub.depth(BTC, PATIENCE_SECONDS)
    history: list[Candle] = []
    async with asyncio.timeout(PATIENCE_SECONDS):
        while len(history) < 100:
            async with node.database.read_only() as reading:
                history = await reading.market_data.candles(BTC, Timeframe.M1, TimeKeysetPage(limit=1000))
    # Not earlier: a minute that ended meanwhile would come first, and those before it would count as known.
    async with node.hub.closed_candles(BTC, Timeframe.M1) as arrivals, asyncio.timeout(PATIENCE_SECONDS):
        await node.bus.publish(candles_topic(BTC), codec.encode_candles(history[-4:-3]))
        closed = [await anext(arrivals) for _ in range(4)]
    assert closed == history[-4:]


async def test_the_upkeep_of_followed_markets_goes_on_after_a_failure(
    node: MarketNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    maintain = node.hub.followed.maintain
    calls = 0

    async def fail_once() -> None:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise ConnectionError("the bus can't be reached")
        await maintain()

    monkeypatch.setattr(node.hub.followed, "maintain", fail_once)
    await eventually(lambda: calls > 2, "upkeep goes on")
