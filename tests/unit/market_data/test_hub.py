"""What a reader that waits for a book gets, and when."""

import asyncio
from datetime import UTC, datetime
from decimal import Decimal

from domain.market_data import codec
from domain.market_data.hub import MarketDataHub
from domain.market_data.topics import depth_topic, status_topic
from domain.model.markets import Depth, FeedState, FeedStatus, MarketSymbol, PriceLevel
from infra.embedded.bus import EmbeddedBus
from infra.embedded.cache import EmbeddedCache
from tests.support.clocks import ManualClock
from tests.support.waiting import PATIENCE_SECONDS, eventually

BTC = MarketSymbol("sandbox", "BTC/USDT")
AT = datetime(2024, 8, 8, tzinfo=UTC)


def book(sequence: int) -> Depth:
    return Depth(BTC, "e", sequence, (PriceLevel(Decimal(9), Decimal(1)),), (), AT, AT)


async def test_who_waits_for_a_book_gets_one_that_can_be_traded_on() -> None:
    bus, clock = EmbeddedBus(), ManualClock(AT)
    hub = MarketDataHub(bus, EmbeddedCache(clock), None, clock)  # type: ignore[arg-type]

    async def publish(state: FeedState, sequence: int) -> None:
        await bus.publish(depth_topic(BTC), codec.encode_depth(book(sequence)))
        await bus.publish(status_topic(BTC), codec.encode_status(FeedStatus(BTC, state, AT)))

    async with hub.subscribe(BTC) as market:
        await publish(FeedState.RECONNECTING, 1)
        await eventually(lambda: market.status, "the feed is connecting again")
        waiting = asyncio.create_task(hub.depth(BTC, PATIENCE_SECONDS))
        await publish(FeedState.RECONNECTING, 2)
        await eventually(lambda: market.latest_depth == book(2), "a book comes while trades are being found")
        assert await hub.depth(BTC, 0.01) is None
        assert not waiting.done()
        await publish(FeedState.LIVE, 3)
        assert await waiting == book(3)
        assert hub.latest_depth(BTC) == book(3)
    await hub.close()
    await bus.close()
