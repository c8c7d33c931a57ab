"""Both recordings played through the sandbox: every book that the engine makes of them is the recorded one."""

import asyncio
import gzip
import json
from contextlib import aclosing, suppress
from pathlib import Path
from random import Random

from domain.model.depth import MAX_LEVELS
from domain.model.markets import Depth, PriceLevel
from domain.ports.market_data import VenueGap, VenueUnreachable
from infra.clock import SystemClock
from infra.venues.ccxt.market_data import CcxtMarketData
from infra.venues.config import VenueSettings
from infra.venues.registry import Venues
from tests.support.fake_depth_server import DepthVenue, Line, LineConnection, ccxt_exchange
from tests.support.recorded_data import BINANCE, skip_without
from tests.support.reference_book import RecordedBook, Rows
from tests.support.sandbox import running_sandbox
from tests.support.venues import BTC

FIRST, SECOND = BINANCE / "btcusdt_20240808.gz", BINANCE / "btcusdt_20240809.gz"


def rows(levels: tuple[PriceLevel, ...]) -> Rows:
    return [(level.price, level.quantity) for level in levels]


class Comparison:
    """Follows the recording to the update of each book. The sandbox numbers a recording's updates from 1."""

    def __init__(self, recording: Path) -> None:
        self._second = RecordedBook(recording)
        self.updates = 0
        self.books = 0
        self.full = 0
        self.breaks = 0

    def matches(self, book: Depth) -> bool:
        """Compare a book with the recorded one of its update; False if the recording has ended before it."""
        while self.updates == 0 or self._number() < book.sequence:
            if not self._second.advance():
                return False
            self.updates += 1
        assert self._number() == book.sequence, "a book between two updates"
        # Where another snapshot is late, fewer levels are known for a moment, and none that may not be.
        for shown, recorded in zip((book.bids, book.asks), self._second.top(MAX_LEVELS), strict=True):
            assert shown, f"an empty side at update {self._second.update_id}"
            assert rows(shown) == recorded[: len(shown)], f"a wrong book at update {self._second.update_id}"
            self.full += len(shown) == MAX_LEVELS
        self.books += 1
        return True

    def _number(self) -> int:
        return self._second.update_id - self._second.first_id + 1


async def replayed(folder: Path, recording: Path, speed: float, books: int | None = None) -> Comparison:
    """Compare every book until the recording's end, or `books` of it; subscribe again after each break."""
    comparison = Comparison(recording)
    async with running_sandbox(folder, replay=[recording], speed=speed) as sandbox:
        venues = Venues([VenueSettings("sandbox", "binance", sandbox.url, live=False)], SystemClock())
        try:
            while not await compare(venues, comparison, books):
                comparison.breaks += 1
        finally:
            await venues.close()
    return comparison


async def compare(venues: Venues, comparison: Comparison, books: int | None) -> bool:
    """Compare the books of one subscription; False if it broke before there were enough."""
    with suppress(VenueGap, VenueUnreachable):
        async with aclosing(venues.public("sandbox").depth(BTC)) as stream:
            async for book in stream:
                if not comparison.matches(book) or comparison.books == books:
                    return True
    return False


def with_snapshot(folder: Path) -> Path:
    """Return the second recording with the book at the first one's end before it, for it has no snapshot itself."""
    book = RecordedBook(FIRST)
    while book.advance():
        pass
    with gzip.open(SECOND, "rb") as lines:
        received = next(lines).partition(b" ")[0].decode()
    head = [{"stream": "btcusdt@none", "data": {"s": "BTCUSDT"}}, book.snapshot(len(book.bids) + len(book.asks))]
    text = "".join(f"{received} {json.dumps(line)}\n" for line in head)
    path = folder / "second.gz"
    path.write_bytes(gzip.compress(text.encode()) + SECOND.read_bytes())  # gzip files may follow one another in one
    return path


async def test_every_book_of_both_recordings_is_the_recorded_one_at_its_update_also_ten_times_as_fast(
    tmp_path: Path,
) -> None:
    skip_without(FIRST, SECOND)
    second = await asyncio.to_thread(with_snapshot, tmp_path)
    *whole, _stretch = await asyncio.gather(
        replayed(tmp_path / "first", FIRST, 10),
        replayed(tmp_path / "second", second, 10),
        replayed(tmp_path / "slow", FIRST, 1, books=200),
    )
    for comparison in whole:
        assert comparison.updates > 3_000
        # Updates that were read together make one book, and a busy machine reads most of them so.
        assert comparison.books > 20
        assert comparison.full > comparison.books, "sides with all their levels: most of both"
        assert comparison.breaks < 10


async def test_the_book_after_every_single_update_of_both_recordings_is_the_recorded_one() -> None:
    skip_without(FIRST, SECOND)
    second = RecordedBook(FIRST, SECOND)
    exchange = await ccxt_exchange(SystemClock())
    line = Line(DepthVenue(Random(1)), exchange)
    line.snapshots = second.snapshot
    updates = 0
    try:
        async with aclosing(CcxtMarketData(LineConnection(exchange), SystemClock()).depth(BTC)) as books:
            book = await anext(books)
            while second.advance():
                line.send(second.event)
                book = await anext(books)
                assert book.sequence == second.update_id
                assert (rows(book.bids), rows(book.asks)) == second.top(MAX_LEVELS), f"a wrong book at {book.sequence}"
                updates += 1
    finally:
        await exchange.close()
    assert updates == 6_492
