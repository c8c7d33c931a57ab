"""A year of ten markets' minute candles moved to files, and pages of 1,000 of them: stored, then archived.

The archiver writes, reads back, compares and drops; the bare measure is PostgreSQL's own COPY of the same rows to
nobody. Pages are asked of the repository, as resolvers do, at random places; cold ones are those of a
reader that knows nothing yet.
"""

import random
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import uvloop

from bench.figures import Figure, percentile, report, spread
from bench.history import MINUTE, add_candles, add_markets, database, running_database
from bench.parts import scratch
from bench.processes import cpu_seconds
from domain.core.pagination import TimeKeysetPage
from domain.model.markets import MarketSymbol, Timeframe
from infra.archive_storage.folder import FolderStorage
from infra.postgres.archive.archiver import Archiver, RunResult
from infra.postgres.archive.archives import Archives
from infra.postgres.connection import Connection
from infra.postgres.pool import create_pool
from infra.postgres.repositories.market_data import PostgresMarketData

START = datetime(2024, 1, 1, tzinfo=UTC)
END = datetime(2025, 1, 1, tzinfo=UTC)
PAGE, PAGES = 1_000, 200
TARGET_ROWS, TARGET_BYTES, TARGET_STORED_MS, TARGET_COLD_MS = 300_000, 12, 50.0, 80.0
MARKETS = [MarketSymbol("sandbox", f"{base}/USDT") for base in ("BTC", "ETH", "SOL", "XRP", "ADA")]

BACKENDS = "SELECT pid FROM pg_stat_activity WHERE application_name = 'r3edge'"
"""The processes that worked for the archiver."""

Places = list[tuple[MarketSymbol, datetime]]


async def measure(markets: list[MarketSymbol], pages: int) -> None:
    rows = (END - START) // MINUTE
    async with scratch() as folder, database(folder) as connection:
        await add_markets(connection, markets)
        for seed, market in enumerate(markets):
            await add_candles(connection, market, START, rows, seed)
        await connection.execute("VACUUM (ANALYZE) candles")
        pool = await create_pool(await running_database(folder), command_timeout_seconds=600)
        storage = FolderStorage(folder / "archive")
        copied = await _copied(connection)
        stored = await _pages(connection, lambda: Archives.of(storage), markets, pages)
        began, processor = time.perf_counter(), time.process_time()
        result = await Archiver(pool, storage, grace=timedelta(0)).run(END)
        seconds, processor = time.perf_counter() - began, time.process_time() - processor
        server = sum(cpu_seconds(row["pid"]) for row in await pool.fetch(BACKENDS))
        assert await connection.fetchval("SELECT count(*) FROM candles") == 0
        archive = Archives.of(storage)
        cold = await _pages(connection, lambda: Archives.of(storage), markets, pages)
        await _pages(connection, lambda: archive, markets, pages)
        archived = await _pages(connection, lambda: archive, markets, pages)
        await pool.close()
    _report(
        rows * len(markets),
        result,
        (copied, seconds, processor, server),
        {"stored": stored, "cold": cold, "archived": archived},
    )


async def _copied(connection: "asyncpg.Connection[asyncpg.Record]") -> float:
    began = time.perf_counter()
    await connection.copy_from_query("SELECT * FROM candles", output=Path("/dev/null"), format="csv")
    return time.perf_counter() - began


async def _pages(
    connection: "asyncpg.Connection[asyncpg.Record]",
    archive: Callable[[], Archives],
    markets: list[MarketSymbol],
    pages: int,
) -> list[float]:
    """Ask for so many pages, each time at the same random places; return how long each took."""
    places, times = random.Random(1), []
    for number in range(pages):
        market = places.choice(markets)
        start = START + places.randrange((END - START) // MINUTE - PAGE) * MINUTE
        page = (
            TimeKeysetPage(PAGE, start)
            if number % 2
            else TimeKeysetPage(PAGE, end=start + PAGE * MINUTE, backwards=True)
        )
        repository = PostgresMarketData(Connection(connection), archive())
        began = time.perf_counter()
        found = await repository.candles(market, Timeframe.M1, page)
        times.append(time.perf_counter() - began)
        assert len(found) == PAGE
        assert found[0].open_time == start
    return times


def _report(
    rows: int, result: RunResult, seconds: tuple[float, float, float, float], pages: dict[str, list[float]]
) -> None:
    copied, taken, processor, server = seconds
    size = sum(batch.size_bytes for batch in result.written) / rows
    table = [[f"pages, {name}", len(times), *spread(times).values()] for name, times in pages.items()]
    speed = rows / taken
    figures = [
        Figure(
            f"archive of {rows:,} candles: written, read back, compared and dropped",
            f"{speed:,.0f} rows/s, {rows / processor:,.0f} a second of the archiver's own processor time and "
            f"{rows / server:,.0f} of PostgreSQL's (bare COPY {rows / copied:,.0f} rows/s)",
            f"≥ {TARGET_ROWS:,} rows/s",
            speed >= TARGET_ROWS,
        ),
        Figure("an archived minute candle", f"{size:.1f} bytes", f"≤ {TARGET_BYTES} bytes", size <= TARGET_BYTES),
    ]
    for name, what, target in (
        ("stored", "stored candles", TARGET_STORED_MS),
        ("archived", "archived candles of files that were read before", TARGET_STORED_MS),
        ("cold", "archived candles of a reader that knows nothing yet", TARGET_COLD_MS),
    ):
        p50, p99 = (percentile(pages[name], at) * 1000 for at in (50, 99))
        measured = f"p50 {p50:.0f} ms, p99 {p99:.0f} ms"
        figures.append(Figure(f"page of {PAGE:,} {what}", measured, f"≤ {target:g} ms", p99 <= target))
    report("archive", ["what", "asked", "p50 ms", "p99 ms", "max ms"], table, figures)


if __name__ == "__main__":
    given = [int(number) for number in sys.argv[1:]]
    uvloop.run(measure(MARKETS[: given[0]] if given else MARKETS, given[1] if len(given) > 1 else PAGES))
