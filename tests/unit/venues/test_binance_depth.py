"""The single rules by which a stream of Binance's books goes on or ends, through a real ccxt client."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from random import Random
from typing import Any

import pytest

from domain.model.markets import Depth
from domain.ports.market_data import VenueGap, VenueUnreachable
from infra.clock import SystemClock
from infra.venues.binance_book import BookSettings
from infra.venues.ccxt.binance_depth import DepthSettings
from infra.venues.ccxt.market_data import CcxtMarketData, StreamTimings
from tests.support.fake_depth_server import BTC, DepthVenue, Line, LineConnection, ccxt_exchange
from tests.support.waiting import PATIENCE_SECONDS, eventually


@dataclass
class Stream:
    """A subscription to the venue's book."""

    line: Line
    exchange: Any
    books: AsyncIterator[Depth]

    async def next(self) -> Depth:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await anext(self.books)


@asynccontextmanager
async def opened(
    *, timings: StreamTimings | None = None, settings: DepthSettings | None = None
) -> AsyncIterator[Stream]:
    """Subscribe, and read the first book."""
    exchange = await ccxt_exchange(SystemClock(), settings)
    line = Line(DepthVenue(Random(7)), exchange)
    try:
        source = CcxtMarketData(LineConnection(exchange), SystemClock(), timings)
        async with aclosing(source.depth(BTC)) as books:
            stream = Stream(line, exchange, books)
            first = await stream.next()
            assert first.sequence == line.venue.update_id
            yield stream
    finally:
        await exchange.close()


async def test_an_update_that_follows_is_shown_and_a_repeated_one_changes_nothing() -> None:
    async with opened() as stream:
        frame = stream.line.venue.frame()
        stream.line.send(frame)
        assert (await stream.next()).sequence == frame["u"]
        stream.line.send(frame)
        following = stream.line.venue.frame()
        stream.line.send(following)
        assert (await stream.next()).sequence == following["u"]


async def test_the_first_update_may_begin_before_the_snapshot_ends_and_no_later_one_may() -> None:
    async with opened() as stream:
        first = stream.line.venue.frame()
        stream.line.send(first | {"U": first["U"] - 7})
        assert (await stream.next()).sequence == first["u"]
        second = stream.line.venue.frame()
        stream.line.send(second | {"U": second["U"] - 1})
        with pytest.raises(VenueGap, match="was followed by"):
            await stream.next()


async def test_an_update_that_skips_ends_the_stream_once_and_the_next_one_begins_from_a_snapshot() -> None:
    async with opened() as stream:
        stream.line.venue.frame()
        for _ in range(3):
            stream.line.send(stream.line.venue.frame())
        with pytest.raises(VenueGap, match="was followed by"):
            await stream.next()
        async with aclosing(CcxtMarketData(LineConnection(stream.exchange), SystemClock()).depth(BTC)) as again:
            assert (await anext(again)).sequence == stream.line.venue.update_id


@pytest.mark.parametrize(
    "spoil",
    [
        {"b": {}}, {"a": None}, {"u": "9"}, {"U": 10**9}, {"E": None}, {"s": 5}, {"b": [["NaN", "1"]]},
        {"a": [["100.00", "-1"]]}, {"a": [["0", "1"]]}, {"b": [["100.00"]]}, {"b": [[100.5, 1]]}, {"b": [7]},
    ],
    ids=str,
)  # fmt: skip
async def test_an_update_that_cannot_be_read_is_applied_not_even_in_part(spoil: dict[str, Any]) -> None:
    async with opened() as stream:
        good = stream.line.venue.frame()
        stream.line.send(good)
        stream.line.send(stream.line.venue.frame() | {"a": [["100.01", "7"]]} | spoil)
        with pytest.raises(VenueUnreachable, match="could not be read"):
            await stream.next()


@pytest.mark.parametrize("message", ['{"e":"depthUpda', "garbage", b"\x80\xff\x00", "[1"], ids=repr)
async def test_a_message_that_is_no_json_ends_the_stream_and_nothing_is_logged(
    message: object, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened() as stream:
        stream.line.send(message)
        with pytest.raises(VenueUnreachable, match="could not be read"):
            await stream.next()
    assert not caplog.records


async def test_a_connection_that_broke_while_nobody_read_ends_the_stream_although_another_one_stands() -> None:
    async with opened() as stream:
        stream.line.cut()
        with pytest.raises(VenueUnreachable, match="closed"):
            await stream.next()


async def test_a_venue_that_sends_nothing_is_disconnected() -> None:
    async with opened(timings=StreamTimings(stall_seconds=0.02)) as stream:
        client = stream.line.client
        stream.line.venue.frame()
        with pytest.raises(VenueUnreachable, match="nothing came"):
            await stream.next()
        await eventually(client.closed, "the connection is closed")


async def test_a_market_in_which_nothing_happens_is_confirmed_by_the_venue() -> None:
    async with opened(timings=StreamTimings(confirm_seconds=0.02)) as stream:
        first, second = await stream.next(), await stream.next()
        assert first.sequence == second.sequence == stream.line.venue.update_id
        assert first.bids == second.bids
        assert second.received_at > first.received_at


async def test_a_book_whose_updates_do_not_come_is_not_confirmed() -> None:
    async with opened(timings=StreamTimings(confirm_seconds=0.02, stall_seconds=0.2)) as stream:
        stream.line.venue.frame()
        with pytest.raises(VenueUnreachable, match="nothing came"):
            await stream.next()


async def test_an_update_that_comes_while_nobody_reads_is_shown_at_the_next_reading() -> None:
    async with opened() as stream:
        for _ in range(3):
            stream.line.send(stream.line.venue.frame())
        assert (await stream.next()).sequence == stream.line.venue.update_id


async def test_a_first_snapshot_that_fails_ends_the_stream() -> None:
    exchange = await ccxt_exchange(SystemClock())
    line = Line(DepthVenue(Random(7)), exchange)
    line.snapshots = lambda _levels: {"lastUpdateId": 1, "bids": "none"}
    async with aclosing(CcxtMarketData(LineConnection(exchange), SystemClock()).depth(BTC)) as books:
        with pytest.raises(VenueUnreachable, match="can't be read"):
            await anext(books)
    await exchange.close()


async def test_a_snapshot_older_than_the_updates_is_requested_again() -> None:
    exchange = await ccxt_exchange(SystemClock(), DepthSettings(retry_seconds=0.0))
    line = Line(DepthVenue(Random(7)), exchange)
    requested: list[int] = []
    old = line.venue.update_id
    line.venue.frame()

    def answer(levels: int) -> dict[str, Any]:
        if not requested:
            line.send(line.venue.frame())
        requested.append(levels)
        return line.venue.snapshot(levels, old if len(requested) < 3 else None)

    line.snapshots = answer
    async with aclosing(CcxtMarketData(LineConnection(exchange), SystemClock()).depth(BTC)) as books:
        assert (await anext(books)).sequence == line.venue.update_id
    assert len(requested) == 3
    await exchange.close()


async def test_a_book_goes_on_while_no_further_snapshot_can_be_had() -> None:
    async with opened(settings=DepthSettings(audit_seconds=0.0)) as stream:
        (book,) = stream.exchange.orderbooks.values()
        book.audit_at = 0.0
        stream.line.snapshots = lambda _levels: {}
        for _ in range(20):
            stream.line.send(stream.line.venue.frame())
            assert (await stream.next()).sequence == stream.line.venue.update_id


async def test_a_book_that_differs_from_a_later_snapshot_ends() -> None:
    async with opened() as stream:
        (book,) = stream.exchange.orderbooks.values()
        book.audit_at = 0.0
        stream.line.snapshots = lambda levels: _another(stream.line.venue.snapshot(levels))
        stream.line.send(stream.line.venue.frame())
        with pytest.raises(VenueGap, match="not what the venue's snapshot says"):
            [await stream.next() for _ in range(3)]


async def test_levels_below_the_snapshot_are_not_shown_until_another_one_has_them() -> None:
    settings = DepthSettings(BookSettings(snapshot_levels=5, refill_levels=5))
    async with opened(settings=settings) as stream:
        venue = stream.line.venue
        stream.line.hold_back(True)
        best = [price for price, _ in venue.best(venue.update_id, 2)[0]]
        low = min(venue.book["b"])
        gone = {"E": 1, "U": venue.update_id + 1, "u": venue.update_id + 1, "a": []}
        rows = [[str(price), "0"] for price in best] + [[str(low), "9"]]
        stream.line.send({"e": "depthUpdate", "s": "BTCUSDT"} | gone | {"b": rows})
        book = await stream.next()
        assert len(book.bids) == 3, "two of five are gone, and a deeper one that was updated is no neighbour of theirs"


def _another(snapshot: dict[str, Any]) -> dict[str, Any]:
    return snapshot | {"bids": [[price, "77"] for price, _ in snapshot["bids"]]}
