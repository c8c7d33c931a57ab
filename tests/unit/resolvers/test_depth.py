"""What subscribers of a book receive: by the room's stream, and when they join it."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from domain.market_data.feed_limit import FeedReader
from domain.model.depth_views import DepthCadence, DepthDelta, DepthLevels, DepthMode, DepthSnapshot
from domain.model.markets import Depth, FeedState, FeedStatus, MarketSymbol, PriceLevel
from resolvers.depth import DepthStream
from tests.support.clocks import ManualClock

BTC = MarketSymbol("sandbox", "BTC/USDT")
AT = datetime(2024, 8, 8, tzinfo=UTC)
STALE, RECONNECTING, LIVE = (
    FeedStatus(BTC, state, AT) for state in (FeedState.STALE, FeedState.RECONNECTING, FeedState.LIVE)
)


def book(sequence: int, epoch: str = "e") -> Depth:
    bid, ask = PriceLevel(Decimal(9), Decimal(sequence)), PriceLevel(Decimal(10), Decimal(1))
    return Depth(BTC, epoch, sequence, (bid,), (ask,), AT, AT)


class Feed:
    """The hub's stream of one market, of these updates."""

    def __init__(self, *updates: Depth | FeedStatus) -> None:
        self.updates = updates

    async def depth_stream(self, _market: MarketSymbol, _reader: FeedReader) -> AsyncIterator[Depth | FeedStatus]:
        for update in self.updates:
            yield update
        await asyncio.Event().wait()


class Hurried(ManualClock):
    """A clock by which the next event is always due."""

    def monotonic(self) -> float:
        self.move(1)
        return self.seconds


def depth_stream_of(*updates: Depth | FeedStatus) -> DepthStream:
    return DepthStream(Feed(*updates), Hurried(), BTC, DepthLevels.L5, DepthCadence.MS20, DepthMode.DELTAS)


async def take(depth: DepthStream, count: int) -> list[object]:
    async with asyncio.timeout(60):
        return [await anext(depth) for _ in range(count)]


async def test_a_snapshot_is_followed_by_deltas_that_chain_to_it() -> None:
    first, *rest = await take(depth_stream_of(book(1), book(2), book(5)), 3)
    assert isinstance(first, DepthSnapshot)
    assert [(delta.previous_sequence, delta.sequence) for delta in rest] == [(1, 2), (2, 5)]


async def test_a_joiner_gets_the_book_that_was_sent_last() -> None:
    depth = depth_stream_of(book(1), book(2))
    assert depth.snapshot() is None
    await take(depth, 2)
    joined = depth.snapshot()
    assert isinstance(joined, DepthSnapshot)
    assert joined.sequence == 2
    assert depth.snapshot() is joined, "many joiners and slow readers share one object, which is rendered once"


async def test_a_new_subscriber_receives_the_state_of_a_feed_that_is_not_live_instead_of_an_old_book() -> None:
    for status in (STALE, RECONNECTING):
        depth = depth_stream_of(book(1), status, book(2))
        await take(depth, 2)
        assert depth.snapshot() == status
        assert isinstance((await take(depth, 1))[0], DepthSnapshot), "the chain begins again"
        assert isinstance(depth.snapshot(), DepthSnapshot)


async def test_between_being_live_again_and_the_next_book_a_joiner_waits_for_that_book() -> None:
    depth = depth_stream_of(book(1), STALE, LIVE, book(2))
    await take(depth, 3)
    assert depth.snapshot() is None
    assert isinstance((await take(depth, 1))[0], DepthSnapshot)


async def test_that_a_feed_is_live_does_not_break_a_good_chain() -> None:
    *_, status, change = await take(depth_stream_of(book(1), LIVE, book(2)), 3)
    assert status == LIVE
    assert isinstance(change, DepthDelta)
    assert change.previous_sequence == 1


async def test_a_new_epoch_begins_with_a_snapshot() -> None:
    *_, last = await take(depth_stream_of(book(7), book(3, "f")), 2)
    assert isinstance(last, DepthSnapshot)
    assert (last.epoch, last.sequence) == ("f", 3)


async def test_a_snapshot_covers_its_own_and_older_books_and_the_same_state() -> None:
    depth = depth_stream_of(book(1), book(2))
    old, new = await take(depth, 2)
    snapshot = depth.snapshot()
    assert depth.covers(snapshot, old)
    assert depth.covers(snapshot, new)
    assert not depth.covers(old, new)
    assert depth.covers(STALE, STALE)
    assert not depth.covers(snapshot, STALE)
    assert not depth.covers(STALE, new)


def client_book(held: dict[str, dict[Decimal, Decimal]], event: DepthSnapshot | DepthDelta) -> dict[str, list[object]]:
    """Take an event as docs/api.md describes, and return what it then shows."""
    for name, levels in (("bids", event.bids), ("asks", event.asks)):
        side = {} if isinstance(event, DepthSnapshot) else held[name]
        side |= {level.price: level.quantity for level in levels}
        held[name] = {price: quantity for price, quantity in side.items() if quantity}
    return {"bids": sorted(held["bids"].items(), reverse=True), "asks": sorted(held["asks"].items())}


sides = st.dictionaries(st.integers(1, 12), st.integers(1, 3), max_size=9)


@given(
    st.lists(st.tuples(sides, sides, st.sampled_from(["goes on"] * 6 + ["gap", "stale", "repeated"])), max_size=20),
    st.sampled_from(DepthMode),
)
async def test_what_a_client_makes_of_the_events_is_the_feeds_book_also_across_gaps(
    steps: list[tuple[dict[int, int], dict[int, int], str]], mode: DepthMode
) -> None:
    updates: list[Depth | FeedStatus] = []
    books: dict[tuple[str, int], Depth] = {}
    epoch, sequence = 0, 0
    for bids, asks, what in steps:
        if what == "gap":
            updates += [RECONNECTING]
            epoch, sequence = epoch + 1, 0
        updates += [STALE, LIVE] if what == "stale" else []
        sequence += 1
        below = tuple(PriceLevel(Decimal(20 - price), Decimal(held)) for price, held in sorted(bids.items()))
        above = tuple(PriceLevel(Decimal(20 + price), Decimal(held)) for price, held in sorted(asks.items()))
        depth = Depth(BTC, f"e{epoch}", sequence, below, above, AT, AT)
        books[depth.epoch, depth.sequence] = depth
        updates += [depth, depth] if what == "repeated" else [depth]
    events = DepthStream(Feed(*updates, STALE), Hurried(), BTC, DepthLevels.L5, DepthCadence.MS20, mode)
    held: dict[str, dict[Decimal, Decimal]] = {}
    last: tuple[str, int] | None = None
    trusted, statuses = False, sum(isinstance(event, FeedStatus) for event in updates) + 1
    while statuses:
        event = await anext(events)
        if isinstance(event, FeedStatus):
            trusted, statuses = trusted and event.state is FeedState.LIVE, statuses - 1
            continue
        if isinstance(event, DepthDelta):
            assert (trusted, (event.epoch, event.previous_sequence)) == (True, last)
        trusted, last = True, (event.epoch, event.sequence)
        shown, depth = client_book(held, event), books[last]
        assert shown["bids"] == [(level.price, level.quantity) for level in depth.bids[:5]]
        assert shown["asks"] == [(level.price, level.quantity) for level in depth.asks[:5]]
