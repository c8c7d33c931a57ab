"""What a node knows of one market: the newest of everything, and who reads it."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

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
from domain.market_data.topics import candles_topic, depth_topic, status_topic, ticker_topic, trades_topic
from domain.model.depth import with_top_of_book
from domain.model.markets import Candle, Depth, FeedState, FeedStatus, MarketSymbol, Ticker, Timeframe, Trade
from domain.ports.bus import BusSubscription, MessageBus

FRESH_SECONDS = 10.0
SILENT_SECONDS = 10.0
MAX_TRADE_BATCHES = 10_000

OnCandle = Callable[[Candle], None]


class MarketState:
    """Listens to the bus for one market. What it knows of its feed's health ends with the collector's heartbeat."""

    def __init__(self, market: MarketSymbol, bus: MessageBus, clock: Clock) -> None:
        self.market = market
        self.subscriber_count = 0
        self.idle_since = clock.monotonic()
        self.newest_depth: Depth | None = None
        self.newest_ticker: Ticker | None = None
        self.forming: dict[Timeframe, Candle] = {}
        self.depth_queues: set[ConflatingQueue[Depth | FeedStatus]] = set()
        self.ticker_queues: set[Sink[Ticker]] = set()
        self.status_queues: set[Sink[FeedStatus]] = set()
        self.trade_queues: set[ConflatingQueue[tuple[Trade, ...]]] = set()
        self.candle_queues: dict[Timeframe, set[ConflatingQueue[Candle]]] = {each: set() for each in Timeframe}
        self.on_closed: dict[Timeframe, set[OnCandle]] = {each: set() for each in Timeframe}
        self.on_depth: Callable[[Depth], None] = lambda _depth: None
        self._bus = bus
        self._clock = clock
        self._status: FeedStatus | None = None
        self._depth_at = self._ticker_at = self._status_at = float("-inf")
        self._subscriptions: list[BusSubscription] = []

    @property
    def fresh_depth(self) -> Depth | None:
        """The newest book, unless it is older than `FRESH_SECONDS` or its feed isn't live."""
        status = self.status
        if status is not None and status.state is not FeedState.LIVE:
            return None
        return self.newest_depth if self._is_recent(self._depth_at) else None

    @property
    def fresh_ticker(self) -> Ticker | None:
        """The newest ticker, unless it is older than `FRESH_SECONDS`; its best prices are those of the fresh book."""
        ticker, depth = self.newest_ticker, self.fresh_depth
        if ticker is None or not self._is_recent(self._ticker_at):
            return None
        return ticker if depth is None else with_top_of_book(ticker, depth)

    @property
    def price(self) -> Decimal | None:
        """The middle of the fresh book, else the last price of the fresh ticker; None where neither is known."""
        depth, ticker = self.fresh_depth, self.fresh_ticker
        if depth is not None and depth.bids and depth.asks:
            return (depth.bids[0].price + depth.asks[0].price) / 2
        return None if ticker is None else ticker.last

    @property
    def has_price(self) -> bool:
        """Whether `price` is known; it isn't computed."""
        depth, ticker = self.fresh_depth, self.newest_ticker
        if depth is not None and depth.bids and depth.asks:
            return True
        return ticker is not None and self._is_recent(self._ticker_at) and ticker.last is not None

    @property
    def status(self) -> FeedStatus | None:
        """The state of the feed; None before any was told. A collector that has gone silent leaves it STALE."""
        status = self._status
        if status is not None and self._clock.monotonic() - self._status_at > SILENT_SECONDS:
            return self._silent(status)
        return status

    async def open(self) -> None:
        """Begin to listen."""
        listen = self._bus.subscribe
        self._subscriptions = [
            await listen(depth_topic(self.market), self._hear_depth),
            await listen(ticker_topic(self.market), self._hear_ticker),
            await listen(status_topic(self.market), self._hear_status),
            await listen(trades_topic(self.market), self._hear_trades),
            await listen(candles_topic(self.market), self._hear_candles),
        ]

    async def close(self) -> None:
        """Stop listening."""
        subscriptions, self._subscriptions = self._subscriptions, []
        for subscription in subscriptions:
            await subscription.close()

    def expire(self) -> None:
        """Tell the readers of the book where the collector has just gone silent."""
        silent = self._status is not None and self._clock.monotonic() - self._status_at > SILENT_SECONDS
        if silent and self._status is not None and self._status.state is FeedState.LIVE:
            self._status = self._silent(self._status)
            self._tell(self._status)

    def open_depth_queue(self) -> ConflatingQueue[Depth | FeedStatus]:
        """Return a new mailbox of books and states, the newest of each in it."""
        box: ConflatingQueue[Depth | FeedStatus] = ConflatingQueue(latest_per_type)
        if self.fresh_depth is not None:
            box.put(self.fresh_depth)
        if self.status is not None and self.status.state is not FeedState.LIVE:
            box.put(self.status)
        self.depth_queues.add(box)
        return box

    def open_ticker_queue(self) -> ConflatingQueue[Ticker]:
        """Return a new mailbox of tickers, the newest in it."""
        box: ConflatingQueue[Ticker] = ConflatingQueue(keep_latest)
        self.attach_tickers(box)
        return box

    def attach_tickers(self, box: Sink[Ticker]) -> None:
        """Put the newest ticker and all that follow into a box, until it is taken out of `ticker_queues`."""
        if self.fresh_ticker is not None:
            box.put(self.fresh_ticker)
        self.ticker_queues.add(box)

    def attach_status(self, box: Sink[FeedStatus]) -> None:
        """Put the state of the feed and all that follow into a box, until it is taken out of `status_queues`."""
        if self.status is not None:
            box.put(self.status)
        self.status_queues.add(box)

    def open_trade_queue(self) -> ConflatingQueue[tuple[Trade, ...]]:
        """Return a new mailbox of trades to come."""
        box: ConflatingQueue[tuple[Trade, ...]] = ConflatingQueue(keep_all, MAX_TRADE_BATCHES)
        self.trade_queues.add(box)
        return box

    def open_candle_queue(self, timeframe: Timeframe) -> ConflatingQueue[Candle]:
        """Return a new mailbox of candles, the forming one in it."""
        box: ConflatingQueue[Candle] = ConflatingQueue(latest_until_closed)
        forming = self.forming.get(timeframe)
        if forming is not None:
            box.put(forming)
        self.candle_queues[timeframe].add(box)
        return box

    def apply_depth(self, depth: Depth) -> None:
        """Take a book from the bus or the cache; an older one of its epoch changes nothing, the same confirms it."""
        known = self.newest_depth
        if known is not None and known.epoch == depth.epoch and known.sequence >= depth.sequence:
            if known.sequence == depth.sequence:
                self._depth_at = self._clock.monotonic()
            return
        self.newest_depth, self._depth_at = depth, self._clock.monotonic()
        self.on_depth(depth)
        for box in self.depth_queues:
            box.put(depth)

    def apply_ticker(self, ticker: Ticker) -> None:
        """Take a ticker from the bus or the cache."""
        self.newest_ticker, self._ticker_at = ticker, self._clock.monotonic()
        for box in self.ticker_queues:
            box.put(ticker)

    def apply_candle(self, candle: Candle) -> None:
        """Take a candle from the bus or the storage."""
        if candle.closed:
            for on_candle in tuple(self.on_closed[candle.timeframe]):
                on_candle(candle)
        else:
            self.forming[candle.timeframe] = candle
        for box in self.candle_queues[candle.timeframe]:
            box.put(candle)

    def _hear_depth(self, message: bytes) -> None:
        self.apply_depth(codec.decode_depth(message))

    def _hear_ticker(self, message: bytes) -> None:
        self.apply_ticker(codec.decode_ticker(message))

    def _hear_candles(self, message: bytes) -> None:
        for candle in codec.decode_candles(message):
            self.apply_candle(candle)

    def _hear_trades(self, message: bytes) -> None:
        if self.trade_queues:
            trades = codec.decode_trades(message)
            for box in self.trade_queues:
                box.put(trades)

    def _hear_status(self, message: bytes) -> None:
        status = codec.decode_status(message)
        self._status_at = self._clock.monotonic()
        if status != self._status:
            self._status = status
            self._tell(status)

    def _tell(self, status: FeedStatus) -> None:
        for box in self.depth_queues:
            box.put(status)
        for reader in self.status_queues:
            reader.put(status)

    def _silent(self, status: FeedStatus) -> FeedStatus:
        since: datetime = self._clock.now()
        return FeedStatus(status.market, FeedState.STALE, since) if status.state is FeedState.LIVE else status

    def _is_recent(self, at: float) -> bool:
        return self._clock.monotonic() - at <= FRESH_SECONDS
