"""Market data as every node sees it: asked for, followed, and collected only while somebody wants it."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TypeVar

from domain.core.clock import Clock
from domain.core.errors import RateLimited, Unavailable
from domain.core.pagination import TimeKeysetPage
from domain.market_data import codec
from domain.market_data.catalogue import MarketCatalogue
from domain.market_data.closed_candles import ClosedCandleStream
from domain.market_data.conflating_queue import ConflatingQueue, LatestByKey, Sink
from domain.market_data.feed_limit import MAX_FEEDS_PER_VENUE, FeedLimit, FeedReader
from domain.market_data.market_state import MarketState, OnCandle
from domain.market_data.priced_paths import PricedPaths
from domain.market_data.topics import DEMAND_SECONDS, FEED_DEMAND, MARKETS_CHANGED
from domain.model.conversion import CurrencyGraph, convert
from domain.model.markets import Candle, Depth, FeedStatus, MarketSymbol, Ticker, Timeframe, Trade
from domain.ports.bus import BusSubscription, MessageBus
from domain.ports.cache import Cache, CacheSpace
from domain.ports.unit_of_work import Database

log = logging.getLogger(__name__)

LINGER_SECONDS = 30.0
"""How long a market is listened to after its last reader, so that the next one finds it warm."""

KEEP_SECONDS = 1.0
CACHED_IS_FRESH = timedelta(seconds=5)
MAX_REFILL = 500

T = TypeVar("T")
K = TypeVar("K", Depth, Ticker)
N = TypeVar("N", Ticker, FeedStatus)


class ClosedCandleSubscription:
    """A registration for the closed candles of one market and timeframe: each told once, oldest first."""

    def __init__(self, hub: "MarketDataHub", memory: MarketState, timeframe: Timeframe, on_candle: OnCandle) -> None:
        self.market = memory.market
        self.timeframe = timeframe
        self.last: datetime | None = None
        self._hub = hub
        self._memory = memory
        self._on_candle = on_candle
        memory.on_closed[timeframe].add(self.take)

    def take(self, candle: Candle) -> None:
        """Pass on a candle that is newer than all before."""
        if self.last is None or candle.open_time > self.last:
            self.last = candle.open_time
            self._on_candle(candle)

    async def close(self) -> None:
        """Tell no more."""
        self._memory.on_closed[self.timeframe].discard(self.take)
        self._hub.forget(self)


class MarketDataHub:
    """The newest of every wanted market. Wanting one is counted and told to the collectors until nobody does."""

    def __init__(
        self,
        bus: MessageBus,
        cache: Cache,
        database: Database,
        clock: Clock,
        venue_now: Callable[[str], datetime] | None = None,
        max_feeds_per_venue: int = MAX_FEEDS_PER_VENUE,
    ) -> None:
        self._limit = FeedLimit(database, clock, max_feeds_per_venue)
        self.catalogue = MarketCatalogue(database)
        self._dropped_trades = 0
        self._bus = bus
        self._cache = cache
        self._database = database
        self._clock = clock
        self._venue_now = venue_now
        self._venue_ahead: dict[str, timedelta] = {}
        self._memories: dict[MarketSymbol, MarketState] = {}
        self._priced_paths = PricedPaths()
        self._opening: dict[MarketSymbol, asyncio.Lock] = {}
        self._registrations: set[ClosedCandleSubscription] = set()
        self._subscription: BusSubscription | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._markets_changed = asyncio.Event()

    @property
    def dropped_trades(self) -> int:
        """How many batches of trades this node's readers were far too slow for."""
        reading = (box.dropped for memory in self._memories.values() for box in memory.trade_queues)
        return self._dropped_trades + sum(reading)

    async def start(self) -> None:
        """Read the catalogue and begin to keep it; raises `Unavailable`."""
        self._subscription = await self._bus.subscribe(
            MARKETS_CHANGED, lambda _message: self._markets_changed.set(), self._markets_changed.set
        )
        await self.catalogue.refresh()
        self._keeper = asyncio.create_task(self._keep(), name="market-data-hub")

    async def close(self) -> None:
        """Stop listening; streams end with their readers."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        if self._subscription is not None:
            await self._subscription.close()
        memories, self._memories = self._memories, {}
        for memory in memories.values():
            await memory.close()

    @asynccontextmanager
    async def subscribe(
        self, market: MarketSymbol, reader: FeedReader = FeedReader.ENGINE
    ) -> AsyncIterator[MarketState]:
        """Keep the market's feed alive, and this node listening to it, inside the block.

        Raises `RateLimited` where clients follow too many markets of the venue; the engine itself is never refused.
        """
        async with self._limit.admit([market], reader), self._followed(market) as memory:
            yield memory

    async def depth(
        self, market: MarketSymbol, timeout_seconds: float = 3.0, reader: FeedReader = FeedReader.ENGINE
    ) -> Depth | None:
        """Return a fresh book, waiting for the feed to start where it must; None after the time, or if it may not."""
        with suppress(RateLimited):
            async with self.subscribe(market, reader) as memory:
                await self._warm_depth(memory)
                return await _first(memory.open_depth_queue, memory.depth_queues.discard, Depth, timeout_seconds)
        return None

    async def ticker(
        self, market: MarketSymbol, timeout_seconds: float = 3.0, reader: FeedReader = FeedReader.ENGINE
    ) -> Ticker | None:
        """Return a fresh ticker, waiting for the feed to start where it must; None after the time, or if it may not."""
        with suppress(RateLimited):
            async with self.subscribe(market, reader) as memory:
                await self._warm_ticker(memory)
                return await _first(memory.open_ticker_queue, memory.ticker_queues.discard, Ticker, timeout_seconds)
        return None

    def status(self, market: MarketSymbol) -> FeedStatus | None:
        """Return the state of the market's feed; None where nobody here listens to it, or none was told yet."""
        memory = self._memories.get(market)
        return None if memory is None else memory.status

    def latest_depth(self, market: MarketSymbol) -> Depth | None:
        """Return the newest book that is fresh; None where there is none here."""
        memory = self._memories.get(market)
        if memory is None:
            return None
        memory.idle_since = self._clock.monotonic()
        return memory.fresh_depth

    def price_of(self, market: MarketSymbol) -> Decimal | None:
        """Return the middle of a fresh book, else the last price of a fresh ticker; None where neither is here."""
        memory = self._memories.get(market)
        return None if memory is None else memory.price

    def graph(self, venue: str) -> CurrencyGraph:
        """Return the currencies of a venue and the markets between them."""
        return self.catalogue.graph(venue)

    def convert(self, venue: str, amount: Decimal, currency: str, into: str) -> Decimal | None:
        """Return an amount's worth in another currency at present prices, over as many markets as it needs."""
        if currency == into:
            return amount
        priced = [market for market, memory in self._memories.items() if market.venue == venue and memory.has_price]
        path = self._priced_paths.find(venue, self.graph(venue), priced, currency, into)
        return None if path is None else convert(amount, path, self.price_of)

    async def depth_stream(
        self, market: MarketSymbol, reader: FeedReader = FeedReader.ENGINE
    ) -> AsyncIterator[Depth | FeedStatus]:
        """Yield the newest known book, then every newest one, and changes of the feed's state."""
        async with self.subscribe(market, reader) as memory:
            await self._warm_depth(memory)
            box = memory.open_depth_queue()
            try:
                while True:
                    yield await box.get()
            finally:
                memory.depth_queues.discard(box)

    async def ticker_stream(
        self, market: MarketSymbol, reader: FeedReader = FeedReader.ENGINE
    ) -> AsyncIterator[Ticker]:
        """Yield the newest known ticker, then every newest one."""
        async with self.subscribe(market, reader) as memory:
            box = memory.open_ticker_queue()
            try:
                while True:
                    yield await box.get()
            finally:
                memory.ticker_queues.discard(box)

    def tickers_stream(
        self, markets: Sequence[MarketSymbol], reader: FeedReader = FeedReader.ENGINE
    ) -> AsyncIterator[Ticker]:
        """Yield the known ticker of each market, then every newest one; a slow reader gets the newest of each."""
        return self._newest_of_each(markets, reader, MarketState.attach_tickers, lambda memory: memory.ticker_queues)

    def feeds_stream(
        self, markets: Sequence[MarketSymbol], reader: FeedReader = FeedReader.ENGINE
    ) -> AsyncIterator[FeedStatus]:
        """Yield the state of each market's feed, then every change; a slow reader gets the newest of each."""
        return self._newest_of_each(markets, reader, MarketState.attach_status, lambda memory: memory.status_queues)

    async def _newest_of_each(
        self,
        markets: Sequence[MarketSymbol],
        reader: FeedReader,
        read: Callable[[MarketState, Sink[N]], None],
        readers_of: Callable[[MarketState], set[Sink[N]]],
    ) -> AsyncIterator[N]:
        async with self._limit.admit(markets, reader), AsyncExitStack() as wants:
            memories = [await wants.enter_async_context(self._followed(market)) for market in markets]
            box: LatestByKey[MarketSymbol, N] = LatestByKey(lambda item: item.market)
            for memory in memories:
                read(memory, box)
            try:
                while True:
                    yield await box.get()
            finally:
                for memory in memories:
                    readers_of(memory).discard(box)

    async def trade_stream(
        self, market: MarketSymbol, reader: FeedReader = FeedReader.ENGINE
    ) -> AsyncIterator[tuple[Trade, ...]]:
        """Yield all trades from now on; `dropped_trades` counts batches that a reader was far too slow for."""
        async with self.subscribe(market, reader) as memory:
            box = memory.open_trade_queue()
            try:
                while True:
                    yield await box.get()
            finally:
                self._dropped_trades += box.dropped
                memory.trade_queues.discard(box)

    async def candle_stream(
        self, market: MarketSymbol, timeframe: Timeframe, reader: FeedReader = FeedReader.ENGINE
    ) -> AsyncIterator[Candle]:
        """Yield the forming candle, then its newest states, and every closed candle once."""
        unbroken = ClosedCandleStream(self._database)
        async with self.subscribe(market, reader) as memory:
            box = memory.open_candle_queue(timeframe)
            try:
                while True:
                    candle = await box.get()
                    # A database that is away for a moment is asked again with the next candle.
                    with suppress(Unavailable):
                        for told in await unbroken.at(candle):
                            yield told
            finally:
                memory.candle_queues[timeframe].discard(box)

    async def closed_candles(
        self, market: MarketSymbol, timeframe: Timeframe, on_candle: OnCandle
    ) -> ClosedCandleSubscription:
        """Call `on_candle` on the event loop for every candle that closes, until the registration is closed.

        Each is stored before it is told. One that the bus lost is told when the storage is next looked at.
        """
        memory = await self._memory(market)
        registration = ClosedCandleSubscription(self, memory, timeframe, on_candle)
        self._limit.try_acquire([market], FeedReader.ENGINE)
        memory.subscriber_count += 1
        self._registrations.add(registration)
        await self._demand(market)
        return registration

    def forget(self, registration: ClosedCandleSubscription) -> None:
        """Take out a registration that closes itself."""
        memory = self._memories.get(registration.market)
        if registration in self._registrations and memory is not None:
            self._limit.release([registration.market], FeedReader.ENGINE)
            memory.subscriber_count -= 1
            memory.idle_since = self._clock.monotonic()
        self._registrations.discard(registration)

    def venue_now(self, venue: str) -> datetime:
        """Return the venue's time: measured where this node is connected to it, else as its books tell it."""
        if self._venue_now is not None:
            return self._venue_now(venue)
        return self._clock.now() + self._venue_ahead.get(venue, timedelta())

    @asynccontextmanager
    async def _followed(self, market: MarketSymbol) -> AsyncIterator[MarketState]:
        memory = await self._memory(market)
        memory.subscriber_count += 1
        try:
            if memory.subscriber_count == 1:
                await self._demand(market)
            yield memory
        finally:
            memory.subscriber_count -= 1
            memory.idle_since = self._clock.monotonic()

    async def _memory(self, market: MarketSymbol) -> MarketState:
        async with self._opening.setdefault(market, asyncio.Lock()):
            memory = self._memories.get(market)
            if memory is None:
                memory = MarketState(market, self._bus, self._clock)
                memory.on_depth = self._learn_time
                await memory.open()
                self._memories[market] = memory
            return memory

    async def _demand(self, market: MarketSymbol) -> None:
        await self._bus.publish(FEED_DEMAND, str(market).encode())

    async def _warm_depth(self, memory: MarketState) -> None:
        if memory.newest_depth is None:
            cached = await self._cache.get(CacheSpace.DEPTH, str(memory.market))
            depth = None if cached is None else codec.decode_depth(cached)
            if depth is not None and self._clock.now() - depth.received_at < CACHED_IS_FRESH:
                memory.apply_depth(depth)

    async def _warm_ticker(self, memory: MarketState) -> None:
        if memory.newest_ticker is None:
            cached = await self._cache.get(CacheSpace.TICKER, str(memory.market))
            if cached is not None:
                memory.apply_ticker(codec.decode_ticker(cached))

    def _learn_time(self, depth: Depth) -> None:
        if depth.venue_time is not None:
            self._venue_ahead[depth.market.venue] = depth.venue_time - depth.received_at

    async def _keep(self) -> None:
        demanded = self._clock.monotonic()
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(KEEP_SECONDS):
                    await self._markets_changed.wait()
            try:
                await self._refresh()
                await self._refill()
            except Unavailable as error:
                log.warning("market data waits for the database: %s", error.message)
                await asyncio.sleep(KEEP_SECONDS)
            except Exception:
                log.exception("market data could not be looked after, and is again in a second")
                await asyncio.sleep(KEEP_SECONDS)
            if self._clock.monotonic() - demanded >= DEMAND_SECONDS:
                demanded = self._clock.monotonic()
                await self._demand_again()
            await self._tidy()

    async def _demand_again(self) -> None:
        for memory in tuple(self._memories.values()):
            if memory.subscriber_count:
                await self._demand(memory.market)

    async def _refresh(self) -> None:
        if self._markets_changed.is_set():
            await self.catalogue.refresh()
            self._markets_changed.clear()

    async def _refill(self) -> None:
        """Tell registrations what the bus lost: candles that are overdue and in the storage."""
        for registration in tuple(self._registrations):
            last, length = registration.last, registration.timeframe.duration
            overdue = (
                last is not None and self.venue_now(registration.market.venue) > last + 2 * length + CACHED_IS_FRESH
            )
            if overdue:
                window = TimeKeysetPage(limit=MAX_REFILL, after=last)
                async with self._database.read_only() as reading:
                    missed = await reading.market_data.candles(registration.market, registration.timeframe, window)
                for candle in missed:
                    registration.take(candle)

    async def _tidy(self) -> None:
        now = self._clock.monotonic()
        for market, memory in tuple(self._memories.items()):
            memory.expire()
            if not memory.subscriber_count and now - memory.idle_since > LINGER_SECONDS:
                del self._memories[market]
                await memory.close()


async def _first(
    open_box: Callable[[], ConflatingQueue[T]],
    forget: Callable[[ConflatingQueue[T]], None],
    kind: type[K],
    timeout_seconds: float,
) -> K | None:
    box = open_box()
    try:
        async with asyncio.timeout(timeout_seconds):
            while not isinstance(item := await box.get(), kind):
                pass
            return item
    except TimeoutError:
        return None
    finally:
        forget(box)
