"""The engine's collector of one market with all that belongs to it, over a recorded venue, in this process.

Real ccxt, and the feeds, bus, hub and storage of `r3edge serve`. One thing is the bench's: the venue's time is that of
its newest trade, since a recording that is played faster than it was made has no clock that could be measured.
"""

import asyncio
import gc
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from bench.recording import Remote
from domain.core.clock import Clock
from domain.market_data.collector import Collector
from domain.market_data.feed_manager import FeedManager
from domain.market_data.hub import MarketDataHub
from domain.model.markets import Candle, Depth, FeedState, MarketSymbol, Timeframe, Trade
from infra.clock import SystemClock, TimeOrderedIds
from infra.embedded.bus import EmbeddedBus
from infra.embedded.cache import EmbeddedCache
from infra.postgres.connection import Connection
from infra.postgres.database import PostgresDatabase
from infra.postgres.partitions import ensure_partitions
from infra.postgres.pool import Pool, create_pool
from infra.venues.ccxt.connection import VenueConnection
from infra.venues.ccxt.market_data import CcxtMarketData
from infra.venues.config import VenueSettings

BTC = MarketSymbol("recorded", "BTC/USDT")
READY_SECONDS = 60.0


class RecordedSource(CcxtMarketData):
    """A venue whose time is that of its newest trade."""

    def __init__(self, connection: VenueConnection, clock: Clock) -> None:
        super().__init__(connection, clock)
        self._newest = datetime.fromtimestamp(0, UTC)

    def venue_now(self) -> datetime:
        return max(self._newest, self._connection.clock.now().replace(year=1971))

    async def trades(self, market: MarketSymbol) -> AsyncIterator[list[Trade]]:
        async for batch in super().trades(market):
            self._newest = max(self._newest, *(trade.at for trade in batch))
            yield batch


@dataclass
class Followed:
    """What a reader of each stream was given: books with the time, by the monotonic clock, and trades and candles."""

    book: Depth | None = None
    received: dict[int, float] = field(default_factory=dict)
    trades: int = 0
    candles: list[Candle] = field(default_factory=list)
    state: FeedState | None = None


@dataclass
class Collecting:
    """A running collector and what followed it."""

    feeds: FeedManager
    pool: Pool
    followed: Followed

    @property
    def collector(self) -> Collector:
        return self.feeds.collectors[BTC]


@asynccontextmanager
async def collecting(dsn: str, remote: Remote) -> AsyncGenerator[Collecting]:
    """Collect the recorded market, followed by one reader of each stream; its book is there when the block begins."""
    clock, bus = SystemClock(), EmbeddedBus()
    cache, pool = EmbeddedCache(clock), await create_pool(dsn)
    async with pool.acquire() as driver:
        await ensure_partitions(Connection(driver), 1)
    database = PostgresDatabase(pool, bus, clock)
    connection = VenueConnection(VenueSettings(BTC.venue, "binance", remote.url, live=False), clock)
    source = RecordedSource(connection, clock)
    hub = MarketDataHub(bus, cache, database, clock, lambda _venue: source.venue_now())
    feeds = FeedManager({BTC.venue: source}, database, bus, cache, clock, TimeOrderedIds(), "bench", [BTC])
    followed = Followed()
    await hub.start()
    await feeds.start()
    readers = [asyncio.create_task(each) for each in _readers(hub, followed)]
    try:
        async with asyncio.timeout(READY_SECONDS):
            while hub.latest_depth(BTC) is None:  # noqa: ASYNC110  # the first book may be there before a reader is
                await asyncio.sleep(0.05)
        gc.freeze()  # as `serve` does
        yield Collecting(feeds, pool, followed)
    finally:
        for reader in readers:
            reader.cancel()
        await asyncio.gather(*readers, return_exceptions=True)
        await feeds.close()
        await hub.close()
        await connection.close()
        await database.close()
        await pool.close()


def _readers(hub: MarketDataHub, followed: Followed) -> list[object]:
    async def books() -> None:
        async for update in hub.depth_stream(BTC):
            if isinstance(update, Depth):
                followed.received[update.sequence] = time.monotonic()
                followed.book = update
            else:
                followed.state = update.state

    async def trades() -> None:
        async for batch in hub.trade_stream(BTC):
            followed.trades += len(batch)

    async def candles() -> None:
        async for candle in hub.candle_stream(BTC, Timeframe.M1):
            if candle.closed:
                followed.candles.append(candle)

    return [books(), trades(), candles()]
