"""Rows a second from a CSV of minute candles to rows that can be queried, beside a bare COPY of the same rows.

Both write to the same durable PostgreSQL (the engine's embedded one), into empty monthly partitions, by turns. The file
is parsed, checked and stored as `r3edge import candles` does it, partitions included; the bare COPY is given the rows
as PostgreSQL's own text, made beforehand, and does nothing else.
"""

import asyncio
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from statistics import median
from zoneinfo import ZoneInfo

import asyncpg
import numpy as np
import polars as pl
import uvloop

from bench.figures import Figure, report
from bench.parts import database, scratch
from domain.model.markets import MarketSymbol
from infra.candle_files.formats import FileFormat, FileOptions
from infra.candle_files.importer import ImportProgress, load_file
from infra.candle_files.inspection import ReadOptions
from infra.postgres.bulk_candles import COLUMNS, BulkCandleWriter, OnConflict
from infra.postgres.connection import Connection
from infra.postgres.partitions import ensure_months

ROWS, RUNS = 1_500_000, 3
TARGET_ROWS = 200_000
START = datetime(2022, 1, 1, tzinfo=UTC)
MARKET = MarketSymbol("sandbox", "BTC/USDT")


async def measure(rows: int, runs: int) -> None:
    async with scratch() as folder, database(folder) as dsn:
        file = folder / "candles.csv"
        lines = await asyncio.to_thread(_write, file, rows)
        imports, copies, again = [], [], []
        for _ in range(runs):
            copies.append(await _copied(dsn, lines, rows))
            imports.append(await _imported(dsn, file))
            again.append(await _imported(dsn, file, empty=False))
        size = await asyncio.to_thread(file.stat)
        _report(rows, size.st_size, {"bare COPY": copies, "import": imports, "the same file again": again})


def _write(file: Path, rows: int) -> bytes:
    """Write minute candles of a random walk; return the same rows as COPY takes them."""
    random = np.random.default_rng(1)
    close = 60_000 * np.exp(np.cumsum(random.normal(0, 1e-4, rows)))
    opened = np.concatenate([[60_000.0], close[:-1]])
    high = np.maximum(opened, close) + random.lognormal(0, 1, rows)
    low = np.minimum(opened, close) - random.lognormal(0, 1, rows)
    numbers = {"open": opened, "high": high, "low": low, "close": close}
    made = pl.DataFrame(
        {"open_time": (int(START.timestamp()) + 60 * np.arange(rows)) * 1000}
        | {name: np.round(values, 2) for name, values in numbers.items()}
        | {"volume": np.round(random.lognormal(1, 1, rows), 5)}
    )
    made.write_csv(file)
    written = BytesIO()
    made.select(
        pl.lit(str(MARKET)).alias("market"),
        pl.lit("M1").alias("timeframe"),
        pl.from_epoch("open_time", time_unit="ms").dt.strftime("%Y-%m-%d %H:%M:%S+00"),
        *numbers,
        "volume",
    ).write_csv(written, include_header=False, separator="\t", quote_style="never")
    return written.getvalue()


async def _copied(dsn: str, lines: bytes, rows: int) -> float:
    end = datetime.fromtimestamp(START.timestamp() + 60 * rows, UTC)
    async with _emptied(dsn) as connection:
        await ensure_months(Connection(connection), "candles", START, end)
        started = time.perf_counter()
        await connection.copy_to_table("candles", source=BytesIO(lines), columns=COLUMNS)
        return time.perf_counter() - started


async def _imported(dsn: str, file: Path, *, empty: bool = True) -> float:
    read_options = ReadOptions(file, FileOptions(FileFormat.AUTO, ZoneInfo("UTC")), None, datetime.now(UTC))
    silent = ImportProgress(_ignore, _ignore, _ignore)
    async with _emptied(dsn) if empty else _connected(dsn) as connection:
        started = time.perf_counter()
        await load_file(
            read_options,
            MARKET,
            lambda found: BulkCandleWriter(connection, MARKET, found.timeframe),
            OnConflict.REPLACE,
            silent,
            fill_gaps=False,
        )
        return time.perf_counter() - started


@asynccontextmanager
async def _connected(dsn: str) -> "AsyncGenerator[asyncpg.Connection[asyncpg.Record]]":
    connection = await asyncpg.connect(dsn)
    try:
        yield connection
    finally:
        await connection.close()


@asynccontextmanager
async def _emptied(dsn: str) -> "AsyncGenerator[asyncpg.Connection[asyncpg.Record]]":
    """Give a connection to a database whose past months are gone, with nothing left to write to the disk."""
    async with _connected(dsn) as connection:
        months = await connection.fetch("SELECT relname FROM pg_class WHERE relname ~ '^candles_20' AND relkind = 'r'")
        for month in months:
            await connection.execute(f"DROP TABLE {month['relname']}")
        await connection.execute("CHECKPOINT")
        yield connection


def _ignore(_rows: int) -> None:
    return


def _report(rows: int, size: int, runs: dict[str, list[float]]) -> None:
    table = [
        [name, len(seconds), median(seconds), rows / median(seconds), rows / min(seconds), rows / max(seconds)]
        for name, seconds in runs.items()
    ]
    a_second = rows / median(runs["import"])
    ratio = median(copied / imported for copied, imported in zip(runs["bare COPY"], runs["import"], strict=True))
    measured = f"{a_second:,.0f} rows/s ({rows:,} rows, {size / 1e6:.0f} MB), {ratio:.2f} of a bare COPY"
    figure = Figure("candle import", measured, f"≥ {TARGET_ROWS:,} rows/s", a_second >= TARGET_ROWS)
    columns = ["what", "runs", "s (median)", "rows/s (median)", "fastest", "slowest"]
    report("candle_import", columns, table, [figure])


if __name__ == "__main__":
    given = [int(number) for number in sys.argv[1:]]
    uvloop.run(measure(*(given or [ROWS, RUNS])))
