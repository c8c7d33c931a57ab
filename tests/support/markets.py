"""One node of the engine as far as market data goes."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from domain.market_data.feed_manager import FeedManager
from domain.market_data.hub import MarketDataHub
from domain.market_data.timings import FeedTimings, HubTimings
from domain.model.markets import MarketSymbol
from domain.ports.bus import MessageBus
from infra.clock import SystemClock, TimeOrderedIds
from infra.embedded.bus import EmbeddedBus
from infra.embedded.cache import EmbeddedCache
from infra.postgres.database import PostgresDatabase
from infra.venues.ccxt.market_data import StreamTimings
from infra.venues.config import VenueSettings
from infra.venues.registry import Venues
from tests.support.waiting import eventually


@dataclass
class MarketNode:
    """The parts of a node, running."""

    hub: MarketDataHub
    feeds: FeedManager
    venues: Venues
    database: PostgresDatabase
    bus: MessageBus


@asynccontextmanager
async def running_node(
    url: str,
    database: PostgresDatabase,
    timings: FeedTimings,
    bus: MessageBus | None = None,
    holder: str = "node",
    always: Sequence[MarketSymbol] = (),
    stream_timings: StreamTimings | None = None,
    hub_timings: HubTimings | None = None,
) -> AsyncIterator[MarketNode]:
    """Run the hub and the feeds of the sandbox at `url` inside the block, its markets known."""
    clock = SystemClock()
    bus, cache = bus or EmbeddedBus(), EmbeddedCache(clock)
    venues = Venues([VenueSettings("sandbox", "binance", url, live=False)], clock, timings=stream_timings)
    sources = {"sandbox": venues.public("sandbox")}
    hub = MarketDataHub(bus, cache, database, clock, lambda name: venues.public(name).venue_now(), timings=hub_timings)
    # A feed mustn't change its node because a busy machine couldn't renew its lease within seconds.
    timings = replace(timings, lease_seconds=120.0)
    feeds = FeedManager(sources, database, bus, cache, clock, TimeOrderedIds(), holder, always, timings)
    await hub.start()
    await feeds.start()
    try:
        await eventually(hub.catalogue.all, "the markets are known")
        yield MarketNode(hub, feeds, venues, database, bus)
    finally:
        await feeds.close()
        await hub.close()
        await venues.close()
