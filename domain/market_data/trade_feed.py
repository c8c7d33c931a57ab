"""The trades of one market from the venue to the bus and the database, and the candles that are made of them."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from domain.core.background import TaskGroup, cancel_and_wait
from domain.core.clock import Clock
from domain.core.errors import Unavailable
from domain.market_data import codec
from domain.market_data.backfill import Backfill
from domain.market_data.candle_aggregation import CLOSE_DELAY
from domain.market_data.candle_verification import CandleVerifier
from domain.market_data.feed_health import FeedHealth
from domain.market_data.stream_retry import StreamRetry
from domain.market_data.timings import FeedTimings, Interval
from domain.market_data.topics import candles_topic, trades_topic
from domain.market_data.trade_sequencer import TradeSequencer
from domain.market_data.writer import MarketDataWriter
from domain.model.markets import Candle, FeedState, MarketSymbol, Timeframe, Trade
from domain.ports.bus import Publisher
from domain.ports.cache import Cache
from domain.ports.market_data import MarketDataSource, VenueGap, VenueUnreachable

log = logging.getLogger(__name__)

STARTS_WITHIN = timedelta(seconds=15)
"""How long after it was requested a stream may begin to bring trades."""

ARRIVES_WITHIN = timedelta(seconds=5)
"""How long after it was made a trade may come by a stream."""

MAX_STEP = timedelta(seconds=1)
"""How far the venue's clock may be corrected at once; the error of a measurement by round trip is below 1 s."""

SLEW_RATE = 0.1
"""How many seconds are gained in a second if the clock was corrected by more."""


@dataclass(frozen=True, slots=True)
class FeedOutputs:
    """The destinations of a feed's data."""

    bus: Publisher
    cache: Cache
    writer: MarketDataWriter
    backfill: Backfill


class TradeFeed:
    """Follows a market's trades, closes candles by the venue's time, and has them verified.

    `closed_count` counts the candles that closed here, by timeframe. `publish_status` is called after the trades have
    been found.
    """

    def __init__(
        self,
        market: MarketSymbol,
        source: MarketDataSource,
        outputs: FeedOutputs,
        clock: Clock,
        timings: FeedTimings,
        health: FeedHealth,
        publish_status: Callable[[], Awaitable[None]],
    ) -> None:
        self.sequencer = TradeSequencer(market, source)
        self.verifier = CandleVerifier(market, source, outputs.writer, timings.verify_after)
        self.closed_count: dict[Timeframe, int] = dict.fromkeys(Timeframe, 0)
        self._market = market
        self._source = source
        self._out = outputs
        self._timings = timings
        self._health = health
        self._publish_status = publish_status
        self._venue_clock = SlewedClock(source.venue_now, clock.monotonic)
        self._resyncing = asyncio.Lock()
        self._holding_forming = 0
        self._trades_at: datetime | None = None
        self._requested_at: datetime | None = None
        """When trades were requested last, by the venue's clock, of a stream that has brought none yet."""
        self._stream_end: asyncio.Timeout | None = None
        self._end_reason = ""
        self._forming = Interval(clock, timings.forming_every)
        self._scan = Interval(clock, timings.scan_every)

    @property
    def makes_candles(self) -> bool:
        """Whether every trade of the present minute is known, so that candles are made of them."""
        return self._health.trades_connected and self.sequencer.is_complete

    async def collect(self, retry: StreamRetry) -> None:
        """Follow the stream of trades until it ends; raises `VenueGap`, `VenueUnreachable` and `Unavailable`."""
        async with aclosing(self._source.trades(self._market)) as batches:  # type: ignore[type-var]
            first = asyncio.ensure_future(anext(batches))
            try:
                async with self._resyncing:
                    self.sequencer.reset()
                    self._requested_at = self._source.venue_now()
                    await self._resync()
                self._health.on_trades()
                await self._publish_status()
                # Once more: a stream may have started a moment after it was requested.
                await self._on_trades(await self.sequencer.recent())
                async with self._stall_watchdog():
                    received = await first
                    retry.succeeded()
                    self._trades_at = self._source.venue_now()
                    # And again: it may have taken longer to start than the requests took.
                    await self._on_trades([*await self.sequencer.recent(), *received])
                    self._requested_at = None
                    async for batch in batches:
                        retry.succeeded()
                        self._trades_at = self._source.venue_now()
                        await self._on_trades(batch)
            finally:
                await cancel_and_wait(first)

    def on_lost(self) -> None:
        """Record that the stream of trades broke: trades may be missing, so no minute closes before they are known."""
        self.sequencer.reset()
        self._health.on_trades_lost()

    def restart(self) -> None:
        """End a stream that may lack trades, and have them found before the feed counts as live again."""
        if self._stream_end is not None:
            self.on_lost()
            self._end_stream("the venue was silent, and trades may be missing")

    async def run(self) -> None:
        """Close, verify and resynchronise candles until cancelled."""
        async with TaskGroup() as group:
            group.create_task(self._candle_clock_loop())
            group.create_task(self._resync_loop())
            group.create_task(self._verification_loop())

    # -- a stream that is open, but dead -----------------------------------------------------------------------------

    @asynccontextmanager
    async def _stall_watchdog(self) -> AsyncIterator[None]:
        """Run the block until `_end_stream` ends it; raises `VenueGap` then."""
        self._trades_at = self._source.venue_now()
        try:
            async with asyncio.timeout(None) as self._stream_end:
                yield
        except TimeoutError:
            raise VenueGap(self._end_reason) from None
        finally:
            self._stream_end = None

    def _flag_stall(self, corrected: Sequence[Candle]) -> None:
        """End the stream if it brings nothing while the venue's own candles show trades."""
        trades_at = self._trades_at
        if trades_at is not None and any(candle.volume and candle.open_time > trades_at for candle in corrected):
            self._end_stream("no trade came, although the venue's candles show some")

    def _end_stream(self, reason: str) -> None:
        ending, self._stream_end = self._stream_end, None
        if ending is not None:
            self._end_reason = reason
            ending.reschedule(asyncio.get_running_loop().time())

    # -- resynchronisation and verification --------------------------------------------------------------------------

    async def _resync(self) -> None:
        """Continue from the venue's candles and trades.

        If the trades don't reach back to the start of the present minute, its forming candles are published as the
        venue has them, and none is closed.
        """
        with self._hold_forming_candles():
            result = await self.sequencer.resync()
            self._venue_clock.reset()
            await self._out.writer.correct(result.history)
            self._out.writer.add_trades(result.earlier)
            await self._close(result.missed)
            await self._on_trades(result.trades)
        if not self.sequencer.is_complete:
            await self._publish_candles(result.forming)
        self._out.backfill.scan(self._market)

    async def _resync_loop(self) -> None:
        """Resynchronise after a minute of which too much was missed to make a candle of it."""
        failed = False
        while True:
            await asyncio.sleep(self._timings.resync_every if failed else self._timings.tick_every)
            try:
                async with self._resyncing:
                    await self._resync_if_due()
                    await self._request_unstreamed()
                failed = False
            except (VenueGap, VenueUnreachable, Unavailable) as error:
                if not failed:
                    log.info("the candles of %s go on later: %s", self._market, error)
                failed = True

    async def _resync_if_due(self) -> None:
        at = self.sequencer.resync_at
        if at is not None and self._source.venue_now() >= at:
            await self._resync()

    async def _request_unstreamed(self) -> None:
        """Request the trades of a minute that ends before the stream has brought any: it may have started too late."""
        before, now = self._requested_at, self._source.venue_now()
        if before is None or not self.makes_candles or not _minute_is_due(since=before, now=now):
            return
        trades = await self.sequencer.recent()
        await self._on_trades(trades)
        if self._requested_at is not before:
            return  # another stream was begun meanwhile, or this one has brought something
        self._requested_at = now
        since = self._trades_at
        if since is not None and any(since + STARTS_WITHIN < trade.at < now - ARRIVES_WITHIN for trade in trades):
            self._end_stream("no trade came, although the venue lists some")

    async def _verification_loop(self) -> None:
        failed = False
        while True:
            await asyncio.sleep(self._timings.verify_every)
            try:
                corrected = await self.verifier.check(self._source.venue_now())
                self.sequencer.candles.correct(corrected)
                self._flag_stall(corrected)
                failed = False
                if self._scan.is_due():
                    self._out.backfill.scan(self._market)
            except (VenueUnreachable, Unavailable) as error:
                if not failed:
                    log.info("the candles of %s are checked later: %s", self._market, error)
                failed = True

    # -- trades and candles ------------------------------------------------------------------------------------------

    async def _on_trades(self, batch: Sequence[Trade]) -> None:
        with self._hold_forming_candles():
            new, closed = self.sequencer.handle(batch)
            if new:
                self._out.writer.add_trades(new)
                await self._out.bus.publish(trades_topic(self._market), codec.encode_trades(new))
            await self._close(closed)

    @contextmanager
    def _hold_forming_candles(self) -> Iterator[None]:
        """Publish no forming candle inside the block: a reader of one takes earlier closed candles for old."""
        self._holding_forming += 1
        try:
            yield
        finally:
            self._holding_forming -= 1

    async def _close(self, candles: Sequence[Candle]) -> None:
        """Store closed candles, then publish them, so that their readers find them stored.

        A database that doesn't answer within `store_timeout` delays them no longer.
        """
        if not candles:
            return
        for candle in candles:
            self.closed_count[candle.timeframe] += 1
        self.verifier.enqueue(candles)
        self._out.writer.add_candles(candles)
        try:
            async with asyncio.timeout(self._timings.store_timeout):
                await self._out.writer.flush()
        except TimeoutError:
            log.warning("candles of %s are published before they are stored", self._market)
        await self._publish_candles(candles)

    async def _candle_clock_loop(self) -> None:
        while True:
            await asyncio.sleep(self._timings.tick_every)
            if self.makes_candles:
                if self._health.status.state is FeedState.LIVE:  # silence isn't a market without trades
                    now = self._venue_clock.now()
                    known_until = now if self._requested_at is None else min(now, self._requested_at)
                    await self._close(self.sequencer.candles.close_due(known_until))
                if not self._holding_forming and self._forming.is_due():
                    await self._publish_candles(self.sequencer.changed())
            await self._publish_status()

    async def _publish_candles(self, candles: Sequence[Candle]) -> None:
        if candles:
            await self._out.bus.publish(candles_topic(self._market), codec.encode_candles(candles))


def _minute_is_due(since: datetime, now: datetime) -> bool:
    """Return whether a minute has come to be closed since then."""
    return Timeframe.M1.open_time(now - CLOSE_DELAY) > Timeframe.M1.open_time(since - CLOSE_DELAY)


class SlewedClock:
    """The venue's time, slewed: it never steps ahead of this node's monotonic clock by more than `MAX_STEP`.

    A wrong measurement of the venue's clock must not close candles that haven't ended.
    """

    def __init__(self, venue_now: Callable[[], datetime], monotonic: Callable[[], float]) -> None:
        self._venue_now = venue_now
        self._monotonic = monotonic
        self._at = 0.0
        self._time: datetime | None = None

    def reset(self) -> None:
        """Take the venue's clock as it is: what has happened up to now is known from the venue."""
        self._time = None

    def now(self) -> datetime:
        """Return the venue's time, or less while it is being slewed."""
        venue_time, at = self._venue_now(), self._monotonic()
        if self._time is not None:
            passed = timedelta(seconds=at - self._at)
            expected = self._time + passed
            if venue_time > expected + MAX_STEP:
                venue_time = expected + SLEW_RATE * passed
        self._time, self._at = venue_time, at
        return venue_time
