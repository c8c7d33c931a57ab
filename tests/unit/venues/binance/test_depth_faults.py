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
from infra.venues.binance import book as binance_book
from infra.venues.binance import depth as binance_depth
from infra.venues.ccxt import market_data
from infra.venues.ccxt.market_data import CcxtMarketData
from tests.support.fake_depth_server import BTC, DepthVenue, Line, LineConnection, ccxt_exchange

CASES = int(os.environ.get("DEPTH_FAULT_CASES", "300"))
SHOWN = 4


@pytest.fixture(autouse=True)
def shallow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small snapshots, so that a book soon runs past them, and no waiting."""
    monkeypatch.setattr(binance_book, "SNAPSHOT_LEVELS", 16)
    monkeypatch.setattr(binance_book, "THIN_LEVELS", 8)
    monkeypatch.setattr(binance_book, "MAX_LEVELS", SHOWN)
    monkeypatch.setattr(binance_depth, "SNAPSHOT_LEVELS", 16)
    monkeypatch.setattr(binance_depth, "ASK_AGAIN_SECONDS", 0.0)
    monkeypatch.setattr(binance_depth, "GIVE_UP_SECONDS", 0.0)
    monkeypatch.setattr(market_data, "UNSUBSCRIBE_SECONDS", 0.0)


@pytest.fixture
async def exchange() -> AsyncIterator[Any]:
    made = await ccxt_exchange(SystemClock())
    yield made
    await made.close()


class Follower:
    """Follows the stream of books as a collector does, and holds every one against the venue's."""

    def __init__(self, exchange: Any, venue: DepthVenue, name: object) -> None:
        self.source = CcxtMarketData(LineConnection(exchange), SystemClock())
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


SPOILED: list[Callable[[dict[str, Any], Random], Any]] = [
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
            self.well,
            self.lose,
            self.repeat,
            self.swap,
            self.spoil,
            self.cut,
            self.answer_twice,
            self.stall,
        )

    async def play(self) -> None:
        well = self._random.choice([60, 400, 4_000])
        for _ in range(self._random.randint(5, 60)):
            frame = self._line.venue.frame()
            self._sent.append(frame)
            for _ in range(self._random.choice([0, 0, 1, 3, 6])):
                await asyncio.sleep(0)
            if self._line.is_open:
                late, self._late = self._late, None
                self._random.choices(self._faults, (well, 5, 5, 5, 5, 3, 3, 4))[0](frame)
                if late is not None and self._line.is_open:
                    self._line.send(late)

    def well(self, frame: dict[str, Any]) -> None:
        self._line.send(frame)

    def lose(self, _frame: dict[str, Any]) -> None:
        """Send nothing."""

    def repeat(self, frame: dict[str, Any]) -> None:
        self._line.send(frame)
        self._line.send(self._random.choice(self._sent[-5:]))

    def swap(self, frame: dict[str, Any]) -> None:
        self._late = frame

    def spoil(self, frame: dict[str, Any]) -> None:
        self._line.send(frame)
        self._line.send(self._random.choice(SPOILED)(self._line.venue.frame(), self._random))

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
    line.let_go()
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
        following = asyncio.create_task(follower.follow())
        playing = asyncio.create_task(BadLine(line, random).play())
        await asyncio.wait({following, playing}, return_when=asyncio.FIRST_COMPLETED)
        recovering = asyncio.create_task(recover(line, follower))
        await asyncio.wait({following, recovering}, return_when=asyncio.FIRST_COMPLETED)
        for task in (playing, recovering, following):
            if task.done():
                task.result()
            task.cancel()
        await asyncio.gather(playing, recovering, following, return_exceptions=True)
        line.cut()
        shown, broken = shown + len(follower.books), broken + len(follower.broken)
    assert shown > 5 * CASES
    assert broken > CASES / 2
    assert faults == []
    assert not [record for record in caplog.records if record.levelname in {"WARNING", "ERROR"}]
