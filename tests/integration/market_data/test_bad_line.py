"""Feeds over a line that loses, repeats, swaps, spoils and delays depth frames: what subscribers of a book see."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress

import pytest
from aiohttp import ClientSession

from domain.market_data.timings import FeedTimings
from domain.model.depth_views import DepthCadence, DepthDelta, DepthLevels, DepthMode, DepthSnapshot
from domain.model.markets import FeedState, FeedStatus, MarketSymbol
from infra.clock import SystemClock
from infra.postgres.database import PostgresDatabase
from infra.venues.ccxt.market_data import StreamTimings
from resolvers.depth import DepthStream
from tests.support.frame_proxy import FrameProxy, frame_proxy
from tests.support.markets import MarketNode, running_node
from tests.support.reference_book import PlainBook, Rows
from tests.support.sandbox import SandboxProcess
from tests.support.waiting import eventually

MARKETS = [MarketSymbol("sandbox", name) for name in ("BTC/USDT", "ETH/USDT", "SOL/USDT")]
LEVELS = 20


class Truth:
    """The venue's book of one market at every update, by a connection of its own."""

    def __init__(self, url: str, market: MarketSymbol) -> None:
        self.url = url
        self.name = market.symbol.replace("/", "")
        self.at: dict[int, tuple[Rows, Rows]] = {}

    @property
    def newest(self) -> int:
        return max(self.at)

    async def record(self, session: ClientSession) -> None:
        book = PlainBook()
        async with session.ws_connect(f"{self.url}/ws/{self.name.lower()}@depth@100ms") as socket:
            async with session.get(f"{self.url}/api/v3/depth?symbol={self.name}&limit=5000") as answer:
                snapshot = await answer.json()
            book.set(snapshot["bids"], snapshot["asks"])
            self.at[snapshot["lastUpdateId"]] = book.top(LEVELS)
            async for message in socket:
                frame = json.loads(message.data)
                if frame["u"] > snapshot["lastUpdateId"]:
                    book.set(frame["b"], frame["a"])
                    self.at[frame["u"]] = book.top(LEVELS)


class Subscriber:
    """A client of `marketDepth` in deltas: keeps the book as docs/api.md says, and holds it to the truth."""

    def __init__(self, node: MarketNode, market: MarketSymbol, truth: Truth) -> None:
        self.sequence = 0
        self.shown = 0
        self._node = node
        self._market = market
        self._truth = truth
        self._epoch = ""
        self._book = PlainBook()

    @property
    def is_right(self) -> bool:
        status = self._node.hub.status(self._market)
        return status is not None and status.state is FeedState.LIVE and self.sequence >= self._truth.newest

    async def follow(self) -> None:
        source = DepthStream(
            self._node.hub, SystemClock(), self._market, DepthLevels.L20, DepthCadence.MS20, DepthMode.DELTAS
        )
        async with self._node.hub.subscribe(self._market), aclosing(source):  # type: ignore[type-var]
            async for event in source:
                if not isinstance(event, FeedStatus):
                    await self._take(event)

    async def _take(self, event: DepthSnapshot | DepthDelta) -> None:
        if isinstance(event, DepthDelta):
            assert (event.epoch, event.previous_sequence) == (self._epoch, self.sequence), "the chain is broken"
        else:
            self._book = PlainBook()
        self._epoch, self.sequence = event.epoch, event.sequence
        bids, asks = ([[str(level.price), str(level.quantity)] for level in side] for side in (event.bids, event.asks))
        self._book.set(bids, asks)
        await eventually(lambda: event.sequence in self._truth.at, f"the venue has update {event.sequence}", 30)
        assert self._book.top(LEVELS) == self._truth.at[event.sequence], f"a wrong book at {event.sequence}"
        self.shown += 1


@asynccontextmanager
async def running(*coroutines: object) -> AsyncIterator[list["asyncio.Task[None]"]]:
    """Run them in the background; what one of them raises is raised at the end."""
    tasks = [asyncio.ensure_future(work) for work in coroutines]  # type: ignore[call-overload]
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task


@pytest.fixture
async def proxy(sandbox: SandboxProcess) -> AsyncIterator[FrameProxy]:
    async with frame_proxy(sandbox.url, seed=4) as proxy:
        yield proxy


async def test_subscribers_are_shown_the_venues_books_alone_and_are_live_again_after_the_faults(
    sandbox: SandboxProcess, proxy: FrameProxy, database: PostgresDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    for market in MARKETS:
        proxy.plan(market.symbol.replace("/", ""), 4)
    truths = [Truth(sandbox.url, market) for market in MARKETS]
    async with ClientSession() as session, running(*(truth.record(session) for truth in truths)) as recording:
        await eventually(lambda: all(truth.at for truth in truths), "the truth is recorded")
        # A machine that is busy may store candles later than a feed waits for that, and warns of it.
        async with running_node(proxy.url, database, FeedTimings(store_timeout=60)) as node:
            subscribers = [Subscriber(node, market, truth) for market, truth in zip(MARKETS, truths, strict=True)]
            async with running(*(subscriber.follow() for subscriber in subscribers)) as following:
                failed = lambda: any(task.done() for task in following + recording)  # noqa: E731
                await eventually(lambda: failed() or not any(proxy.faults.values()), "the faults are over", 90)
                await eventually(
                    lambda: (
                        failed() or all(subscriber.is_right and subscriber.shown > 10 for subscriber in subscribers)
                    ),
                    "all is right",
                    60,
                )
    broke = {message.split(" broke")[0] for message in caplog.messages if " broke" in message}
    assert broke >= {f"the book of {market}" for market in MARKETS}
    assert not [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


async def test_a_line_that_goes_dead_without_a_word_is_stale_then_reconnected(
    proxy: FrameProxy, database: PostgresDatabase
) -> None:
    timings = StreamTimings(first_book_seconds=2.5, stall_seconds=2.5)
    market = MARKETS[0]
    node_at_proxy = running_node(proxy.url, database, FeedTimings(stale_after=0.5), stream_timings=timings)
    async with node_at_proxy as node, node.hub.subscribe(market):
        await eventually(lambda: node.hub.latest_depth(market), "a book")
        states: list[FeedState] = []

        async def follow() -> None:
            nonlocal states
            async for item in node.hub.depth_stream(market):
                states += [item.state] if isinstance(item, FeedStatus) else []

        async with running(follow()):
            proxy.silent, connections = True, proxy.connections
            await eventually(lambda: FeedState.RECONNECTING in states, "the connection is given up", 30)
            assert states[: states.index(FeedState.RECONNECTING)][-1] is FeedState.STALE
            proxy.silent = False
            await eventually(lambda: proxy.connections > connections, "another connection", 30)
            await eventually(lambda: states[-1] is FeedState.LIVE and node.hub.latest_depth(market), "live again", 30)
