"""The feed of one market: from the venue's streams to the bus, the cache and the database."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace

from domain.core.background import TaskGroup
from domain.core.clock import Clock, IdGenerator
from domain.core.errors import Unavailable
from domain.core.metrics import LatencyHistogram
from domain.market_data import codec
from domain.market_data.candle_verification import CandleVerifier
from domain.market_data.feed_health import FeedHealth
from domain.market_data.stream_retry import StreamRetry
from domain.market_data.timings import FeedTimings, Interval
from domain.market_data.topics import depth_topic, status_topic, ticker_topic
from domain.market_data.trade_feed import FeedOutputs, TradeFeed
from domain.model.depth import with_top_of_book
from domain.model.markets import Depth, FeedState, FeedStatus, MarketSymbol, Ticker, Timeframe
from domain.ports.cache import CacheSpace
from domain.ports.market_data import CrossedBook, MarketDataSource, VenueGap, VenueUnreachable

PUBLISHED_WITHIN = (0.0001, 0.00025, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)
"""The upper bounds, in seconds, of the buckets of the time that a book takes to be published."""


class Collector:
    """Collects one market until cancelled.

    It counts how often a stream skipped or restarted (`gaps`), had a crossed book (`crossed_books`), or lost the venue
    (`reconnects`). Every time that the stream of books restarts, a new epoch begins.
    """

    def __init__(
        self,
        market: MarketSymbol,
        source: MarketDataSource,
        outputs: FeedOutputs,
        clock: Clock,
        ids: IdGenerator,
        timings: FeedTimings,
    ) -> None:
        self.market = market
        self.gaps = 0
        self.crossed_books = 0
        self.reconnects = 0
        self.depth_seconds = LatencyHistogram(PUBLISHED_WITHIN)
        self._source = source
        self._clock = clock
        self._out = outputs
        self._ids = ids
        self._timings = timings
        self._health = FeedHealth(market, clock, timings.stale_after)
        self._trade_feed = TradeFeed(market, source, outputs, clock, timings, self._health, self._publish_status)
        self._depth: Depth | None = None
        self._published_status: FeedStatus | None = None
        self._snapshot = Interval(clock, timings.snapshot_every)
        self._cached = Interval(clock, timings.cache_every)
        self._status = Interval(clock, timings.status_every)
        self._started_at = clock.monotonic()
        self._has_failed = False

    @property
    def status(self) -> FeedStatus:
        """The state of the feed."""
        return self._health.status

    @property
    def book_age_seconds(self) -> float | None:
        """The age of the newest good book; None without one of the present epoch."""
        return self._health.book_age_seconds

    @property
    def makes_candles(self) -> bool:
        """Whether every trade of the present minute is known, so that candles are made of them."""
        return self._trade_feed.makes_candles

    @property
    def trade_count(self) -> int:
        """The number of trades received, each counted once."""
        return self._trade_feed.sequencer.trade_count

    @property
    def late_trades(self) -> int:
        """The number of trades that came after their minute had closed."""
        return self._trade_feed.sequencer.candles.late

    @property
    def candles_closed(self) -> dict[Timeframe, int]:
        """The number of candles that closed here, by timeframe."""
        return self._trade_feed.closed_count

    @property
    def corrections(self) -> dict[Timeframe, int]:
        """The number of closed candles that were replaced by the venue's own, by timeframe."""
        return self.verifier.corrections

    @property
    def verifier(self) -> CandleVerifier:
        """The verification of closed candles, with its counters."""
        return self._trade_feed.verifier

    async def run(self) -> None:
        """Collect until cancelled; raises only if the program itself is at fault."""
        async with TaskGroup() as group:
            group.create_task(self._retry("book", self._collect_depth, self._on_depth_lost))
            group.create_task(self._retry("trades", self._trade_feed.collect, self._trade_feed.on_lost))
            group.create_task(self._retry("ticker", self._collect_tickers, lambda: None))
            group.create_task(self._trade_feed.run())

    async def _retry(
        self, stream: str, collect: Callable[[StreamRetry], Awaitable[None]], on_lost: Callable[[], None]
    ) -> None:
        retry = StreamRetry(f"the {stream} of {self.market}", self._clock)
        while True:
            retry_after: float | None = None
            try:
                await collect(retry)
                reason = "the venue ended it"
            except (VenueGap, VenueUnreachable) as error:
                self._count(error)
                reason = str(error)
                retry_after = error.retry_after_seconds if isinstance(error, VenueUnreachable) else None
            except Unavailable as error:
                reason = f"the database is away: {error.message}"
            on_lost()
            self._has_failed = True
            delay = retry.failed(reason, retry_after)
            await self._publish_status()
            await asyncio.sleep(delay)

    def _count(self, error: VenueGap | VenueUnreachable) -> None:
        if isinstance(error, VenueUnreachable):
            self.reconnects += 1
        elif isinstance(error, CrossedBook):
            self.crossed_books += 1
        else:
            self.gaps += 1

    async def _collect_depth(self, retry: StreamRetry) -> None:
        epoch = self._ids.next_id().hex[-12:]
        async with aclosing(self._source.depth(self.market)) as books:  # type: ignore[type-var]
            async for book in books:
                retry.succeeded()
                await self._on_depth(replace(book, epoch=epoch))

    def _on_depth_lost(self) -> None:
        self._on_silence_ended()
        self._depth = None  # a ticker must not show prices of a book that is no longer followed
        self._health.on_depth_lost()

    async def _on_depth(self, depth: Depth) -> None:
        self._on_silence_ended()
        self._depth = depth
        self._health.on_depth()
        message = codec.encode_depth(depth)
        await self._out.bus.publish(depth_topic(self.market), message)
        self.depth_seconds.observe(max(0.0, (self._clock.now() - depth.received_at).total_seconds()))
        await self._publish_status()
        if self._cached.is_due():
            await self._out.cache.put(CacheSpace.DEPTH, str(self.market), message, self._timings.cache_seconds)
        if self._snapshot.is_due():
            self._out.writer.add_depth(depth)

    def _on_silence_ended(self) -> None:
        """Have the trades found again if the venue sent nothing for long: it may have left some of them out too."""
        if self._health.status.state is FeedState.STALE:
            self._trade_feed.restart()

    async def _collect_tickers(self, retry: StreamRetry) -> None:
        async with aclosing(self._source.tickers(self.market)) as tickers:  # type: ignore[type-var]
            async for ticker in tickers:
                retry.succeeded()
                await self._on_ticker(ticker)

    async def _on_ticker(self, ticker: Ticker) -> None:
        if self._depth is not None:
            ticker = with_top_of_book(ticker, self._depth)
        message = codec.encode_ticker(ticker)
        await self._out.bus.publish(ticker_topic(self.market), message)
        await self._out.cache.put(CacheSpace.TICKER, str(self.market), message, self._timings.cache_seconds)

    @property
    def _is_starting(self) -> bool:
        """Whether the first book may still come at once: where a feed has moved here, its readers needn't notice."""
        has_time = self._clock.monotonic() - self._started_at < self._timings.first_book_wait
        return has_time and self._published_status is None and not self._has_failed

    async def _publish_status(self) -> None:
        """Publish the status if it has changed, and now and then for those who came later."""
        status = self._health.status
        if status.state is not FeedState.LIVE and self._is_starting:
            return
        if status != self._published_status or self._status.is_due():
            self._published_status = status
            await self._out.bus.publish(status_topic(self.market), codec.encode_status(status))
