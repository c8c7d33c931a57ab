"""Reads long series of stored candles as arrays, without a row of Python objects for each."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from domain.backtest.bars import Bars
from domain.indicators.candle_arrays import CandleArrays
from domain.model.markets import MarketSymbol, Timeframe
from infra.postgres.archive.archived_candles import ArchivedCandles
from infra.postgres.archive.candle_coverage import floats, milliseconds
from infra.postgres.bulk_candles import acquired_connection
from infra.postgres.connection import Connection
from infra.postgres.pool import Pool

PAGE_ROWS = 50_000

# The inner query is ordered, and array_agg keeps the order of its input. As bytes, a column becomes an array at once:
# the driver would make a Python object of each number first.
PAGE = """
SELECT array_send(array_agg((extract(epoch FROM open_time) * 1000)::bigint)) AS opened,
    array_send(array_agg(open::float8)) AS open, array_send(array_agg(high::float8)) AS high,
    array_send(array_agg(low::float8)) AS low, array_send(array_agg(close::float8)) AS close,
    array_send(array_agg(volume::float8)) AS volume
FROM (
    SELECT * FROM candles
    WHERE market = $1 AND timeframe = $2 AND open_time >= $3 AND open_time < $4 ORDER BY open_time LIMIT $5
) page"""
NAMES = ("open", "high", "low", "close", "volume")
_HEADER_BYTES = 20
"""Before the elements of an array: dimensions, whether any is null, type, length and lower bound, each of 4 bytes."""


async def read_bars(
    connection: Connection,
    market: MarketSymbol,
    timeframe: Timeframe,
    start: datetime,
    end: datetime,
    on_rows: Callable[[int], None] = lambda _rows: None,
    archive: ArchivedCandles | None = None,
) -> Bars:
    """Return the candles that open from `start` to before `end`; `on_rows` is called with the count of each page."""
    archived = await (archive or ArchivedCandles()).frames(connection, market, timeframe, start, end)
    pages: list[np.ndarray[tuple[int, int], np.dtype[np.float64]]] = []
    times: list[np.ndarray[tuple[int], np.dtype[np.int64]]] = []
    while True:
        row = await connection.fetchrow(PAGE, str(market), timeframe, start, end, PAGE_ROWS)
        assert row is not None
        opened = _elements(row["opened"], ">i8").astype(np.int64)
        if len(opened):
            times.append(opened)
            pages.append(np.array([_elements(row[name], ">f8") for name in NAMES], dtype=np.float64))
            on_rows(len(opened))
        if len(opened) < PAGE_ROWS:
            break
        start = datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=int(opened[-1]) + 1)
    opened_at = np.concatenate(times) if times else np.empty(0, dtype=np.int64)
    series = np.concatenate(pages, axis=1) if pages else np.empty((5, 0))
    if archived:
        before = len(opened_at)
        opened_at, series = await asyncio.to_thread(_with_archived, opened_at, series, archived)
        on_rows(len(opened_at) - before)
    return Bars(
        timeframe,
        opened_at,
        CandleArrays(*(np.ascontiguousarray(column) for column in series), gapless=True),
    )


def _with_archived(
    opened_at: npt.NDArray[np.int64], series: npt.NDArray[np.float64], frames: Sequence[pl.DataFrame]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Return stored and archived candles in the order of time; of two for the same time, the stored one."""
    times = np.concatenate([opened_at, *(milliseconds(frame) for frame in frames)])
    values = [np.array([floats(frame[name]) for name in NAMES], dtype=np.float64) for frame in frames]
    unique, places = np.unique(times, return_index=True)  # the first of equal ones: the stored candles come first
    return unique, np.concatenate([series, *values], axis=1)[:, places]


def _elements(array: bytes | None, kind: str) -> npt.NDArray[Any]:
    """Return the elements of an array in PostgreSQL's binary form, in which each follows its length; None is empty."""
    element = np.dtype([("length", ">i4"), ("value", kind)])
    return np.frombuffer(b"" if array is None else array[_HEADER_BYTES:], element)["value"]


class PostgresBars:
    """Implements `domain.research.candle_loader.BarSource`, on a connection of the pool."""

    def __init__(self, pool: Pool, archive: ArchivedCandles | None = None) -> None:
        self._pool = pool
        self._archive = archive or ArchivedCandles()

    async def read(
        self, market: MarketSymbol, timeframe: Timeframe, start: datetime, end: datetime, on_rows: Callable[[int], None]
    ) -> Bars:
        async with acquired_connection(self._pool) as driver:
            return await read_bars(Connection(driver), market, timeframe, start, end, on_rows, self._archive)
