"""A month of a market's trades and snapshots of its book moved to files, and pages and books of them: stored, archived.

The trades are those of a random walk at random moments, on a grid of hundredths; the books have 100 levels a side with
random steps and quantities. Pages of 1,000 trades and books of an hour are asked of the repositories, as
resolvers do, at random places; cold ones are those of a reader that knows nothing yet.
"""

import random
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import uvloop

from bench.figures import Figure, percentile, report, spread
from bench.history import POSTGRES_TIME, add_markets, copy, database, running_database
from bench.parts import scratch
from domain.core.pagination import TimeKeysetPage
from domain.model.markets import MarketSymbol
from infra.archive_storage.folder import FolderStorage
from infra.postgres.archive.archiver import Archiver, RunResult
from infra.postgres.archive.archives import Archives
from infra.postgres.connection import Connection
from infra.postgres.partitions import ensure_months
from infra.postgres.pool import create_pool
from infra.postgres.repositories.market_data import PostgresMarketData
from infra.postgres.repositories.market_history import PostgresMarketHistory

if TYPE_CHECKING:
    from bench.history import Driver

START, END = datetime(2025, 3, 1, tzinfo=UTC), datetime(2025, 4, 1, tzinfo=UTC)
MARKET = MarketSymbol("sandbox", "BTC/USDT")
TRADES, SNAPSHOTS, LEVELS = 3_000_000, 20_000, 100
PAGE, ASKED = 1_000, 100
HOUR, DAY = timedelta(hours=1), timedelta(days=1)

Times = dict[str, list[float]]


async def measure(trades: int, snapshots: int) -> None:
    async with scratch() as folder, database(folder) as connection:
        await add_markets(connection, [MARKET])
        for table in ("trades", "depth_snapshots"):
            await ensure_months(Connection(connection), table, START, START)
        await _add_trades(connection, trades)
        await _add_snapshots(connection, snapshots)
        await connection.execute("VACUUM (ANALYZE) trades, depth_snapshots")
        sizes = {table: await _size(connection, table) for table in ("trades", "depth_snapshots")}
        storage = FolderStorage(folder / "archive")
        times = {"stored": await _asked(connection, lambda: Archives.of(storage))}
        pool = await create_pool(await running_database(folder), command_timeout_seconds=600)
        runs: dict[str, tuple[RunResult, float]] = {}
        for table in sizes:
            began = time.perf_counter()
            result = await Archiver(pool, storage, grace=timedelta(0)).run({table: END})
            runs[table] = result, time.perf_counter() - began
            assert await connection.fetchval(f"SELECT count(*) FROM {table}") == 0
        await pool.close()
        known = Archives.of(storage)
        times["cold"] = await _asked(connection, lambda: Archives.of(storage))
        await _asked(connection, lambda: known)
        times["archived"] = await _asked(connection, lambda: known)
    _report(sizes, runs, times)


async def _add_trades(connection: "Driver", count: int) -> None:
    made = np.random.default_rng(1)
    at = int(START.timestamp() * 1e6) + np.sort(made.integers(0, (END - START) // timedelta(microseconds=1), count))
    price = 60_000 * np.exp(np.cumsum(made.normal(0, 0.1 / np.sqrt(count), count)))
    rows = pl.DataFrame(
        {
            "at": pl.Series(at).cast(pl.Datetime("us")).dt.strftime(POSTGRES_TIME),
            "venue_trade_id": 4_700_000_000 + np.arange(count),
            "price": np.round(price, 2),
            "quantity": np.round(made.lognormal(-5.6, 2, count) + 0.00001, 5),
            "side": np.where(made.integers(0, 2, count) == 1, "BUY", "SELL"),
        }
    ).select(pl.lit(str(MARKET)).alias("market"), pl.all())
    await copy(connection, "trades", rows, rows.columns)


async def _add_snapshots(connection: "Driver", count: int) -> None:
    made = np.random.default_rng(2)
    step = (END - START) / count
    middles = 6_000_000 + np.cumsum(made.integers(-500, 501, count))
    for begin in range(0, count, 1_000):
        rows = [
            (str(MARKET), START + n * step, "0123456789ab", 10_000 * n, START + n * step, *_book(made, int(middles[n])))
            for n in range(begin, min(begin + 1_000, count))
        ]
        await connection.copy_records_to_table("depth_snapshots", records=rows)


def _book(made: np.random.Generator, middle: int) -> tuple[str, str]:
    steps = 1 + np.floor(made.exponential(20, (2, LEVELS))).astype(int).cumsum(axis=1)
    quantities = made.lognormal(-2, 2, (2, LEVELS)) + 0.00001
    sides = zip((middle - steps[0], middle + steps[1]), quantities, strict=True)
    bids, asks = (_json(prices, amounts) for prices, amounts in sides)
    return bids, asks


def _json(prices: "np.typing.NDArray[np.int64]", amounts: "np.typing.NDArray[np.float64]") -> str:
    levels = [f'["{price / 100:.2f}","{amount:.5f}"]' for price, amount in zip(prices, amounts, strict=True)]
    return f"[{','.join(levels)}]"


async def _size(connection: "Driver", table: str) -> int:
    size: int = await connection.fetchval(f"SELECT pg_total_relation_size('{table}_2025_03')")
    return size


async def _asked(connection: "Driver", archives: Callable[[], Archives]) -> Times:
    """Ask for pages of trades and for books of an hour, at the same random places each time; return the times."""
    places = random.Random(1)
    times: Times = {"page of 1,000 trades": [], "books of an hour": []}
    for number in range(ASKED):
        moment = START + DAY + places.random() * (END - START - 2 * DAY)
        pages = (TimeKeysetPage(PAGE, moment), TimeKeysetPage(PAGE, end=moment + HOUR, backwards=True))
        began = time.perf_counter()
        found = await PostgresMarketData(Connection(connection), archives()).trades(MARKET, pages[number % 2])
        times["page of 1,000 trades"].append(time.perf_counter() - began)
        assert len(found) == PAGE
        history = PostgresMarketHistory(Connection(connection), archives())
        began = time.perf_counter()
        books = await history.depth_history(MARKET, moment, moment + HOUR, 60, LEVELS)
        times["books of an hour"].append(time.perf_counter() - began)
        assert books
    return times


def _report(sizes: dict[str, int], runs: dict[str, tuple[RunResult, float]], times: dict[str, Times]) -> None:
    figures = []
    for table, (result, seconds) in runs.items():
        (batch,) = result.written
        each, before = batch.size_bytes / batch.rows, sizes[table] / batch.rows
        figures.append(
            Figure(
                f"archive of {batch.rows:,} rows of {table}: written, read back, compared and dropped",
                f"{batch.rows / seconds:,.0f} rows/s; {each:,.1f} bytes a row, {before:,.0f} in the database",
            )
        )
    rows = [
        [f"{what}, {where}", len(taken), *spread(taken).values()]
        for where, asked in times.items()
        for what, taken in asked.items()
    ]
    for where, asked in times.items():
        for what, taken in asked.items():
            p50, p99 = (percentile(taken, at) * 1000 for at in (50, 99))
            figures.append(Figure(f"{what}, {where}", f"p50 {p50:.0f} ms, p99 {p99:.0f} ms"))
    report("archive_trades", ["what", "asked", "p50 ms", "p99 ms", "max ms"], rows, figures)


if __name__ == "__main__":
    given = [int(number) for number in sys.argv[1:]]
    uvloop.run(measure(given[0] if given else TRADES, given[1] if len(given) > 1 else SNAPSHOTS))
