"""Imports a file of candles: checks all of it, then stores it in one transaction."""

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
from infra.candle_files.column_reader import read_tables
from infra.candle_files.errors import UnusableFileError
from infra.candle_files.inspection import FileSummary, ReadOptions, inspect_file
from infra.postgres.bulk_candles import BulkCandleWriter, OnConflict, WriteCounts

OpenWriter = Callable[[FileSummary], BulkCandleWriter]


@dataclass(frozen=True, slots=True)
class ImportResult:
    """The result of an import: the file's summary, the rows written, the gaps filled, and how long it took."""

    summary: FileSummary
    written: WriteCounts
    filled: int
    seconds: float


@dataclass(frozen=True, slots=True)
class ImportProgress:
    """Callbacks: with rows checked so far, once with the number of rows to load, then with rows loaded."""

    checked: Callable[[int], None]
    counted: Callable[[int], None]
    loaded: Callable[[int], None]


@dataclass(frozen=True, slots=True)
class CopyBatch:
    """Rows in COPY's text format, with the opening times of the oldest and the newest."""

    data: bytes
    rows: int
    first: datetime
    last: datetime


async def load_file(
    options: ReadOptions,
    market: MarketSymbol,
    open_writer: OpenWriter,
    on_conflict: OnConflict,
    progress: ImportProgress,
    *,
    fill_gaps: bool,
) -> ImportResult:
    """Check a file, then store it in one transaction; raises `UnusableFileError`, `MalformedRows` and `Unavailable`."""
    started, before = time.monotonic(), _fingerprint(options)
    summary = await asyncio.to_thread(inspect_file, options, progress.checked)
    progress.counted(summary.rows - summary.forming)
    writer = open_writer(summary)
    await writer.ensure_months(summary.first, summary.last)
    async with writer.transaction():
        written = WriteCounts()
        async with aclosing(_read_ahead(_copy_batches(options, market, summary))) as batches:
            async for batch in batches:
                written += await writer.write(batch.data, batch.first, batch.last, on_conflict)
                progress.loaded(batch.rows)
        if _fingerprint(options) != before:
            raise UnusableFileError(options.path, "it was changed while it was read; nothing of it was loaded")
        filled = await writer.fill_gaps(summary.first, summary.last) if fill_gaps and summary.missing else 0
    return ImportResult(summary, written, filled, time.monotonic() - started)


async def _read_ahead(batches: Iterator[CopyBatch]) -> AsyncGenerator[CopyBatch]:
    """Yield batches, reading the next one in a thread while the database stores the current one."""
    reading = asyncio.create_task(asyncio.to_thread(next, batches, None))
    try:
        while (batch := await reading) is not None:
            reading = asyncio.create_task(asyncio.to_thread(next, batches, None))
            yield batch
    finally:
        await asyncio.wait([reading])


def _fingerprint(options: ReadOptions) -> tuple[int, int] | None:
    try:
        status = options.path.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns


def _copy_batches(options: ReadOptions, market: MarketSymbol, summary: FileSummary) -> Iterator[CopyBatch]:
    """Yield the closed candles of the file."""
    end = int(summary.last.timestamp()) * 1_000_000
    for table in read_tables(options.path, options.file, options.block_bytes):
        rows = table.rows.filter(pl.col("at") <= end) if summary.forming else table.rows
        if rows.height:
            yield _copy_batch(rows, market, summary)


def _copy_batch(rows: pl.DataFrame, market: MarketSymbol, summary: FileSummary) -> CopyBatch:
    opened = pl.from_epoch("at", time_unit="us").dt.strftime("%Y-%m-%d %H:%M:%S+00")
    # In COPY's text a backslash begins an escape (PostgreSQL manual, COPY, "Text Format").
    name = pl.lit(str(market).replace("\\", "\\\\")).alias("market")
    timeframe = pl.lit(summary.timeframe.value).alias("timeframe")
    written = BytesIO()
    rows.select(name, timeframe, opened, "open", "high", "low", "close", "volume").write_csv(
        written, include_header=False, separator="\t", quote_style="never"
    )
    first, last = rows.select(pl.min("at").alias("first"), pl.max("at").alias("last")).row(0)
    return CopyBatch(written.getvalue(), rows.height, from_milliseconds(first // 1000), from_milliseconds(last // 1000))
