"""The feed of one market: from the venue's streams to the bus, the cache and the storage."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime

from domain.core.clock import Clock, IdGenerator
from domain.core.errors import Unavailable
from domain.core.histogram import Histogram
from domain.market_data import codec
from domain.market_data.backfill import Backfill
from domain.market_data.candle_verification import CandleVerifier
from domain.market_data.feed_health import FeedHealth
from domain.market_data.slewed_clock import SlewedClock
from domain.market_data.stream_retry import StreamRetry
from domain.market_data.timings import FeedTimings
from domain.market_data.topics import candles_topic, depth_topic, status_topic, ticker_topic, trades_topic
from domain.market_data.trade_sequencer import TradeSequencer
from domain.market_data.writer import MarketDataWriter
from domain.model.depth import with_top_of_book
from domain.model.markets import Candle, Depth, FeedState, FeedStatus, MarketSymbol, Ticker, Timeframe, Trade
from domain.ports.bus import MessageBus
from domain.ports.cache import Cache, CacheSpace
from domain.ports.market_data import CrossedBook, MarketDataSource, VenueGap, VenueUnreachable

log = logging.getLogger(__name__)


PUBLISHED_WITHIN = (0.0001, 0.00025, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)
"""The bounds in seconds by which the times to publish a book are counted."""


@dataclass(frozen=True, slots=True)
class FeedOutputs:
    """Where a feed's data goes."""

    bus: MessageBus
    cache: Cache
    writer: MarketDataWriter
    backfill: Backfill


class Interval:
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
        self._source = source
        self._clock = clock
        self._out = outputs
        self._ids = ids
        self._timings = timings
        self._health = FeedHealth(market, clock, timings.stale_after)
        self._sequencer = TradeSequencer(market, source)
        self._beginning = asyncio.Lock()
        self._time = SlewedClock(source.venue_now, clock.monotonic)
        self.depth_seconds = Histogram(PUBLISHED_WITHIN)
        self.candles_closed: dict[Timeframe, int] = dict.fromkeys(Timeframe, 0)
        self.verifier = CandleVerifier(market, source, outputs.writer, timings.verify_after)
        self._depth: Depth | None = None
        self._closing = 0
        self._heard_at: datetime | None = None
        self._hearing: asyncio.Timeout | None = None
        self._told: FeedStatus | None = None
        self._snapshot = Interval(clock, timings.snapshot_every)
        self._cached = Interval(clock, timings.cache_every)
        self._forming = Interval(clock, timings.forming_every)
        self._status = Interval(clock, timings.status_every)
        self._look = Interval(clock, timings.scan_every)

    @property
    def status(self) -> FeedStatus:
        """The state of the feed."""
        return self._health.status

    @property
    def book_age_seconds(self) -> float | None:
        """How old the newest good book is; None where none is followed."""
        return self._health.book_age_seconds

    @property
    def late_trades(self) -> int:
        """How many trades came after their minute had closed."""
        return self._sequencer.candles.late

    @property
    def makes_candles(self) -> bool:
        """Whether every trade of the present minute is known, so that candles are made of them."""
        return self._health.trades_connected and self._sequencer.is_complete

    @property
    def trade_count(self) -> int:
        """How many trades were taken, each once."""
        return self._sequencer.trade_count

    @property
    def corrections(self) -> dict[Timeframe, int]:
        """How many closed candles differed from the venue's own, which took their place in the storage."""
        return self.verifier.corrections

    async def run(self) -> None:
        """Collect until cancelled; only a fault of the program ends it otherwise."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._again("book", self._collect_depth, self._lose_depth))
            group.create_task(self._again("trades", self._collect_trades, self._lose_trades))
            group.create_task(self._again("ticker", self._collect_tickers, lambda: None))
            group.create_task(self._keep_time())
            group.create_task(self._keep_whole())
            group.create_task(self._keep_checking())

    async def _again(
        self, stream: str, collect: Callable[[StreamRetry], Awaitable[None]], lost: Callable[[], None]
    ) -> None:
        attempts = StreamRetry(f"the {stream} of {self.market}", self._clock)
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

    async def _collect_depth(self, attempts: StreamRetry) -> None:
        epoch = self._ids.next_id().hex[-12:]
        async with aclosing(self._source.depth(self.market)) as books:  # type: ignore[type-var]
            async for book in books:
                attempts.succeeded()
                await self._take_depth(replace(book, epoch=epoch))

    def _lose_depth(self) -> None:
        self._depth = None  # a ticker must not show prices of a book that is no longer followed
        self._health.on_depth_lost()

    async def _take_depth(self, depth: Depth) -> None:
        self._depth = depth
        self._health.on_depth()
        message = codec.encode_depth(depth)
        await self._out.bus.publish(depth_topic(self.market), message)
        self.depth_seconds.add(max(0.0, (self._clock.now() - depth.received_at).total_seconds()))
        await self._tell_status()
        if self._cached.is_due():
            await self._out.cache.put(CacheSpace.DEPTH, str(self.market), message, self._timings.cache_seconds)
        if self._snapshot.is_due():
            self._out.writer.add_depth(depth)

    async def _collect_tickers(self, attempts: StreamRetry) -> None:
        async with aclosing(self._source.tickers(self.market)) as tickers:  # type: ignore[type-var]
            async for ticker in tickers:
                attempts.succeeded()
                await self._take_ticker(ticker)

    async def _take_ticker(self, ticker: Ticker) -> None:
        if self._depth is not None:
            ticker = with_top_of_book(ticker, self._depth)
        message = codec.encode_ticker(ticker)
        await self._out.bus.publish(ticker_topic(self.market), message)
        await self._out.cache.put(CacheSpace.TICKER, str(self.market), message, self._timings.cache_seconds)

    async def _collect_trades(self, attempts: StreamRetry) -> None:
        async with aclosing(self._source.trades(self.market)) as batches:  # type: ignore[type-var]
            first = asyncio.ensure_future(anext(batches))
            try:
                async with self._beginning:
                    self._sequencer.reset()
                    await self._begin()
                self._health.on_trades()
                await self._tell_status()
                # Once more: a stream may have begun a moment after it was asked for.
                await self._take_trades(await self._sequencer.recent())
                async with self._unless_deaf():
                    begun = await first
                    # And again: it may have taken longer to begin than the questions took.
                    await self._take_trades([*await self._sequencer.recent(), *begun])
                    async for batch in batches:
                        attempts.succeeded()
                        self._heard_at = self._source.venue_now()
                        await self._take_trades(batch)
            finally:
                first.cancel()
                await asyncio.gather(first, return_exceptions=True)

    @asynccontextmanager
    async def _unless_deaf(self) -> AsyncIterator[None]:
        """Listen inside the block until `_doubt` ends it; raises `VenueGap` then."""
        self._heard_at = self._source.venue_now()
        try:
            async with asyncio.timeout(None) as self._hearing:
                yield
        except TimeoutError:
            raise VenueGap("no trade came, although the venue's candles show some") from None
        finally:
            self._hearing = None

    def _doubt(self, corrected: Sequence[Candle]) -> None:
        """End a stream that brings nothing while the venue's own candles show trades: open, but dead."""
        heard_at = self._heard_at
        if self._hearing is None or heard_at is None:
            return
        if any(each.volume and each.open_time > heard_at for each in corrected):
            self._heard_at = None
            self._hearing.reschedule(asyncio.get_running_loop().time())

    def _lose_trades(self) -> None:
        self._sequencer.reset()
        self._health.on_trades_lost()

    async def _begin(self) -> None:
        """Go on from what the venue tells; where that isn't all of the present minute, show it, and close nothing."""
        with self._closing_first():
            start = await self._sequencer.resync()
            self._time.reset()
            await self._out.writer.correct(start.history)
            self._out.writer.add_trades(start.earlier)
            await self._close(start.missed)
            await self._take_trades(start.trades)
        if not self._sequencer.is_complete:
            await self._tell_candles(start.forming)
        self._out.backfill.scan(self.market)

    async def _keep_whole(self) -> None:
        """Begin again once a minute is over of which too much was missed to make a candle of it."""
        while True:
            await asyncio.sleep(self._timings.tick_every)
            async with self._beginning:
                at = self._sequencer.resync_at
                if at is None or self._source.venue_now() < at:
                    continue
                try:
                    await self._begin()
                except (VenueGap, VenueUnreachable, Unavailable) as error:
                    log.info("the candles of %s go on later: %s", self.market, error)
                    await asyncio.sleep(self._timings.resync_every)

    async def _keep_checking(self) -> None:
        failed = False
        while True:
            await asyncio.sleep(self._timings.verify_every)
            try:
                corrected = await self.verifier.check(self._source.venue_now())
                self._sequencer.candles.correct(corrected)
                self._doubt(corrected)
                failed = False
                if self._look.is_due():
                    self._out.backfill.scan(self.market)
            except (VenueUnreachable, Unavailable) as error:
                if not failed:
                    log.info("the candles of %s are checked later: %s", self.market, error)
                failed = True

    async def _take_trades(self, batch: Sequence[Trade]) -> None:
        with self._closing_first():
            new, closed = self._sequencer.handle(batch)
            if new:
                self._out.writer.add_trades(new)
                await self._out.bus.publish(trades_topic(self.market), codec.encode_trades(new))
            await self._close(closed)

    @contextmanager
    def _closing_first(self) -> Iterator[None]:
        """Tell nothing of a forming candle inside the block: who heard of it takes what closed before for old."""
        self._closing += 1
        try:
            yield
        finally:
            self._closing -= 1

    async def _close(self, candles: Sequence[Candle]) -> None:
        """Store closed candles, then tell of them, so that who hears of one finds it; a slow database delays little."""
        if not candles:
            return
        for candle in candles:
            self.candles_closed[candle.timeframe] += 1
        self.verifier.enqueue(candles)
        self._out.writer.add_candles(candles)
        try:
            async with asyncio.timeout(self._timings.store_timeout):
                await self._out.writer.flush()
        except TimeoutError:
            log.warning("candles of %s are told before they are stored", self.market)
        await self._tell_candles(candles)

    async def _keep_time(self) -> None:
        while True:
            await asyncio.sleep(self._timings.tick_every)
            if self.makes_candles:
                if self._health.status.state is FeedState.LIVE:  # silence isn't a market without trades
                    await self._close(self._sequencer.candles.close_due(self._time.now()))
                if not self._closing and self._forming.is_due():
                    await self._tell_candles(self._sequencer.changed())
            await self._tell_status()

    async def _tell_candles(self, candles: Sequence[Candle]) -> None:
        if candles:
            await self._out.bus.publish(candles_topic(self.market), codec.encode_candles(candles))

    async def _tell_status(self) -> None:
        """Tell the state where it has changed, and now and then to those who came later."""
        status = self._health.status
        if status != self._told or self._status.is_due():
            self._told = status
            await self._out.bus.publish(status_topic(self.market), codec.encode_status(status))
