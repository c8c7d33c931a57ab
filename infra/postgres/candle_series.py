"""Reads long series of stored candles as arrays, without a row of Python objects for each."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np

from domain.backtest.bars import Bars
from domain.indicators.candle_arrays import CandleArrays
from domain.model.markets import MarketSymbol, Timeframe
from infra.postgres.bulk_candles import acquired_connection
from infra.postgres.connection import Connection
from infra.postgres.pool import Pool

PAGE_ROWS = 50_000

# The inner query is ordered, and array_agg keeps the order of its input.
PAGE = """
SELECT coalesce(array_agg((extract(epoch FROM open_time) * 1000)::bigint), '{}') AS opened,
    array_agg(open::float8) AS open, array_agg(high::float8) AS high, array_agg(low::float8) AS low,
    array_agg(close::float8) AS close, array_agg(volume::float8) AS volume
FROM (
    SELECT * FROM candles
    WHERE market = $1 AND timeframe = $2 AND open_time >= $3 AND open_time < $4 ORDER BY open_time LIMIT $5
) page"""


async def read_bars(
    connection: Connection,
    market: MarketSymbol,
    timeframe: Timeframe,
    start: datetime,
    end: datetime,
    on_rows: Callable[[int], None] = lambda _rows: None,
) -> Bars:
    """Return the candles that open from `start` to before `end`; `on_rows` is called with the count of each page."""
    pages: list[np.ndarray[tuple[int, int], np.dtype[np.float64]]] = []
    times: list[np.ndarray[tuple[int], np.dtype[np.int64]]] = []
    while True:
        row = await connection.fetchrow(PAGE, str(market), timeframe, start, end, PAGE_ROWS)
        assert row is not None
        opened = np.array(row["opened"], dtype=np.int64)
        if len(opened):
            times.append(opened)
            pages.append(np.array([row[name] for name in ("open", "high", "low", "close", "volume")]))
            on_rows(len(opened))
        if len(opened) < PAGE_ROWS:
            break
        start = datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=int(opened[-1]) + 1)
    series = np.concatenate(pages, axis=1) if pages else np.empty((5, 0))
    return Bars(
        timeframe,
        np.concatenate(times) if times else np.empty(0, dtype=np.int64),
        CandleArrays(*(np.ascontiguousarray(column) for column in series), gapless=True),
    )


class PostgresBars:
    """Implements `domain.research.candle_loader.BarSource`, on a connection of the pool."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def read(
        self, market: MarketSymbol, timeframe: Timeframe, start: datetime, end: datetime, on_rows: Callable[[int], None]
    ) -> Bars:
        async with acquired_connection(self._pool) as driver:
            return await read_bars(Connection(driver), market, timeframe, start, end, on_rows)
