"""While no message reaches a node it collects for itself what it needs, and no longer than that."""

from contextlib import aclosing
from datetime import UTC, datetime

from domain.market_data.timings import FeedTimings, HubTimings
from infra.embedded.bus import EmbeddedBus
from infra.postgres.database import PostgresDatabase
from tests.support.markets import MarketNode, running_node
from tests.support.sandbox import SandboxProcess
from tests.support.venues import BTC
from tests.support.waiting import PATIENCE_SECONDS, eventually, read_until

SOON = FeedTimings(manage_every=0.1, stand_in_after=0.3)
REQUESTS = HubTimings(request_every=0.1, maintain_every=0.1)


class SharedBus(EmbeddedBus):
    """The bus of one of two nodes, which hands its messages to the other while they are connected."""

    def __init__(self) -> None:
        super().__init__()
        self.other: SharedBus | None = None
        self.cut = False

    @property
    def is_connected(self) -> bool:
        return not self.cut

    async def publish(self, topic: str, message: bytes) -> None:
        self.publish_here(topic, message)
        if self.other is not None and not self.cut:
            self.other.publish_here(topic, message)


def two_buses() -> tuple[SharedBus, SharedBus]:
    one, two = SharedBus(), SharedBus()
    one.other, two.other = two, one
    return one, two


def set_cut(buses: tuple[SharedBus, SharedBus], *, cut: bool) -> None:
    for bus in buses:
        bus.cut = cut


async def book_after(node: MarketNode, moment: datetime) -> None:
    """Return once a reader on the node has got a book that the venue has made since."""
    async with aclosing(node.hub.depth_stream(BTC)) as books:

        async def newest() -> datetime | None:
            await anext(books)
            depth = await node.hub.depth(BTC, PATIENCE_SECONDS)
            return None if depth is None else depth.venue_time

        await read_until(newest, lambda at: at is not None and at > moment, "a new book")


async def test_a_node_that_no_message_reaches_has_prices_of_its_own_until_one_does(
    sandbox: SandboxProcess, database: PostgresDatabase
) -> None:
    buses = two_buses()
    async with (
        running_node(sandbox.url, database, SOON, buses[0], always=[BTC], hub_timings=REQUESTS) as collecting,
        running_node(sandbox.url, database, SOON, buses[1], "other", hub_timings=REQUESTS) as other,
    ):
        await eventually(lambda: collecting.feeds.running == {BTC}, "one node collects")
        await book_after(other, datetime.now(UTC))
        assert not other.feeds.stand_ins

        set_cut(buses, cut=True)
        async with other.hub.subscribe(BTC):
            await eventually(lambda: other.feeds.stand_ins == {BTC}, "the other node collects for itself")
            await book_after(other, datetime.now(UTC))
            assert (collecting.feeds.running, collecting.feeds.stand_ins) == ({BTC}, frozenset())
            assert not other.feeds.running

            set_cut(buses, cut=False)
            await eventually(lambda: not other.feeds.stand_ins, "it no longer does")
            await book_after(other, datetime.now(UTC))


async def test_a_market_that_nobody_asks_for_on_the_node_has_no_feed_of_its_own(
    sandbox: SandboxProcess, database: PostgresDatabase
) -> None:
    buses = two_buses()
    timings = FeedTimings(manage_every=0.1, stand_in_after=0.0)
    async with (
        running_node(sandbox.url, database, timings, buses[0], always=[BTC], hub_timings=REQUESTS) as collecting,
        running_node(sandbox.url, database, timings, buses[1], "other", hub_timings=REQUESTS) as other,
    ):
        await eventually(lambda: collecting.feeds.running == {BTC}, "one node collects")
        set_cut(buses, cut=True)
        trades = next(iter(collecting.feeds.collectors.values())).trade_count
        await eventually(
            lambda: next(iter(collecting.feeds.collectors.values())).trade_count > trades, "the market goes on"
        )
        assert not other.feeds.stand_ins


async def test_a_node_that_gets_the_lease_collects_for_all_and_no_longer_for_itself(
    sandbox: SandboxProcess, database: PostgresDatabase
) -> None:
    buses = two_buses()
    async with running_node(sandbox.url, database, SOON, buses[1], "other", hub_timings=REQUESTS) as other:
        async with running_node(sandbox.url, database, SOON, buses[0], always=[BTC], hub_timings=REQUESTS) as first:
            await eventually(lambda: first.feeds.running == {BTC}, "one node collects")
            set_cut(buses, cut=True)
            await stand_in(other)
        async with other.hub.subscribe(BTC):
            await eventually(lambda: other.feeds.running == {BTC}, "the other node has the lease")
            assert not other.feeds.stand_ins
            await book_after(other, datetime.now(UTC))


async def stand_in(node: MarketNode) -> None:
    async with node.hub.subscribe(BTC):
        await eventually(lambda: node.feeds.stand_ins == {BTC}, "the node collects for itself")
