"""What a collector publishes of a book whose stream breaks in every way, and how it counts that."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from domain.market_data import codec
from domain.market_data.backfill import Backfill
from domain.market_data.collector import Collector
from domain.market_data.timings import FeedTimings
from domain.market_data.topics import depth_topic, status_topic
from domain.market_data.trade_feed import FeedOutputs
from domain.market_data.writer import MarketDataWriter
from domain.model.markets import Depth, FeedState, MarketSymbol, PriceLevel
from domain.ports.market_data import CrossedBook, VenueGap, VenueUnreachable
from infra.clock import SystemClock, TimeOrderedIds
from infra.embedded.bus import EmbeddedBus
from infra.embedded.cache import EmbeddedCache
from infra.postgres.database import PostgresDatabase
from tests.support.waiting import eventually

BTC = MarketSymbol("sandbox", "BTC/USDT")
AT = datetime(2024, 8, 8, tzinfo=UTC)
LEVEL = PriceLevel(Decimal(9), Decimal(1))
BOOK = Depth(BTC, "", 1, (LEVEL,), (replace(LEVEL, price=Decimal(10)),), AT, AT)


class BreakingSource:
    """Gives one book a subscription and then raises the next of `errors`; without any left, the stream stands."""

    venue = "sandbox"

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.subscriptions = 0

    async def depth(self, _market: MarketSymbol) -> AsyncIterator[Depth]:
        self.subscriptions += 1
        yield replace(BOOK, sequence=self.subscriptions)
        if not self.errors:
            await asyncio.Event().wait()
        raise self.errors.pop(0)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name in {"trades", "tickers"}:
            return self._nothing
        return self._unreachable

    def venue_now(self) -> datetime:
        return AT

    async def _nothing(self, _market: MarketSymbol) -> AsyncIterator[Any]:
        await asyncio.Event().wait()
        yield

    async def _unreachable(self, *_: object, **__: object) -> Any:
        raise VenueUnreachable("not asked in this test")


async def test_every_break_is_published_counted_by_its_kind_and_followed_by_a_book_of_a_new_epoch(
    database: PostgresDatabase,
) -> None:
    source = BreakingSource(
        VenueGap("update 5 was followed by 9"),
        CrossedBook("crossed at 9"),
        VenueUnreachable("closed"),
        VenueGap("again"),
    )
    bus, clock, published = EmbeddedBus(), SystemClock(), []
    await bus.subscribe(depth_topic(BTC), lambda message: published.append(codec.decode_depth(message)))
    await bus.subscribe(status_topic(BTC), lambda message: published.append(codec.decode_status(message).state))
    writer = MarketDataWriter(database)
    outputs = FeedOutputs(bus, EmbeddedCache(clock), writer, Backfill({"sandbox": source}, database, writer, clock))
    collector = Collector(BTC, source, outputs, clock, TimeOrderedIds(), FeedTimings())
    collecting = asyncio.create_task(collector.run())
    try:
        await eventually(lambda: source.subscriptions == 5 and published[-1] is FeedState.LIVE, "the stream stands")
    finally:
        collecting.cancel()
        await asyncio.gather(collecting, return_exceptions=True)
    books = [item for item in published if isinstance(item, Depth)]
    assert (len(books), len({book.epoch for book in books})) == (5, 5)
    for book in books[1:]:
        assert published[published.index(book) - 1] is FeedState.RECONNECTING, (
            "before its book nobody may think that the old holds"
        )
    assert (collector.gaps, collector.crossed_books) == (2, 1)
    assert collector.reconnects >= 1
