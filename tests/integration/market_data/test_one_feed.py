"""A market is collected once however many follow it, and has metrics while it is."""

import asyncio
import time
from contextlib import AsyncExitStack, aclosing

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from domain.market_data.timings import FeedTimings, HubTimings
from domain.model.markets import FeedState, Timeframe
from infra.metrics.market_data import MarketDataMetrics
from infra.metrics.venues import VenueMetrics
from infra.postgres.database import PostgresDatabase
from tests.support.markets import MarketNode, running_node
from tests.support.sandbox import SandboxProcess
from tests.support.venues import BTC
from tests.support.waiting import PATIENCE_SECONDS, eventually, read_until

REQUESTS = HubTimings(request_every=0.1, maintain_every=0.1)
"""Feeds are requested so often that they run for as long as somebody follows them."""

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def figures(node: MarketNode) -> Samples:
    """Return what Prometheus reads, by name and labels."""
    registry = CollectorRegistry()
    MarketDataMetrics(registry, node.hub, lambda: node.feeds)
    VenueMetrics(registry, node.venues)
    families = text_string_to_metric_families(generate_latest(registry).decode())
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }


def of(samples: Samples, name: str, **labels: str) -> float | None:
    return samples.get((name, frozenset(labels.items())))


async def follow(node: MarketNode, streams: int) -> list[asyncio.Task[None]]:
    async def read() -> None:
        async with aclosing(node.hub.depth_stream(BTC)) as books:
            async for _ in books:
                pass

    return [asyncio.create_task(read()) for _ in range(streams)]


async def end(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_the_venue_sees_each_stream_once_however_many_follow_a_market(
    sandbox: SandboxProcess, database: PostgresDatabase
) -> None:
    timings = FeedTimings(demand_seconds=3, manage_every=0.2)
    async with (
        running_node(sandbox.url, database, timings, hub_timings=REQUESTS) as node,
        running_node(sandbox.url, database, timings, node.bus, "other", hub_timings=REQUESTS) as other,
    ):

        async def streams() -> list[str]:
            return sorted(name for names in (await sandbox.inject_faults())["streams"] for name in names)

        readers = await follow(node, 20) + await follow(other, 20)
        session = AsyncExitStack()
        await session.enter_async_context(node.hub.closed_candles(BTC, Timeframe.M1))
        assert await other.hub.depth(BTC, PATIENCE_SECONDS) is not None
        streamed = await read_until(streams, lambda streamed: len(streamed) == 3, "three streams")
        assert streamed == ["btcusdt@depth@100ms", "btcusdt@miniTicker", "btcusdt@trade"]
        assert sorted(len(each.feeds.running) for each in (node, other)) == [0, 1]
        await end(readers)
        collector = next(iter((node.feeds.collectors | other.feeds.collectors).values()))
        # What the readers have requested no longer counts by then.
        lapsed = time.monotonic() + timings.demand_seconds + 1
        await eventually(lambda: time.monotonic() > lapsed, "the readers' requests have lapsed")
        taken = collector.trade_count
        await eventually(lambda: collector.trade_count > taken, "the session alone keeps the feed")
        assert await streams() == streamed
        await session.aclose()
        await read_until(streams, lambda streamed: not streamed, "the streams are unsubscribed")
        await eventually(lambda: not node.feeds.running | other.feeds.running, "the feed ends")


async def test_the_figures_of_a_feed_are_there_while_it_runs_and_gone_with_it(
    sandbox: SandboxProcess, database: PostgresDatabase
) -> None:
    timings = FeedTimings(demand_seconds=3, manage_every=0.2, snapshot_every=0.2)
    async with running_node(sandbox.url, database, timings, hub_timings=REQUESTS) as node:
        market = str(BTC)
        async with node.hub.subscribe(BTC):
            first: Samples = {}

            def is_live_and_stored() -> object:
                first.update(figures(node))
                is_live = of(first, "r3edge_feed_state", market=market, state="LIVE") == 1
                return is_live and of(first, "r3edge_recorder_rows_total", kind="trades")

            await eventually(is_live_and_stored, "the feed is live, and trades are stored")
            await sandbox.inject_faults(dropMarketStreams=True)
            await eventually(
                lambda: of(figures(node), "r3edge_feed_reconnects_total", market=market), "the reconnect is counted"
            )
        assert {state: of(first, "r3edge_feed_state", market=market, state=state.value) for state in FeedState} == {
            FeedState.LIVE: 1,
            FeedState.STALE: 0,
            FeedState.RECONNECTING: 0,
        }
        assert (of(first, "r3edge_feed_book_age_seconds", market=market) or 0) >= 0
        assert of(first, "r3edge_feed_trades_total", market=market)
        assert of(first, "r3edge_feed_late_trades_total", market=market) == 0
        assert of(first, "r3edge_feed_candle_corrections_total", market=market, timeframe="1m") == 0
        books = of(first, "r3edge_feed_depth_publish_seconds_count", market=market)
        assert books
        assert books == of(first, "r3edge_feed_depth_publish_seconds_bucket", market=market, le="+Inf")
        assert of(first, "r3edge_venue_requests_total", venue="sandbox", status="200")
        assert of(first, "r3edge_venue_budget_limit_weight", venue="sandbox") == 6_000
        assert of(first, "r3edge_venue_silence_seconds", venue="sandbox") == 0
        await eventually(lambda: not node.feeds.running, "the feed ends")
        assert not [name for name, labels in figures(node) if name.startswith("r3edge_feed") and labels]
