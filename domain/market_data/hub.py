"""Market data as every node sees it: subscribed to, read, and collected only while somebody follows it."""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager, suppress
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TypeVar

from domain.core.background import BackgroundTasks
from domain.core.clock import Clock
from domain.core.errors import RateLimited, Unavailable
from domain.core.wakeup import Wakeup
from domain.market_data import codec
from domain.market_data.catalogue import MarketCatalogue, PricedPaths
from domain.market_data.closed_candles import ClosedCandleStream
from domain.market_data.conflating_queue import ConflatingQueue, LatestByKey, Sink
from domain.market_data.feed_limit import MAX_FEEDS_PER_VENUE, FeedLimit, FeedReader
from domain.market_data.followed_markets import FollowedMarkets
from domain.market_data.history_versions import HistoryVersions
from domain.market_data.market_state import MarketState
from domain.market_data.timings import HubTimings
from domain.market_data.topics import MARKETS_CHANGED, MARKETS_DEMAND
from domain.model.conversion import CurrencyGraph, convert
from domain.model.markets import Candle, Depth, FeedStatus, MarketSymbol, Ticker, Timeframe, Trade
from domain.ports.bus import BusSubscription, MessageBus
from domain.ports.cache import Cache, CacheSpace
from domain.ports.unit_of_work import Database

log = logging.getLogger(__name__)

T = TypeVar("T")
K = TypeVar("K", Depth, Ticker)
N = TypeVar("N", Ticker, FeedStatus)


class MarketDataHub:
    """The node's market data: the latest values, streams of them, and conversions between currencies.

    A subscription to a market keeps its feed running, on whichever node collects it. `followed` are the markets
    that this node listens to, `catalogue` holds all that there are.
    """

    def __init__(
        self,
        bus: MessageBus,
        cache: Cache,
        database: Database,
        clock: Clock,
        venue_now: Callable[[str], datetime] | None = None,
        max_feeds_per_venue: int = MAX_FEEDS_PER_VENUE,
        timings: HubTimings | None = None,
    ) -> None:
        self._timings = timings or HubTimings()
        self._limit = FeedLimit(database, clock, max_feeds_per_venue)
        self.catalogue = MarketCatalogue(database)
        self.history_versions = HistoryVersions()
        self.followed = FollowedMarkets(
            bus, clock, self._timings, self._measure_venue_time, self.history_versions.note_stored
        )
        self._dropped_trades = 0
        self._bus = bus
        self._cache = cache
        self._database = database
        self._clock = clock
        self._venue_now = venue_now
        self._venue_ahead: dict[str, timedelta] = {}
        self._priced_paths = PricedPaths()
        self._subscription: BusSubscription | None = None
        self._tasks = BackgroundTasks()
        self._markets_changed = Wakeup()

    @property
    def dropped_trades(self) -> int:
        """The number of batches of trades that were dropped because a reader of this node was far too slow."""
        return self._dropped_trades + sum(
            queue.dropped for state in self.followed.states for queue in state.trade_queues
        )

    async def start(self) -> None:
        """Read the catalogue and keep it up to date; raises `Unavailable`."""
        self._subscription = await self._bus.subscribe(
            MARKETS_CHANGED, lambda _message: self._markets_changed.set(), self._markets_changed.set
        )
        await self.catalogue.refresh()
        self._tasks.start(self._run(), name="market-data-hub")

    async def close(self) -> None:
        """Stop listening; streams end with their readers."""
        await self._tasks.close()
        if self._subscription is not None:
            await self._subscription.close()
        await self.followed.close()

    @asynccontextmanager
    async def subscribe(
        self, market: MarketSymbol, reader: FeedReader = FeedReader.ENGINE
    ) -> AsyncIterator[MarketState]:
        """Keep the market's feed running, and this node listening to it, inside the block.

        Raises `RateLimited` if clients follow too many markets of the venue; the engine itself is never refused.
        """
        async with self._limit.admit([market], reader), self.followed.follow(market) as state:
            yield state

    # -- the latest values -------------------------------------------------------------------------------------------

    async def depth(
        self, market: MarketSymbol, timeout_seconds: float = 3.0, reader: FeedReader = FeedReader.ENGINE
    ) -> Depth | None:
        """Return a fresh book, waiting for the feed to start if it must; None after the time, or if it may not."""
        with suppress(RateLimited):
            async with self.subscribe(market, reader) as state:
                await self._load_cached_depth(state)
                return await _known(lambda: state.fresh_depth, state.depth_queue(), timeout_seconds)
        return None

    async def ticker(
        self, market: MarketSymbol, timeout_seconds: float = 3.0, reader: FeedReader = FeedReader.ENGINE
    ) -> Ticker | None:
        """Return a fresh ticker, waiting for the feed to start if it must; None after the time, or if it may not."""
        with suppress(RateLimited):
            async with self.subscribe(market, reader) as state:
                await self._load_cached_ticker(state)
                return await _known(lambda: state.fresh_ticker, state.ticker_queue(), timeout_seconds)
        return None

    def status(self, market: MarketSymbol) -> FeedStatus | None:
        """Return the state of the market's feed; None if this node doesn't follow it, or has received none yet."""
        state = self.followed.get(market)
        return None if state is None else state.status

    def latest_depth(self, market: MarketSymbol) -> Depth | None:
        """Return the latest book if it is fresh, else None."""
        state = self.followed.get(market)
        if state is None:
            return None
        state.idle_since = self._clock.monotonic()
        return state.fresh_depth

    def latest_ticker(self, market: MarketSymbol) -> Ticker | None:
        """Return the latest ticker if it is fresh, else None."""
        state = self.followed.get(market)
        return None if state is None else state.fresh_ticker

    def price_of(self, market: MarketSymbol) -> Decimal | None:
        """Return the middle of a fresh book, else the last price of a fresh ticker, else None."""
        state = self.followed.get(market)
        return None if state is None else state.price

    def graph(self, venue: str) -> CurrencyGraph:
        """Return the currencies of a venue and the markets between them."""
        return self.catalogue.graph(venue)

    async def request_reload(self, venue: str) -> None:
        """Have a collector load the venue's markets again, since their filters seem to have changed."""
        await self._bus.publish(MARKETS_DEMAND, venue.encode())

    def convert(self, venue: str, amount: Decimal, currency: str, into: str) -> Decimal | None:
        """Return an amount's worth in another currency at present prices, over as many markets as it needs."""
        if currency == into:
            return amount
        priced = [state.market for state in self.followed.states if state.market.venue == venue and state.has_price]
        path = self._priced_paths.find(venue, self.graph(venue), priced, currency, into)
        return None if path is None else convert(amount, path, self.price_of)

    def venue_now(self, venue: str) -> datetime:
        """Return the venue's time: measured if this node is connected to it, else estimated from its books."""
        if self._venue_now is not None:
            return self._venue_now(venue)
        return self._clock.now() + self._venue_ahead.get(venue, timedelta())

    # -- streams -----------------------------------------------------------------------------------------------------

    async def depth_stream(
        self, market: MarketSymbol, reader: FeedReader = FeedReader.ENGINE
    ) -> AsyncIterator[Depth | FeedStatus]:
        """Yield the latest known book, then every later one, and changes of the feed's state."""
        async with self.subscribe(market, reader) as state:
            await self._load_cached_depth(state)
            with state.depth_queue() as queue:
                while True:
                    yield await queue.get()

    async def ticker_stream(
        self, market: MarketSymbol, reader: FeedReader = FeedReader.ENGINE
    ) -> AsyncIterator[Ticker]:
        """Yield the latest known ticker, then every later one."""
        async with self.subscribe(market, reader) as state:
            with state.ticker_queue() as queue:
                while True:
                    yield await queue.get()

    def tickers_stream(
        self, markets: Sequence[MarketSymbol], reader: FeedReader = FeedReader.ENGINE
    ) -> AsyncIterator[Ticker]:
        """Yield the known ticker of each market, then every later one; a slow reader gets the latest of each."""
        return self._latest_by_market(markets, reader, MarketState.attach_tickers)

    def feeds_stream(
        self, markets: Sequence[MarketSymbol], reader: FeedReader = FeedReader.ENGINE
    ) -> AsyncIterator[FeedStatus]:
        """Yield the state of each market's feed, then every change; a slow reader gets the latest of each."""
        return self._latest_by_market(markets, reader, MarketState.attach_status)

    async def _latest_by_market(
        self,
        markets: Sequence[MarketSymbol],
        reader: FeedReader,
        attach: Callable[[MarketState, Sink[N]], AbstractContextManager[None]],
    ) -> AsyncIterator[N]:
        async with self._limit.admit(markets, reader), AsyncExitStack() as stack:
            states = [await stack.enter_async_context(self.followed.follow(market)) for market in markets]
            queue: LatestByKey[MarketSymbol, N] = LatestByKey(lambda item: item.market)
            for state in states:
                stack.enter_context(attach(state, queue))
            while True:
                yield await queue.get()

    async def trade_stream(
        self, market: MarketSymbol, reader: FeedReader = FeedReader.ENGINE
    ) -> AsyncGenerator[tuple[Trade, ...], None]:
        """Yield all trades from now on; `dropped_trades` counts batches that a reader was far too slow for."""
        async with self.subscribe(market, reader) as state:
            with state.trade_queue() as queue:
                try:
                    while True:
                        yield await queue.get()
                finally:
                    self._dropped_trades += queue.dropped

    async def candle_stream(
        self, market: MarketSymbol, timeframe: Timeframe, reader: FeedReader = FeedReader.ENGINE
    ) -> AsyncIterator[Candle]:
        """Yield the forming candle, then its latest states, and every closed candle once."""
        async with self.subscribe(market, reader) as state:
            with state.candle_queue(timeframe) as queue:
                async for candle in self._without_gaps(market, timeframe, queue):
                    yield candle

    @asynccontextmanager
    async def closed_candles(
        self, market: MarketSymbol, timeframe: Timeframe, reader: FeedReader = FeedReader.ENGINE
    ) -> AsyncIterator[ClosedCandleStream]:
        """Provide the candles that close inside the block: each once, oldest first, stored before it is published."""
        async with self.subscribe(market, reader) as state:
            with state.closed_candle_queue(timeframe) as queue:
                yield self._without_gaps(market, timeframe, queue)

    def _without_gaps(
        self, market: MarketSymbol, timeframe: Timeframe, queue: ConflatingQueue[Candle]
    ) -> ClosedCandleStream:
        return ClosedCandleStream(
            self._database, market, timeframe, queue, lambda: self.venue_now(market.venue), self._timings
        )

    # -- upkeep ------------------------------------------------------------------------------------------------------

    async def _load_cached_depth(self, state: MarketState) -> None:
        if state.latest_depth is None:
            cached = await self._cache.get(CacheSpace.DEPTH, str(state.market))
            depth = None if cached is None else codec.decode_depth(cached)
            if depth is not None:
                age_seconds = max((self._clock.now() - depth.received_at).total_seconds(), 0.0)
                if age_seconds < self._timings.cached_book_seconds:
                    state.apply_cached_depth(depth, age_seconds)

    async def _load_cached_ticker(self, state: MarketState) -> None:
        if state.latest_ticker is None:
            cached = await self._cache.get(CacheSpace.TICKER, str(state.market))
            # One that has come by the bus meanwhile is newer.
            if cached is not None and state.latest_ticker is None:
                state.apply_ticker(codec.decode_ticker(cached))

    def _measure_venue_time(self, depth: Depth) -> None:
        if depth.venue_time is not None:
            self._venue_ahead[depth.market.venue] = depth.venue_time - depth.received_at

    async def _run(self) -> None:
        while True:
            await self._markets_changed.wait(self._timings.maintain_every)
            try:
                await self._refresh_catalogue()
            except Unavailable as error:
                log.warning("market data waits for the database: %s", error.message)
                await asyncio.sleep(self._timings.maintain_every)
            except Exception:
                log.exception("the catalogue of markets could not be read; it is tried again in a second")
                await asyncio.sleep(self._timings.maintain_every)
            try:
                await self.followed.maintain()
            except Exception:
                log.exception("the followed markets could not be maintained; it is tried again in a second")

    async def _refresh_catalogue(self) -> None:
        if self._markets_changed.is_set():
            # Cleared before it is read, so that a change in the meantime is read as well.
            self._markets_changed.clear()
            try:
                await self.catalogue.refresh()
            except BaseException:
                self._markets_changed.set()
                raise


async def _known(
    read: Callable[[], K | None], opened: AbstractContextManager[ConflatingQueue[T]], timeout_seconds: float
) -> K | None:
    """Return what `read` finds, waiting for it as long; each item of the queue may bring it.

    An item alone is not enough: the first book of a feed comes before the word that the feed is live.
    """
    if (found := read()) is not None:
        return found
    with opened as queue, suppress(TimeoutError):
        async with asyncio.timeout(timeout_seconds):
            while (found := read()) is None:
                await queue.get()
            return found
    return read()
