"""The feed of one market between a venue that a test controls and readers that get everything."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from domain.market_data import codec
from domain.market_data.backfill import Backfill
from domain.market_data.collector import Collector
from domain.market_data.timings import FeedTimings
from domain.market_data.topics import candles_topic, status_topic, trades_topic
from domain.market_data.trade_feed import FeedOutputs
from domain.market_data.writer import MarketDataWriter
from domain.model.markets import Candle, Depth, FeedState, MarketSymbol, PriceLevel, Ticker, Timeframe, Trade
from domain.model.order_side import OrderSide
from domain.ports.market_data import VenueGap, VenueUnreachable
from infra.clock import TimeOrderedIds
from infra.embedded.bus import EmbeddedBus
from infra.embedded.cache import EmbeddedCache
from tests.support.clocks import ManualClock
from tests.support.fake_venue import FakeVenue
from tests.support.waiting import eventually

MARKET = MarketSymbol("sandbox", "BTC/USDT")
START = datetime(2024, 8, 8, 12, 0, 5, tzinfo=UTC)
ONE = Decimal(1)
TIMINGS = FeedTimings(stale_after=1e9, forming_every=0.0, tick_every=0.001, verify_every=0.001, verify_after=1.0)


def trade(number: int, seconds: float) -> Trade:
    return Trade(MARKET, str(number), START + timedelta(seconds=seconds), Decimal(100 + number), ONE, OrderSide.BUY)


class StreamingVenue:
    """Its streams give what a test puts into them; its clock is the test's."""

    venue = "sandbox"

    def __init__(self, traded: Sequence[Trade], clock: ManualClock) -> None:
        self.plain = FakeVenue(traded)
        self.batches: asyncio.Queue[list[Trade]] = asyncio.Queue()
        self.books: asyncio.Queue[int | None] = asyncio.Queue()
        self.answers = asyncio.Event()
        self.answers.set()
        self.refuses = False
        self.first_book = asyncio.Event()
        self.first_book.set()
        self.has_books = True
        self.streams = 0
        self.trade_requests = 0
        self.time_requests = 0
        self._clock = clock

    def venue_now(self) -> datetime:
        self.time_requests += 1
        self.plain.now = self._clock.now()
        return self.plain.now

    async def depth(self, market: MarketSymbol) -> AsyncIterator[Depth]:
        bids, asks = ((PriceLevel(Decimal(price), ONE),) for price in (99, 101))
        await self.first_book.wait()
        if not self.has_books:
            raise VenueUnreachable("no answer")
        yield Depth(market, "", 1, bids, asks, None, self._clock.now())
        while (sequence := await self.books.get()) is not None:
            yield Depth(market, "", sequence, bids, asks, None, self._clock.now())
        raise VenueGap("an update is missing")

    async def trades(self, _market: MarketSymbol) -> AsyncIterator[list[Trade]]:
        self.streams += 1
        while True:
            yield await self.batches.get()

    async def tickers(self, market: MarketSymbol) -> AsyncIterator[Ticker]:
        yield Ticker(market, self._clock.now(), None, None, None, None, None)
        await asyncio.Event().wait()

    async def fetch_candles(
        self, market: MarketSymbol, timeframe: Timeframe, start: datetime | None, limit: int
    ) -> list[Candle]:
        self.plain.now = self._clock.now()
        return await self.plain.fetch_candles(market, timeframe, start, limit)

    async def fetch_trades(self, market: MarketSymbol, limit: int) -> list[Trade]:
        self.trade_requests += 1
        if self.refuses:
            raise VenueUnreachable("no answer")
        await self.answers.wait()
        self.plain.now = self._clock.now()
        return await self.plain.fetch_trades(market, limit)


class SlowWriter(MarketDataWriter):
    """Stores nothing; a flush takes until the test lets it end."""

    def __init__(self) -> None:
        super().__init__(None)  # type: ignore[arg-type]
        self.may_end = asyncio.Event()
        self.may_end.set()
        self.flushing = 0

    async def correct(self, candles: object) -> None:
        pass

    async def flush(self) -> None:
        self.flushing += 1
        await self.may_end.wait()


@dataclass
class Feed:
    venue: StreamingVenue
    clock: ManualClock
    writer: SlowWriter
    collector: Collector
    trades: list[str] = field(default_factory=list)
    minutes: list[Candle] = field(default_factory=list)
    states: list[FeedState] = field(default_factory=list)


@asynccontextmanager
async def feed(*traded: Trade, timings: FeedTimings = TIMINGS, is_waited_for: bool = False) -> AsyncIterator[Feed]:
    """Run a feed that is known to make candles; its first book comes when the test says so if it `is_waited_for`."""
    clock, bus = ManualClock(START), EmbeddedBus()
    venue, writer = StreamingVenue(list(traded), clock), SlowWriter()
    if is_waited_for:
        venue.first_book.clear()
    backfill = Backfill({"sandbox": venue}, None, writer, clock)  # type: ignore[arg-type,dict-item]
    outputs = FeedOutputs(bus, EmbeddedCache(clock), writer, backfill)
    collector = Collector(MARKET, venue, outputs, clock, TimeOrderedIds(), timings)  # type: ignore[arg-type]
    running = Feed(venue, clock, writer, collector)
    await bus.subscribe(
        trades_topic(MARKET),
        lambda message: running.trades.extend(trade.venue_trade_id for trade in codec.decode_trades(message)),
    )

    def on_candles(message: bytes) -> None:
        candles = codec.decode_candles(message)
        running.minutes.extend(candle for candle in candles if candle.timeframe is Timeframe.M1)

    await bus.subscribe(candles_topic(MARKET), on_candles)

    def on_status(message: bytes) -> None:
        state = codec.decode_status(message).state
        if state not in running.states[-1:]:
            running.states.append(state)

    await bus.subscribe(status_topic(MARKET), on_status)
    task = asyncio.create_task(collector.run())
    try:
        await eventually(lambda: collector.makes_candles, "candles are made of trades")
        yield running
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_forming_candle_is_published_after_the_closed_one_before_it_however_long_that_takes_to_store() -> None:
    async with feed(trade(1, -10), trade(2, 0)) as running:
        running.writer.may_end.clear()
        running.clock.move(55.5)
        running.venue.batches.put_nowait([trade(3, 55.4)])
        await eventually(lambda: running.writer.flushing, "the minute is being stored")
        asked = running.venue.time_requests
        await eventually(lambda: running.venue.time_requests > asked + 20, "the feed's clock has ticked")
        running.writer.may_end.set()
        await eventually(
            lambda: running.minutes and running.minutes[-1].open_time > START, "the next minute is published"
        )
        closed = [minute.closed for minute in running.minutes if minute.open_time < START]
        first_of_next = next(index for index, each in enumerate(running.minutes) if each.open_time > START)
        assert closed.count(True) == 1
        assert running.minutes[first_of_next - 1].closed


async def test_trades_that_were_made_before_a_slow_stream_started_are_requested() -> None:
    async with feed(trade(1, -10), trade(2, 0)) as running:
        await eventually(lambda: running.venue.trade_requests == 2, "the trades are requested after the stream")
        running.clock.move(2)
        running.venue.plain.trades += [trade(3, 1)]
        running.venue.batches.put_nowait([trade(4, 1.5)])
        await eventually(lambda: "4" in running.trades, "the stream's first trade is published")
        assert running.trades == ["2", "3", "4"]


async def test_no_minute_closes_without_the_trades_that_a_stream_left_out_since_it_started_after_them() -> None:
    async with feed(trade(1, -10), trade(2, 0)) as running:
        await eventually(lambda: running.venue.trade_requests == 2, "the trades are requested after the stream")
        running.venue.plain.trades += [trade(3, 10)]
        running.clock.move(58)
        await eventually(lambda: any(minute.closed for minute in running.minutes), "the minute closes")
        (closed,) = [minute for minute in running.minutes if minute.closed]
        assert closed.volume == 2
        assert running.trades == ["2", "3"]
        assert running.venue.trade_requests == 3, "one request a minute"


async def test_a_stream_that_never_brings_anything_while_the_venue_trades_is_started_again() -> None:
    async with feed(trade(1, -10), trade(2, 0)) as running:
        await eventually(lambda: running.venue.trade_requests == 2, "the trades are requested after the stream")
        running.venue.plain.trades += [trade(3, 40)]
        running.clock.move(58)
        await eventually(lambda: running.venue.streams == 2, "the stream is started again")
        assert running.trades == ["2", "3"]
        assert running.collector.gaps == 1


async def test_what_a_stream_brings_first_shows_that_it_is_alive() -> None:
    async with feed(trade(1, -10), trade(2, 0)) as running:
        running.clock.move(70)
        running.venue.batches.put_nowait([trade(3, 69)])
        await eventually(lambda: "3" in running.trades, "the stream works")
        # The venue's candle has more than that, but it began before the stream has brought something.
        running.venue.plain.trades += [trade(3, 69), trade(4, 60)]
        running.clock.move(60)
        await eventually(lambda: running.collector.corrections[Timeframe.M1], "the minute is corrected")
        asked = running.venue.time_requests
        await eventually(lambda: running.venue.time_requests > asked + 20, "the feed's clock has ticked")
        assert (running.venue.streams, running.collector.gaps) == (1, 0)


async def test_while_the_venue_does_not_list_its_trades_that_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with feed(trade(1, -10), trade(2, 0), timings=replace(TIMINGS, resync_every=0.001)) as running:
        await eventually(lambda: running.venue.trade_requests == 2, "the trades are requested after the stream")
        running.venue.refuses = True
        running.clock.move(58)
        await eventually(lambda: running.venue.trade_requests > 9, "they are requested again and again")
        assert not any(minute.closed for minute in running.minutes), "it may lack a trade"
        running.venue.refuses = False
        await eventually(lambda: any(minute.closed for minute in running.minutes), "the minute closes")
    assert len([line for line in caplog.messages if "go on later" in line]) == 1


async def test_a_stream_that_is_silent_while_the_venue_trades_is_started_again() -> None:
    async with feed(trade(1, -10), trade(2, 0)) as running:
        running.venue.batches.put_nowait([trade(3, 0)])
        await eventually(lambda: "3" in running.trades, "the stream works")
        running.venue.plain.trades += [trade(3, 0), trade(4, 65)]
        running.clock.move(120)
        await eventually(lambda: running.venue.streams == 2, "the stream is started again")
        await eventually(lambda: "4" in running.trades, "what it kept back is published")
        assert running.collector.gaps == 1


async def test_a_stream_that_says_nothing_where_nothing_is_traded_goes_on() -> None:
    async with feed(trade(1, -10), trade(2, 0)) as running:
        running.clock.move(180)
        await eventually(lambda: running.collector.verifier.checked >= 3, "the empty minutes are checked")
        assert (running.venue.streams, running.collector.gaps) == (1, 0)


@pytest.mark.parametrize("book", [2, None], ids=["a book", "a gap"])
async def test_after_silence_a_feed_is_live_once_its_trades_are_known_too_and_not_before(book: int | None) -> None:
    async with feed(trade(1, -10), trade(2, 0), timings=replace(TIMINGS, stale_after=5)) as running:
        venue = running.venue
        venue.batches.put_nowait([trade(3, 0)])
        await eventually(lambda: "3" in running.trades, "the stream works")
        venue.plain.trades += [trade(3, 0), trade(4, 2)]
        running.states.clear()
        running.clock.move(6)
        await eventually(lambda: running.states, "the venue is silent")
        venue.answers.clear()
        venue.books.put_nowait(book)
        await eventually(lambda: venue.streams == 2, "the trades are found again")
        await eventually(lambda: running.collector.book_age_seconds == 0, "the book is known again")
        venue.answers.set()
        await eventually(lambda: running.states[-1] is FeedState.LIVE, "the feed is live again")
        assert running.states == [FeedState.STALE, FeedState.RECONNECTING, FeedState.LIVE]
        assert "4" in running.trades


async def test_a_feed_that_has_just_moved_here_is_not_said_to_reconnect_if_its_book_comes_soon() -> None:
    async with feed(is_waited_for=True) as running:
        running.clock.move(1)
        running.venue.first_book.set()
        await eventually(lambda: running.states, "its state is published")
        assert running.states == [FeedState.LIVE]


async def test_a_feed_whose_first_book_does_not_come_says_so_after_a_moment() -> None:
    async with feed(is_waited_for=True) as running:
        running.clock.move(2)
        await eventually(lambda: running.states == [FeedState.RECONNECTING], "it has no book")
        running.venue.first_book.set()
        await eventually(lambda: running.states[-1] is FeedState.LIVE, "it has one")


async def test_a_feed_that_can_not_be_followed_says_so_at_once() -> None:
    async with feed(is_waited_for=True) as running:
        running.venue.has_books = False
        running.venue.first_book.set()
        await eventually(lambda: running.states == [FeedState.RECONNECTING], "the venue is away")
