"""What a reader that waits for a book gets, and when."""

import asyncio
from datetime import UTC, datetime
from decimal import Decimal

from domain.market_data import codec
from domain.market_data.hub import MarketDataHub
from domain.market_data.timings import HubTimings
from domain.market_data.topics import depth_topic, status_topic
from domain.model.markets import Depth, FeedState, FeedStatus, MarketSymbol, PriceLevel
from domain.ports.cache import CacheSpace
from infra.embedded.bus import EmbeddedBus
from infra.embedded.cache import EmbeddedCache
from tests.support.clocks import ManualClock
from tests.support.waiting import PATIENCE_SECONDS, eventually

BTC = MarketSymbol("sandbox", "BTC/USDT")
AT = datetime(2024, 8, 8, tzinfo=UTC)


def book(sequence: int, epoch: str = "e") -> Depth:
    return Depth(BTC, epoch, sequence, (PriceLevel(Decimal(9), Decimal(1)),), (), AT, AT)


class SlowCache(EmbeddedCache):
    """A cache whose answers come when the test lets them."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(clock)
        self.asked = asyncio.Event()
        self.answer = asyncio.Event()

    async def get(self, space: CacheSpace, key: str) -> bytes | None:
        value = await super().get(space, key)
        self.asked.set()
        await self.answer.wait()
        return value


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


async def test_a_cached_book_of_a_collector_that_is_gone_does_not_replace_the_next_ones() -> None:
    bus, clock = EmbeddedBus(), ManualClock(AT)
    cache = SlowCache(clock)
    hub = MarketDataHub(bus, cache, None, clock)  # type: ignore[arg-type]
    await cache.put(CacheSpace.DEPTH, str(BTC), codec.encode_depth(book(900, "the dead collector's")), 5)
    async with hub.subscribe(BTC) as market:
        reading = asyncio.create_task(hub.depth(BTC, PATIENCE_SECONDS))
        await cache.asked.wait()
        await bus.publish(depth_topic(BTC), codec.encode_depth(book(1, "the next collector's")))
        await eventually(lambda: market.latest_depth, "the book of the next collector comes")
        cache.answer.set()
        assert await reading == book(1, "the next collector's")
        assert market.latest_depth == book(1, "the next collector's")
    await hub.close()
    await bus.close()


async def test_a_cached_book_is_as_old_as_it_is_and_not_new_because_it_was_just_read() -> None:
    bus, clock = EmbeddedBus(), ManualClock(AT)
    cache, timings = EmbeddedCache(clock), HubTimings()
    hub = MarketDataHub(bus, cache, None, clock)  # type: ignore[arg-type]
    await cache.put(CacheSpace.DEPTH, str(BTC), codec.encode_depth(book(1)), 60)
    clock.move(timings.cached_book_seconds - 1)
    async with hub.subscribe(BTC):
        assert await hub.depth(BTC, PATIENCE_SECONDS) == book(1)
        clock.move(timings.fresh_seconds - timings.cached_book_seconds + 1.1)
        assert hub.latest_depth(BTC) is None
    await hub.close()
    await bus.close()
