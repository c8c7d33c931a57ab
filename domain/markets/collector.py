"""The feed of one market: from the venue's streams to the bus, the cache and the storage."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

from domain.clock import Clock, Ids
from domain.errors import Unavailable
from domain.markets import codec
from domain.markets.attempts import Attempts
from domain.markets.depth_view import with_best
from domain.markets.health import FeedHealth
from domain.markets.ports import CrossedBook, MarketDataSource, VenueGap, VenueUnreachable
from domain.markets.recorder import Recorder
from domain.markets.tape import Tape
from domain.markets.topics import candles_topic, depth_topic, status_topic, ticker_topic, trades_topic
from domain.markets.types import Candle, Depth, FeedStatus, MarketSymbol, Ticker, Trade
from domain.ports import Bus, Cache, CacheSpace

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Pace:
    """How often a feed does what; all in seconds."""

    stale_after: float = 10.0
    forming_every: float = 0.25
    tick_every: float = 0.1
    status_every: float = 2.0
    snapshot_every: float = 10.0
    cache_every: float = 1.0
    cache_lives: float = 30.0
    store_within: float = 1.0
    demand_lasts: float = 60.0


@dataclass(frozen=True, slots=True)
class Outlets:
    """Where a feed's data goes."""

    bus: Bus
    cache: Cache
    recorder: Recorder


class Every:
    """Tells when it is time again; the first time at once."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self._seconds = seconds
        self._next = clock.monotonic()

    def is_due(self) -> bool:
        """Tell whether it is time, and begin to wait anew where it is."""
        now = self._clock.monotonic()
        if now < self._next:
            return False
        self._next = now + self._seconds
        return True


class Collector:
    """Collects one market until cancelled.

    It counts how often a stream skipped or began anew (`gaps`), showed a crossed book (`crossed_books`), or lost the
    venue (`reconnects`); each is an epoch of its own where it was the book's.
    """

    def __init__(
        self, market: MarketSymbol, source: MarketDataSource, outlets: Outlets, clock: Clock, ids: Ids, pace: Pace
    ) -> None:
        self.market = market
        self.gaps = 0
        self.crossed_books = 0
        self.reconnects = 0
        self._source = source
        self._clock = clock
        self._out = outlets
        self._ids = ids
        self._pace = pace
        self._health = FeedHealth(market, clock, pace.stale_after)
        self._tape = Tape(market, source)
        self._depth: Depth | None = None
        self._told: FeedStatus | None = None
        self._snapshot = Every(clock, pace.snapshot_every)
        self._cached = Every(clock, pace.cache_every)
        self._forming = Every(clock, pace.forming_every)
        self._status = Every(clock, pace.status_every)

    @property
    def late_trades(self) -> int:
        """How many trades came after their minute had closed."""
        return self._tape.candles.late

    async def run(self) -> None:
        """Collect until cancelled; only a fault of the program ends it otherwise."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._again("book", self._collect_depth, self._lose_depth))
            group.create_task(self._again("trades", self._collect_trades, self._health.trades_lost))
            group.create_task(self._again("ticker", self._collect_tickers, lambda: None))
            group.create_task(self._keep_time())

    async def _again(
        self, stream: str, collect: Callable[[Attempts], Awaitable[None]], lost: Callable[[], None]
    ) -> None:
        attempts = Attempts(f"the {stream} of {self.market}", self._clock)
        while True:
            asked: float | None = None
            try:
                await collect(attempts)
                reason = "the venue ended it"
            except (VenueGap, VenueUnreachable) as error:
                self._count(error)
                reason = str(error)
                asked = error.retry_after_seconds if isinstance(error, VenueUnreachable) else None
            except Unavailable as error:
                reason = f"the database is away: {error.message}"
            lost()
            wait = attempts.failed(reason, asked)
            await self._tell_status()
            await asyncio.sleep(wait)

    def _count(self, error: VenueGap | VenueUnreachable) -> None:
        if isinstance(error, VenueUnreachable):
            self.reconnects += 1
        elif isinstance(error, CrossedBook):
            self.crossed_books += 1
        else:
            self.gaps += 1

    async def _collect_depth(self, attempts: Attempts) -> None:
        epoch = self._ids.new().hex[-12:]
        async with aclosing(self._source.depth(self.market)) as books:  # type: ignore[type-var]
            async for book in books:
                attempts.works()
                await self._take_depth(replace(book, epoch=epoch))

    def _lose_depth(self) -> None:
        self._depth = None  # a ticker must not show prices of a book that is no longer followed
        self._health.depth_lost()

    async def _take_depth(self, depth: Depth) -> None:
        self._depth = depth
        self._health.depth_heard()
        message = codec.encode_depth(depth)
        await self._out.bus.publish(depth_topic(self.market), message)
        await self._tell_status()
        if self._cached.is_due():
            await self._out.cache.put(CacheSpace.DEPTH, str(self.market), message, self._pace.cache_lives)
        if self._snapshot.is_due():
            self._out.recorder.add_depth(depth)

    async def _collect_tickers(self, attempts: Attempts) -> None:
        async with aclosing(self._source.tickers(self.market)) as tickers:  # type: ignore[type-var]
            async for ticker in tickers:
                attempts.works()
                await self._take_ticker(ticker)

    async def _take_ticker(self, ticker: Ticker) -> None:
        if self._depth is not None:
            ticker = with_best(ticker, self._depth)
        message = codec.encode_ticker(ticker)
        await self._out.bus.publish(ticker_topic(self.market), message)
        await self._out.cache.put(CacheSpace.TICKER, str(self.market), message, self._pace.cache_lives)

    async def _collect_trades(self, attempts: Attempts) -> None:
        async with aclosing(self._source.trades(self.market)) as batches:  # type: ignore[type-var]
            first = asyncio.ensure_future(anext(batches))
            try:
                await self._begin()
                await self._take_trades([*await self._tape.recent(), *await first])
            finally:
                first.cancel()
                await asyncio.gather(first, return_exceptions=True)
            async for batch in batches:
                attempts.works()
                await self._take_trades(batch)

    async def _begin(self) -> None:
        start = await self._tape.begin()
        await self._out.recorder.backfill(start.history)
        await self._close(start.missed)
        await self._take_trades(start.trades)
        self._health.trades_found()
        await self._tell_status()

    async def _take_trades(self, batch: Sequence[Trade]) -> None:
        new, closed = self._tape.take(batch)
        if new:
            self._out.recorder.add_trades(new)
            await self._out.bus.publish(trades_topic(self.market), codec.encode_trades(new))
        await self._close(closed)

    async def _close(self, candles: Sequence[Candle]) -> None:
        """Store closed candles, then tell of them, so that who hears of one finds it; a slow database delays little."""
        if not candles:
            return
        self._out.recorder.add_candles(candles)
        try:
            async with asyncio.timeout(self._pace.store_within):
                await self._out.recorder.flush()
        except TimeoutError:
            log.warning("candles of %s are told before they are stored", self.market)
        for candle in candles:
            await self._tell_candle(candle)

    async def _keep_time(self) -> None:
        while True:
            await asyncio.sleep(self._pace.tick_every)
            if self._health.trades_connected:
                await self._close(self._tape.candles.close_due(self._source.venue_now()))
                if self._forming.is_due():
                    for candle in self._tape.changed():
                        await self._tell_candle(candle)
            await self._tell_status()

    async def _tell_candle(self, candle: Candle) -> None:
        topic = candles_topic(self.market, candle.timeframe)
        await self._out.bus.publish(topic, codec.encode_candle(candle))

    async def _tell_status(self) -> None:
        """Tell the state where it has changed, and now and then to those who came later."""
        status = self._health.status
        if status != self._told or self._status.is_due():
            self._told = status
            await self._out.bus.publish(status_topic(self.market), codec.encode_status(status))
