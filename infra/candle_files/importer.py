"""Stores a file of candles that was found to be right, all of it or nothing."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO

import polars as pl

from domain.core.clock import from_milliseconds
from domain.model.markets import MarketSymbol
from infra.candle_files.column_reader import tables
from infra.candle_files.errors import UnusableFileError
from infra.candle_files.inspection import Reading, Survey, survey
from infra.postgres.bulk_candles import BulkCandleWriter, OnConflict, Written

Open = Callable[[Survey], BulkCandleWriter]


@dataclass(frozen=True, slots=True)
class Loaded:
    """What came of a file: what was in it, what was written, how many missing candles were filled, and the seconds."""

    survey: Survey
    written: Written
    filled: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Progress:
    """Who is told of rows as they are checked, of how many there are to load then, and of them as they are loaded."""

    checked: Callable[[int], None]
    counted: Callable[[int], None]
    loaded: Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Lines:
    """Rows as COPY takes them, and when the oldest and the newest of them open."""

    data: bytes
    rows: int
    first: datetime
    last: datetime


async def load_file(
    reading: Reading, market: MarketSymbol, copy: Open, conflict: OnConflict, progress: Progress, *, fill: bool
) -> Loaded:
    """Check a file, then store it in one transaction; raises `UnusableFileError`, `MalformedRows` and `Unavailable`."""
    started, before = time.monotonic(), _fingerprint(reading)
    found = await asyncio.to_thread(survey, reading, progress.checked)
    progress.counted(found.rows - found.forming)
    target = copy(found)
    await target.ensure_months(found.first, found.last)
    async with target.transaction():
        written = Written()
        async with aclosing(_ahead(_batches(reading, market, found))) as batches:
            async for lines in batches:
                written += await target.write(lines.data, lines.first, lines.last, conflict)
                progress.loaded(lines.rows)
        if _fingerprint(reading) != before:
            raise UnusableFileError(reading.path, "it was changed while it was read; nothing of it was loaded")
        filled = await target.fill(found.first, found.last) if fill and found.missing else 0
    return Loaded(found, written, filled, time.monotonic() - started)


async def _ahead(batches: Iterator[Lines]) -> AsyncGenerator[Lines]:
    """Yield batches, the next one being read in a thread while the database takes the one before."""
    reading = asyncio.create_task(asyncio.to_thread(next, batches, None))
    try:
        while (lines := await reading) is not None:
            reading = asyncio.create_task(asyncio.to_thread(next, batches, None))
            yield lines
    finally:
        await asyncio.wait([reading])


def _fingerprint(reading: Reading) -> tuple[int, int] | None:
    try:
        status = reading.path.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns


def _batches(reading: Reading, market: MarketSymbol, found: Survey) -> Iterator[Lines]:
    """Yield what of the file has closed."""
    end = int(found.last.timestamp()) * 1_000_000
    for table in tables(reading.path, reading.options, reading.block_bytes):
        rows = table.rows.filter(pl.col("at") <= end) if found.forming else table.rows
        if rows.height:
            yield _lines(rows, market, found)


def _lines(rows: pl.DataFrame, market: MarketSymbol, found: Survey) -> Lines:
    opened = pl.from_epoch("at", time_unit="us").dt.strftime("%Y-%m-%d %H:%M:%S+00")
    # In COPY's text a backslash begins an escape (PostgreSQL manual, COPY, "Text Format").
    name = pl.lit(str(market).replace("\\", "\\\\")).alias("market")
    timeframe = pl.lit(found.timeframe.value).alias("timeframe")
    written = BytesIO()
    rows.select(name, timeframe, opened, "open", "high", "low", "close", "volume").write_csv(
        written, include_header=False, separator="\t", quote_style="never"
    )
    first, last = rows.select(pl.min("at").alias("first"), pl.max("at").alias("last")).row(0)
    return Lines(written.getvalue(), rows.height, from_milliseconds(first // 1000), from_milliseconds(last // 1000))
