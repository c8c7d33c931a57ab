"""One market's collector at work on a real sandbox exchange and a real database, and what it publishes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from domain.core.clock import from_milliseconds
from domain.core.pagination import TimeKeysetPage
from domain.market_data import codec
from domain.market_data.backfill import Backfill
from domain.market_data.collector import Collector
from domain.market_data.timings import FeedTimings
from domain.market_data.topics import candles_topic
from domain.market_data.trade_feed import FeedOutputs
from domain.market_data.writer import MarketDataWriter
from domain.model.markets import Candle, Timeframe, Trade
from infra.clock import SystemClock, TimeOrderedIds
from infra.embedded.bus import EmbeddedBus
from infra.embedded.cache import EmbeddedCache
from infra.postgres.database import PostgresDatabase
from infra.venues.config import VenueSettings
from infra.venues.registry import Venues
from tests.support.sandbox import SandboxProcess
from tests.support.venues import BTC
from tests.support.waiting import PATIENCE_SECONDS, eventually

MILLISECOND = timedelta(milliseconds=1)
MINUTE = timedelta(minutes=1)
SHORT = timedelta(seconds=1)
LEFT_AT_LEAST = timedelta(seconds=15)
"""How long the venue's minute still lasts for a test that must not see it end by itself."""


@dataclass
class Collecting:
    """The running parts, and every closed candle that was published, in order."""

    sandbox: SandboxProcess
    database: PostgresDatabase
    venues: Venues
    collector: Collector
    published: list[Candle] = field(default_factory=list)
    drift_ms: int = 0

    def minutes(self) -> list[Candle]:
        """The closed minutes that were published."""
        return [candle for candle in self.published if candle.timeframe is Timeframe.M1]

    async def makes_candles(self) -> None:
        """Let the venue's next minute begin, and wait until candles are made of trades, if only from there on."""
        left = MINUTE - (await self._venue_time() - from_milliseconds(0)) % MINUTE
        if left > SHORT:
            self.drift_ms += (left - SHORT) // MILLISECOND
            await self.sandbox.inject_faults(driftMs=self.drift_ms)
            self.venues.connection("sandbox").clock.invalidate()
        await eventually(lambda: self.collector.makes_candles, "candles are made of trades", 60 + PATIENCE_SECONDS)

    async def leap(self, **faults: int) -> Candle:
        """Let the venue's clock leap past the end of its forming minute, with the `faults`; return that minute.

        The sandbox's flow trades every few hundred milliseconds, so that nobody has to wait for a minute.
        """
        forming = await self.traded()
        left = forming.close_time - await self._venue_time()
        self.drift_ms += max(0, left // MILLISECOND) + 50
        await self.sandbox.inject_faults(**faults, driftMs=self.drift_ms)
        self.venues.connection("sandbox").clock.invalidate()
        await eventually(
            lambda: any(minute.open_time == forming.open_time for minute in self.minutes()), "it closes", 60
        )
        # A trade has closed it, perhaps before this node has measured the leap: the venue's own would still be forming.
        source = self.venues.public("sandbox")
        await eventually(lambda: source.venue_now() >= forming.close_time, "the leap is measured", 60)
        return next(minute for minute in self.minutes() if minute.open_time == forming.open_time)

    async def traded(self) -> Candle:
        """Return the venue's forming minute once something was traded in it, and it isn't about to end."""
        async with asyncio.timeout(90):
            while True:
                (forming,) = await self.own(Timeframe.M1)
                if forming.volume and forming.close_time - await self._venue_time() > LEFT_AT_LEAST:
                    return forming
                await asyncio.sleep(0.05)

    async def _venue_time(self) -> datetime:
        return from_milliseconds((await self.sandbox.get("/api/v3/time"))["serverTime"])

    async def own(self, timeframe: Timeframe, start: Candle | None = None) -> list[Candle]:
        """The venue's own newest candle, or that of the same time as `start`."""
        opened = None if start is None else start.open_time
        return await self.venues.public("sandbox").fetch_candles(BTC, timeframe, opened, 1)

    async def newest_trades(self, count: int) -> list[Trade]:
        """The venue's newest trades."""
        return await self.venues.public("sandbox").fetch_trades(BTC, count)

    async def stored_trades(self) -> list[Trade]:
        """All trades that are stored."""
        async with self.database.read_only() as reading:
            return await reading.market_data.trades(BTC, TimeKeysetPage(limit=10_000))

    async def stored(self, candle: Candle) -> Candle | None:
        """The stored candle of the same time."""
        page = TimeKeysetPage(limit=1, start=candle.open_time, end=candle.close_time)
        async with self.database.read_only() as reading:
            return next(iter(await reading.market_data.candles(BTC, candle.timeframe, page)), None)


@asynccontextmanager
async def collecting(
    sandbox: SandboxProcess, database: PostgresDatabase, timings: FeedTimings | None = None
) -> AsyncIterator[Collecting]:
    """Collect BTC/USDT inside the block."""
    clock, bus = SystemClock(), EmbeddedBus()
    venues = Venues([VenueSettings("sandbox", "binance", sandbox.url, live=False)], clock)
    source, writer = venues.public("sandbox"), MarketDataWriter(database)
    async with database.transaction() as transaction:
        await transaction.market_data.ensure_partitions(1)
    backfill = Backfill({"sandbox": source}, database, writer, clock)
    outputs = FeedOutputs(bus, EmbeddedCache(clock), writer, backfill)
    timings = timings or FeedTimings(verify_every=0.1, verify_after=1.0)
    running = Collecting(sandbox, database, venues, Collector(BTC, source, outputs, clock, TimeOrderedIds(), timings))

    def on_candles(message: bytes) -> None:
        running.published.extend(candle for candle in codec.decode_candles(message) if candle.closed)

    await bus.subscribe(candles_topic(BTC), on_candles)
    tasks = [asyncio.create_task(work) for work in (running.collector.run(), writer.run(), backfill.run())]
    try:
        yield running
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await venues.close()
