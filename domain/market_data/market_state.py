"""What a node knows of one market: the latest of everything, and the queues of those who read it."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import TypeVar

from domain.core.clock import Clock
from domain.market_data import codec
from domain.market_data.conflating_queue import (
    ConflatingQueue,
    Sink,
    keep_all,
    keep_latest,
    latest_per_type,
    latest_until_closed,
)
from domain.market_data.history_versions import Series
from domain.market_data.timings import HubTimings
from domain.market_data.topics import candles_topic, depth_topic, status_topic, ticker_topic, trades_topic
from domain.model.depth import with_top_of_book
from domain.model.markets import Candle, Depth, FeedState, FeedStatus, MarketSymbol, Ticker, Timeframe, Trade
from domain.ports.bus import BusSubscription, MessageBus

MAX_TRADE_BATCHES = 10_000

Q = TypeVar("Q")


class MarketState:
    """Listens to the bus for one market. A feed whose collector stops sending its status counts as stale."""

    def __init__(self, market: MarketSymbol, bus: MessageBus, clock: Clock, timings: HubTimings | None = None) -> None:
        self.market = market
        self.subscriber_count = 0
        self.idle_since = clock.monotonic()
        self.latest_depth: Depth | None = None
        self.latest_ticker: Ticker | None = None
        self.forming: dict[Timeframe, Candle] = {}
        self.depth_queues: set[ConflatingQueue[Depth | FeedStatus]] = set()
        self.ticker_queues: set[Sink[Ticker]] = set()
        self.status_queues: set[Sink[FeedStatus]] = set()
        self.trade_queues: set[ConflatingQueue[tuple[Trade, ...]]] = set()
        self.candle_queues: dict[Timeframe, set[ConflatingQueue[Candle]]] = {
            timeframe: set() for timeframe in Timeframe
        }
        self.closed_candle_queues: dict[Timeframe, set[ConflatingQueue[Candle]]] = {
            timeframe: set() for timeframe in Timeframe
        }
        self.on_depth: Callable[[Depth], None] = lambda _depth: None
        self.on_stored: Callable[[Iterable[Series]], None] = lambda _stored: None
        self._bus = bus
        self._clock = clock
        self._timings = timings or HubTimings()
        self._status: FeedStatus | None = None
        self._depth_at = self._ticker_at = self._status_at = float("-inf")
        self._subscriptions: list[BusSubscription] = []

    @property
    def fresh_depth(self) -> Depth | None:
        """The latest book, unless it is older than `fresh_seconds` or its feed isn't live."""
        status = self.status
        if status is not None and status.state is not FeedState.LIVE:
            return None
        return self.latest_depth if self._is_fresh(self._depth_at) else None

    @property
    def fresh_ticker(self) -> Ticker | None:
        """The latest ticker, unless it is older than `fresh_seconds`; its best prices are those of the fresh book."""
        ticker, depth = self.latest_ticker, self.fresh_depth
        if ticker is None or not self._is_fresh(self._ticker_at):
            return None
        return ticker if depth is None else with_top_of_book(ticker, depth)

    @property
    def price(self) -> Decimal | None:
        """The middle of the fresh book, else the last price of the fresh ticker; None if neither is known."""
        depth, ticker = self.fresh_depth, self.fresh_ticker
        if depth is not None and depth.bids and depth.asks:
            return (depth.bids[0].price + depth.asks[0].price) / 2
        return None if ticker is None else ticker.last

    @property
    def has_price(self) -> bool:
        """Whether `price` is known, without computing it."""
        depth, ticker = self.fresh_depth, self.latest_ticker
        if depth is not None and depth.bids and depth.asks:
            return True
        return ticker is not None and self._is_fresh(self._ticker_at) and ticker.last is not None

    @property
    def status(self) -> FeedStatus | None:
        """The state of the feed; None before one was received, STALE if its collector has gone silent."""
        status = self._status
        return self._as_stale(status) if status is not None and self._is_silent() else status

    async def open(self) -> None:
        """Subscribe to the market's topics."""
        subscribe = self._bus.subscribe
        self._subscriptions = [
            await subscribe(depth_topic(self.market), self._on_depth_message),
            await subscribe(ticker_topic(self.market), self._on_ticker_message),
            await subscribe(status_topic(self.market), self._on_status_message),
            await subscribe(trades_topic(self.market), self._on_trades_message),
            await subscribe(candles_topic(self.market), self._on_candles_message),
        ]

    async def close(self) -> None:
        """Close the subscriptions of the market's topics."""
        subscriptions, self._subscriptions = self._subscriptions, []
        for subscription in subscriptions:
            await subscription.close()

    def expire(self) -> None:
        """Give the readers a STALE status if the collector has just gone silent."""
        if self._status is not None and self._status.state is FeedState.LIVE and self._is_silent():
            self._status = self._as_stale(self._status)
            self._put_status(self._status)

    @contextmanager
    def depth_queue(self) -> Iterator[ConflatingQueue[Depth | FeedStatus]]:
        """Provide a queue of books and states that begins with the latest of each."""
        queue: ConflatingQueue[Depth | FeedStatus] = ConflatingQueue(latest_per_type)
        if self.fresh_depth is not None:
            queue.put(self.fresh_depth)
        if self.status is not None and self.status.state is not FeedState.LIVE:
            queue.put(self.status)
        with _added(self.depth_queues, queue):
            yield queue

    @contextmanager
    def ticker_queue(self) -> Iterator[ConflatingQueue[Ticker]]:
        """Provide a queue of tickers that begins with the latest."""
        queue: ConflatingQueue[Ticker] = ConflatingQueue(keep_latest)
        with self.attach_tickers(queue):
            yield queue

    @contextmanager
    def attach_tickers(self, queue: Sink[Ticker]) -> Iterator[None]:
        """Put the latest ticker and all that follow into `queue`, inside the block."""
        if self.fresh_ticker is not None:
            queue.put(self.fresh_ticker)
        with _added(self.ticker_queues, queue):
            yield

    @contextmanager
    def attach_status(self, queue: Sink[FeedStatus]) -> Iterator[None]:
        """Put the state of the feed and all that follow into `queue`, inside the block."""
        if self.status is not None:
            queue.put(self.status)
        with _added(self.status_queues, queue):
            yield

    @contextmanager
    def trade_queue(self) -> Iterator[ConflatingQueue[tuple[Trade, ...]]]:
        """Provide a queue of the trades to come, in batches."""
        queue: ConflatingQueue[tuple[Trade, ...]] = ConflatingQueue(keep_all, MAX_TRADE_BATCHES)
        with _added(self.trade_queues, queue):
            yield queue

    @contextmanager
    def candle_queue(self, timeframe: Timeframe) -> Iterator[ConflatingQueue[Candle]]:
        """Provide a queue of forming and closed candles that begins with the forming one."""
        queue: ConflatingQueue[Candle] = ConflatingQueue(latest_until_closed)
        forming = self.forming.get(timeframe)
        if forming is not None:
            queue.put(forming)
        with _added(self.candle_queues[timeframe], queue):
            yield queue

    @contextmanager
    def closed_candle_queue(self, timeframe: Timeframe) -> Iterator[ConflatingQueue[Candle]]:
        """Provide a queue of the candles that close from now on."""
        queue: ConflatingQueue[Candle] = ConflatingQueue(keep_all)
        with _added(self.closed_candle_queues[timeframe], queue):
            yield queue

    def apply_depth(self, depth: Depth) -> None:
        """Apply a book from the bus.

        Of the same epoch, a book with a lower sequence is ignored, and one with the same sequence only confirms that
        the known book is still fresh.
        """
        known = self.latest_depth
        if known is not None and known.epoch == depth.epoch and known.sequence >= depth.sequence:
            if known.sequence == depth.sequence:
                self._depth_at = self._clock.monotonic()
            return
        self.latest_depth, self._depth_at = depth, self._clock.monotonic()
        self.on_depth(depth)
        for queue in self.depth_queues:
            queue.put(depth)

    def apply_cached_depth(self, depth: Depth, age_seconds: float) -> None:
        """Apply a book from the cache, unless one has come by the bus: that is newer, be it of another epoch."""
        if self.latest_depth is None:
            self.apply_depth(depth)
            self._depth_at -= age_seconds

    def apply_ticker(self, ticker: Ticker) -> None:
        """Apply a ticker from the bus or the cache."""
        self.latest_ticker, self._ticker_at = ticker, self._clock.monotonic()
        for queue in self.ticker_queues:
            queue.put(ticker)

    def _on_depth_message(self, message: bytes) -> None:
        self.apply_depth(codec.decode_depth(message))

    def _on_ticker_message(self, message: bytes) -> None:
        self.apply_ticker(codec.decode_ticker(message))

    def _on_candles_message(self, message: bytes) -> None:
        for candle in codec.decode_candles(message):
            if candle.closed:
                self.on_stored([(self.market, candle.timeframe)])
                for queue in self.closed_candle_queues[candle.timeframe]:
                    queue.put(candle)
            else:
                self.forming[candle.timeframe] = candle
            for queue in self.candle_queues[candle.timeframe]:
                queue.put(candle)

    def _on_trades_message(self, message: bytes) -> None:
        if self.trade_queues:
            trades = codec.decode_trades(message)
            for queue in self.trade_queues:
                queue.put(trades)

    def _on_status_message(self, message: bytes) -> None:
        status = codec.decode_status(message)
        self._status_at = self._clock.monotonic()
        if status != self._status:
            self._status = status
            self._put_status(status)

    def _put_status(self, status: FeedStatus) -> None:
        for depth_queue in self.depth_queues:
            depth_queue.put(status)
        for queue in self.status_queues:
            queue.put(status)

    def _is_silent(self) -> bool:
        return self._clock.monotonic() - self._status_at > self._timings.silent_after

    def _as_stale(self, status: FeedStatus) -> FeedStatus:
        if status.state is not FeedState.LIVE:
            return status
        return FeedStatus(status.market, FeedState.STALE, self._clock.now())

    def _is_fresh(self, at: float) -> bool:
        return self._clock.monotonic() - at <= self._timings.fresh_seconds


@contextmanager
def _added(queues: set[Q], queue: Q) -> Iterator[None]:
    queues.add(queue)
    try:
        yield
    finally:
        queues.discard(queue)
