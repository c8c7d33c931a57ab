"""Books read through a real ccxt client from a venue in memory, over a line that loses, repeats, swaps and spoils."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
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

CASES = int(os.environ.get("DEPTH_FAULT_CASES", "300"))
SHOWN = 4


SHALLOW = DepthSettings(
    BookSettings(snapshot_levels=16, refill_levels=8, shown_levels=SHOWN), retry_seconds=0.0, refill_seconds=0.0
)
"""Small snapshots, so that a book soon runs past them, and no waiting."""


@pytest.fixture
async def exchange() -> AsyncIterator[Any]:
    exchange = await ccxt_exchange(SystemClock(), SHALLOW)
    yield exchange
    await exchange.close()


class Follower:
    """Follows the stream of books as a collector does, and holds every one against the venue's."""

    def __init__(self, exchange: Any, venue: DepthVenue, name: object) -> None:
        timings = StreamTimings(unsubscribe_seconds=0.0)
        self.source = CcxtMarketData(LineConnection(exchange), SystemClock(), timings)
        self.venue = venue
        self.name = name
        self.books: list[Depth] = []
        self.broken: list[Exception] = []

    async def follow(self) -> None:
        while True:
            last = 0
            try:
                async with aclosing(self.source.depth(BTC)) as books:
                    async for book in books:
                        self.check(book)
                        assert book.sequence > last, self.name
                        last = book.sequence
            except (VenueGap, VenueUnreachable) as error:
                self.broken.append(error)
                await asyncio.sleep(0)

    def check(self, book: Depth) -> None:
        bids, asks = self.venue.best(book.sequence, SHOWN)
        shown = [[(level.price, level.quantity) for level in side] for side in (book.bids, book.asks)]
        assert all(shown), f"{self.name}: an empty side at {book.sequence}"
        assert shown == [bids[: len(shown[0])], asks[: len(shown[1])]], f"{self.name}: a wrong book at {book.sequence}"
        self.books.append(book)


CORRUPTED: list[Callable[[dict[str, Any], Random], Any]] = [
    lambda frame, random: (text := json.dumps(frame))[: random.randrange(len(text))],
    lambda _frame, random: random.randbytes(20),
    lambda _frame, _random: "null garbage",
    lambda frame, _random: [frame],
    lambda frame, _random: frame | {"U": frame["u"] + 1},
    lambda frame, random: {key: value for key, value in frame.items() if key != random.choice("UubaEs")},
    lambda frame, random: (
        frame | {random.choice("UuEba"): random.choice([None, "x", -1, 1.5, {}, [[1]], [["1", "2"], 3]])}
    ),
    lambda frame, random: (
        frame
        | {random.choice("ba"): [["100.00", "1"], ["90.00", random.choice(["NaN", "-1", "Infinity", "", 5, None])]]}
    ),
    lambda frame, random: (
        frame | {random.choice("ba"): [["100.00", "1"], [random.choice(["NaN", "-1", "0", "x"]), "1"]]}
    ),
]


class BadLine:
    """Sends a venue's frames down a line, most of them as they should be."""

    def __init__(self, line: Line, random: Random) -> None:
        self._line = line
        self._random = random
        self._sent: list[dict[str, Any]] = []
        self._late: dict[str, Any] | None = None
        self._faults = (
            self.deliver,
            self.drop,
            self.repeat,
            self.swap,
            self.corrupt,
            self.cut,
            self.answer_twice,
            self.stall,
        )

    async def play(self) -> None:
        good_weight = self._random.choice([60, 400, 4_000])
        for _ in range(self._random.randint(5, 60)):
            frame = self._line.venue.frame()
            self._sent.append(frame)
            for _ in range(self._random.choice([0, 0, 1, 3, 6])):
                await asyncio.sleep(0)
            if self._line.is_open:
                late, self._late = self._late, None
                self._random.choices(self._faults, (good_weight, 5, 5, 5, 5, 3, 3, 4))[0](frame)
                if late is not None and self._line.is_open:
                    self._line.send(late)

    def deliver(self, frame: dict[str, Any]) -> None:
        self._line.send(frame)

    def drop(self, _frame: dict[str, Any]) -> None:
        """Send nothing."""

    def repeat(self, frame: dict[str, Any]) -> None:
        self._line.send(frame)
        self._line.send(self._random.choice(self._sent[-5:]))

    def swap(self, frame: dict[str, Any]) -> None:
        self._late = frame

    def corrupt(self, frame: dict[str, Any]) -> None:
        self._line.send(frame)
        self._line.send(self._random.choice(CORRUPTED)(self._line.venue.frame(), self._random))

    def cut(self, frame: dict[str, Any]) -> None:
        self._line.send(frame)
        self._random.choice([self._line.cut, self._line.fail])()

    def answer_twice(self, _frame: dict[str, Any]) -> None:
        for subscription in tuple(self._line.client.subscriptions.values()):
            self._line.send({"result": None, "id": subscription["id"]})

    def stall(self, frame: dict[str, Any]) -> None:
        """Let snapshots be old, or late."""
        self._line.send(frame)
        venue, old = self._line.venue, self._random.choice(list(self._line.venue.truth))
        self._line.snapshots = self._random.choice([venue.snapshot, lambda levels: venue.snapshot(levels, old)])
        self._line.hold_back(self._random.random() < 0.5)


async def recover(line: Line, follower: Follower) -> None:
    """Let the line be good again, and wait until the newest book is shown."""
    line.snapshots = line.venue.snapshot
    line.hold_back(False)
    line.release()
    for _ in range(400):
        if line.is_open:
            line.send(line.venue.frame())
        for _ in range(5):
            await asyncio.sleep(0)
        if follower.books and follower.books[-1].sequence == line.venue.update_id:
            return
    raise AssertionError(f"{follower.name}: never right again; {follower.broken[-3:]}")


async def test_whatever_the_line_does_every_book_shown_is_the_venues_and_it_recovers(
    exchange: Any, caplog: pytest.LogCaptureFixture
) -> None:
    faults: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: faults.append(context))
    shown = broken = 0
    for seed in range(CASES):
        random = Random(seed)
        venue = DepthVenue(random)
        line = Line(venue, exchange)
        follower = Follower(exchange, venue, f"case {seed}")
        follow_task = asyncio.create_task(follower.follow())
        play_task = asyncio.create_task(BadLine(line, random).play())
        await asyncio.wait({follow_task, play_task}, return_when=asyncio.FIRST_COMPLETED)
        recover_task = asyncio.create_task(recover(line, follower))
        await asyncio.wait({follow_task, recover_task}, return_when=asyncio.FIRST_COMPLETED)
        for task in (play_task, recover_task, follow_task):
            if task.done():
                task.result()
            task.cancel()
        await asyncio.gather(play_task, recover_task, follow_task, return_exceptions=True)
        line.cut()
        shown, broken = shown + len(follower.books), broken + len(follower.broken)
    assert shown > 5 * CASES
    assert broken > CASES / 2
    assert faults == []
    assert not [record for record in caplog.records if record.levelname in {"WARNING", "ERROR"}]
