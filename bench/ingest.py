"""How much faster than life one core takes the recorded BTC/USDT stream: depth, trades, candles, published and stored.

The recording comes over real sockets, 60 times as fast as it was made; that all was taken in that time is the figure,
and the processor time says what would be left. The engine's side, ccxt's parsing included, is this process, held on one
core; PostgreSQL and the sender have the others. In the end nothing may be missing: the book, every trade and every
closed candle are compared with what was recorded, and no stream may have broken. Books are published as `serve` does
it: updates that were read together are one book, and how many there were is printed.
"""

import asyncio
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

import uvloop

from bench.collecting import BTC, Collecting, collecting
from bench.figures import Figure, report
from bench.parts import database, scratch
from bench.recording import FILES, Frame, Recording, read, venue
from domain.model.depth import MAX_LEVELS
from domain.model.markets import Depth
from tests.support.reference_book import RecordedBook

PACE, TARGET = 60.0, 50.0
PATIENCE_SECONDS = 150.0
Row = tuple[Decimal, Decimal]


@dataclass(frozen=True)
class Run:
    """What one run took: seconds on the clock, and of the processor in this process."""

    wall: float
    processor: float
    books: int


async def measure(pace: float) -> None:
    if not all(file.exists() for file in FILES):
        sys.stdout.write(f"ingest needs the recordings of {FILES[0].parent}\n")
        return
    recording = read(FILES)
    async with scratch() as folder, database(folder) as dsn, venue(FILES) as remote:
        # Those that run already keep all cores; what this process starts from now on has one.
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, cores[-1:])
        async with collecting(dsn, remote) as running:
            began, processor = time.perf_counter(), time.process_time()
            await remote.play(pace)
            await _all_taken(running, recording)
            run = Run(time.perf_counter() - began, time.process_time() - processor, len(running.followed.received))
            await _compare(running, recording)
    _report(recording, run)


async def _all_taken(running: Collecting, recording: Recording) -> None:
    """Return when the last book was received and the last trade is stored."""
    last, trades = _updates(recording)[-1].event["u"], len(_trades(recording))
    async with asyncio.timeout(PATIENCE_SECONDS):
        while running.followed.book is None or running.followed.book.sequence < last:  # noqa: ASYNC110  # no event of it
            await asyncio.sleep(0.01)
        while running.collector.trade_count < trades:  # noqa: ASYNC110  # as above
            await asyncio.sleep(0.01)
        while running.feeds.writer.waiting:
            await running.feeds.writer.flush()


async def _compare(running: Collecting, recording: Recording) -> None:
    """Hold the end against the recording; raises AssertionError for anything that is missing or wrong."""
    collector, trades = running.collector, [frame.event for frame in _trades(recording)]
    assert (collector.gaps, collector.crossed_books, collector.late_trades) == (0, 0, 0)
    assert (running.feeds.writer.dropped_rows, running.followed.trades) == (0, len(trades))
    recorded = RecordedBook(*FILES)
    while recorded.advance():
        pass
    assert running.followed.book is not None
    assert _sides(running.followed.book) == recorded.top(MAX_LEVELS)
    rows = await running.pool.fetch("SELECT venue_trade_id, price, quantity FROM trades WHERE market = $1", str(BTC))
    stored = {int(row[0]): (row[1], row[2]) for row in rows}
    assert stored == {trade["t"]: (Decimal(trade["p"]), Decimal(trade["q"])) for trade in trades}
    text = "SELECT open_time, open, high, low, close, volume FROM candles WHERE market = $1 AND timeframe = 'M1'"
    candles = {row[0]: tuple(row[1:]) for row in await running.pool.fetch(text, str(BTC))}
    assert candles == _minutes(trades)


def _minutes(trades: Sequence[dict[str, str]]) -> dict[datetime, tuple[Decimal, ...]]:
    """Return the closed minutes of trades, grouped plainly; the last one isn't over."""
    prices: dict[int, list[Decimal]] = {}
    volumes: dict[int, Decimal] = {}
    for trade in trades:
        minute = int(trade["T"]) // 60_000
        prices.setdefault(minute, []).append(Decimal(trade["p"]))
        volumes[minute] = volumes.get(minute, Decimal(0)) + Decimal(trade["q"])
    return {
        datetime.fromtimestamp(minute * 60, UTC): (each[0], max(each), min(each), each[-1], volumes[minute])
        for minute, each in list(prices.items())[:-1]
    }


def _sides(book: Depth) -> tuple[list[Row], list[Row]]:
    bids, asks = ([(level.price, level.quantity) for level in side] for side in (book.bids, book.asks))
    return bids, asks


def _updates(recording: Recording) -> list[Frame]:
    return [frame for frame in recording.frames if frame.is_depth]


def _trades(recording: Recording) -> list[Frame]:
    return [frame for frame in recording.frames if not frame.is_depth]


def _report(recording: Recording, run: Run) -> None:
    updates, trades = len(_updates(recording)), len(_trades(recording))
    seconds = recording.seconds
    speed, capacity = seconds / run.wall, seconds / run.processor
    row = [seconds, updates, run.books, trades, run.wall, speed, run.processor, capacity]
    columns = ["recorded s", "updates", "books", "trades", "taken in s", "times", "processor s", "times (processor)"]
    measured = f"{speed:.0f} times with {run.processor / run.wall:.0%} of the core ({capacity:.0f} by processor time); "
    measured += f"{updates:,} updates in {run.books:,} books, {trades:,} trades, nothing lost"
    figure = Figure("recorded BTC/USDT taken on one core", measured, f"≥ {TARGET:g} times real speed", speed >= TARGET)
    report("ingest", columns, [row], [figure])


if __name__ == "__main__":
    uvloop.run(measure(float(sys.argv[1]) if len(sys.argv) > 1 else PACE))
