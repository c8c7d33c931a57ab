"""Time from a depth update on the venue's socket to the book in the hands of a `marketDepth` reader, of a recording.

Measured from the moment before the venue's process writes the frame to the moment when a reader of the hub's stream,
which `marketDepth` is made of, has the book: the loopback network, ccxt's parsing, the book by the venue's rule, the
bus there and back in bytes, the conflating queue. Trades, candles and storing go on meanwhile. ccxt.pro alone reads
the same frames in the same run, before it: the time until `watch_order_book` has returned.
"""

import asyncio
import importlib
import sys
import time
from contextlib import aclosing
from typing import Any

import uvloop

from bench.collecting import collecting
from bench.figures import Figure, percentile, report, spread
from bench.parts import database, scratch
from bench.recording import FILES, Remote, read, venue
from infra.venues.ccxt.profiles.binance import api_urls

PACE, SECONDS = 2.0, 120.0
"""How many times as fast as life, and how much of the recording."""
P99_MS = 2.0
PATIENCE_SECONDS = 150.0
SKIPPED = 50
"""The first updates warm everything up, and some of them lie before the snapshot."""


async def measure(pace: float) -> None:
    files = FILES[:1]
    if not files[0].exists():
        sys.stdout.write(f"book_latency needs the recordings of {files[0].parent}\n")
        return
    last = max(each.event["u"] for each in read(files).frames if each.is_depth and each.at < SECONDS)
    async with scratch() as folder, database(folder) as dsn, venue(files) as remote:
        theirs = await _ccxt(remote, pace, last)
        await remote.rewind()
        async with collecting(dsn, remote) as running:
            await remote.play(pace)
            async with asyncio.timeout(PATIENCE_SECONDS):
                while running.followed.book is None or running.followed.book.sequence < last:  # noqa: ASYNC110  # no event
                    await asyncio.sleep(0.01)
            ours = _delays(await remote.sent(), running.followed.received)
    _report(pace, ours, theirs)


async def _ccxt(remote: Remote, pace: float, last: int) -> list[float]:
    """Return the delays of ccxt.pro's own books, its trades being read as well."""
    exchange = importlib.import_module("ccxt.pro.binance").binance(
        {"options": {"defaultType": "spot", "fetchMarkets": {"types": ["spot"]}, "fetchCurrencies": False}}
        | {"urls": {"api": api_urls(remote.url)}, "newUpdates": True}
    )
    async with aclosing(_Closing(exchange)):
        await exchange.load_markets()
        received: dict[int, float] = {}
        tasks = [asyncio.create_task(_books(exchange, received, last)), asyncio.create_task(_trades(exchange))]
        await asyncio.sleep(3)
        await remote.play(pace)
        async with asyncio.timeout(PATIENCE_SECONDS):
            await tasks[0]
        tasks[1].cancel()
        await asyncio.gather(tasks[1], return_exceptions=True)
        return _delays(await remote.sent(), received)


class _Closing:
    def __init__(self, exchange: Any) -> None:
        self.aclose = exchange.close


async def _books(exchange: Any, received: dict[int, float], last: int) -> None:
    nonce = 0
    while nonce < last:
        nonce = (await exchange.watch_order_book("BTC/USDT"))["nonce"]
        received[nonce] = time.monotonic()


async def _trades(exchange: Any) -> None:
    while True:
        await exchange.watch_trades("BTC/USDT")


def _delays(sent: dict[int, float], received: dict[int, float]) -> list[float]:
    """Return for each update, the first ones aside, how long after it was sent a book that has it was received."""
    books = sorted(received.items())
    delays, place = [], 0
    for update, at in sorted(sent.items())[SKIPPED:]:
        if update > books[-1][0]:
            break
        while place < len(books) and books[place][0] < update:
            place += 1
        delays.append(books[place][1] - at)
    return delays


def _report(pace: float, ours: list[float], theirs: list[float]) -> None:
    rows = [
        ["update → marketDepth reader", len(ours), *spread(ours).values()],
        ["update → ccxt.pro alone", len(theirs), *spread(theirs).values()],
    ]
    p50, p99 = (percentile(ours, at) * 1000 for at in (50, 99))
    ratio = percentile(ours, 50) / percentile(theirs, 50)
    measured = f"p50 {p50:.2f} ms, p99 {p99:.2f} ms at {pace:g} times real speed ({ratio:.1f} times ccxt.pro alone)"
    figure = Figure("book update to published event", measured, f"p99 ≤ {P99_MS:g} ms", p99 <= P99_MS)
    report("book_latency", ["what", "updates", "p50 ms", "p99 ms", "max ms"], rows, [figure])


if __name__ == "__main__":
    uvloop.run(measure(float(sys.argv[1]) if len(sys.argv) > 1 else PACE))
