"""Writes candles of one market and timeframe in bulk by COPY, also while an engine runs."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from io import BytesIO

import asyncpg

from domain.model.markets import MarketSymbol, Timeframe
from infra.postgres.archive.archived_candles import ArchivedCandles
from infra.postgres.connection import Connection, DriverConnection, terminate, translate_driver_errors
from infra.postgres.partitions import ensure_months
from infra.postgres.pool import Pool
from infra.postgres.rows.markets import INSERT_CANDLES
from infra.postgres.transaction_connection import acquire

_ACQUIRE_SECONDS = 10.0
COLUMNS = ("market", "timeframe", "open_time", "open", "high", "low", "close", "volume")

_SAME = """(stored.open, stored.high, stored.low, stored.close, stored.volume)
    IS NOT DISTINCT FROM (given.open, given.high, given.low, given.close, given.volume)"""
_STORED = """SELECT * FROM candles
    WHERE market = $1 AND timeframe = $2 AND open_time >= $3 AND open_time <= $4"""
# Equal rows are left alone: importing a file again costs a comparison and writes nothing.
_COUNT = f"""
SELECT count(*) FILTER (WHERE stored.open_time IS NULL),
    count(*) FILTER (WHERE stored.open_time IS NOT NULL AND {_SAME})
FROM given LEFT JOIN ({_STORED}) AS stored USING (open_time)"""
_MERGE = f"""
INSERT INTO candles ({", ".join(COLUMNS)})
SELECT {", ".join(f"given.{column}" for column in COLUMNS)}
FROM given LEFT JOIN ({_STORED}) AS stored USING (open_time)
WHERE stored.open_time IS NULL OR NOT {_SAME}
ON CONFLICT (market, timeframe, open_time) DO """
_REPLACE = """UPDATE SET open = excluded.open, high = excluded.high, low = excluded.low, close = excluded.close,
    volume = excluded.volume"""
_KEEP = "NOTHING"
# As `domain.market_data.candles.fill_gaps` does: no volume, all prices at the close before.
_FILL = f"""
INSERT INTO candles ({", ".join(COLUMNS)})
SELECT $1, $2, slot, before.close, before.close, before.close, before.close, 0
FROM generate_series($3::timestamptz, $4::timestamptz, $5::interval) AS slot
LEFT JOIN ({_STORED}) AS stored ON stored.open_time = slot
CROSS JOIN LATERAL (
    SELECT close FROM candles WHERE market = $1 AND timeframe = $2 AND open_time >= $3 AND open_time < slot
    ORDER BY open_time DESC LIMIT 1
) AS before
WHERE stored.open_time IS NULL
ON CONFLICT (market, timeframe, open_time) DO NOTHING"""
_ANY = f"SELECT EXISTS ({_STORED})"


class OnConflict(StrEnum):
    """What happens to a stored candle if a different one is written for its time."""

    REPLACE = "replace"
    KEEP = "keep"


@dataclass(frozen=True, slots=True)
class WriteCounts:
    """How many candles were new, replaced a stored one, were dropped for a stored one, or equalled it."""

    new: int = 0
    replaced: int = 0
    kept: int = 0
    unchanged: int = 0

    def __add__(self, other: "WriteCounts") -> "WriteCounts":
        return WriteCounts(
            self.new + other.new,
            self.replaced + other.replaced,
            self.kept + other.kept,
            self.unchanged + other.unchanged,
        )


@asynccontextmanager
async def acquired_connection(pool: Pool) -> AsyncIterator[DriverConnection]:
    """Give a connection of the pool; raises `Unavailable`."""
    driver = await acquire(pool, _ACQUIRE_SECONDS)
    try:
        yield driver
    finally:
        await pool.release(driver)


class BulkCandleWriter:
    """Bulk writes of the candles of one market and timeframe on a connection of its own."""

    def __init__(
        self,
        driver: DriverConnection,
        market: MarketSymbol,
        timeframe: Timeframe,
        archive: ArchivedCandles | None = None,
    ) -> None:
        self._driver = driver
        self._archive = archive or ArchivedCandles()
        self._connection = Connection(driver)
        self._market = str(market)
        self._timeframe = timeframe

    async def ensure_months(self, start: datetime, end: datetime) -> list[str]:
        """Create the missing partitions of these months in a transaction of their own; return their names."""
        return await ensure_months(self._connection, "candles", start, end)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        """Store all of the block or nothing."""
        async with self._connection.in_transaction():
            # The block may read a file for a while; the connection still ends with its process.
            await self._connection.execute("SET LOCAL idle_in_transaction_session_timeout = '10min'")
            await self._connection.execute("CREATE TEMPORARY TABLE given (LIKE candles) ON COMMIT DROP")
            yield

    async def write(self, lines: bytes, first: datetime, last: datetime, conflict: OnConflict) -> WriteCounts:
        """Write candles that open from `first` to `last`, inside of `transaction`.

        `lines` are in COPY's text format, in the order of `COLUMNS`, and have no time twice. If nothing
        is stored for these times they go straight to the table, at twice the speed; otherwise through a temporary one.
        """
        await self._bring_back_archived(first, last)
        key = (self._market, self._timeframe, first, last)
        if not await self._connection.fetchval(_ANY, *key):
            try:
                async with self._connection.savepoint():
                    return WriteCounts(new=await self._copy("candles", lines))
            except asyncpg.UniqueViolationError:
                pass  # a collector stored one of them this moment
        return await self._merge(lines, key, conflict)

    async def fill_gaps(self, first: datetime, last: datetime) -> int:
        """Fill gaps from `first` to `last` with candles without volume, at the close before; return how many."""
        await self._bring_back_archived(first, last)
        key = (self._market, self._timeframe, first, last)
        return _count(await self._connection.execute(_FILL, *key, self._timeframe.duration))

    async def _bring_back_archived(self, first: datetime, last: datetime) -> None:
        """Store the archived candles of a period again, so that new ones are compared with them.

        A later run of the archive moves what has come of it.
        """
        market = MarketSymbol.parse(self._market)
        end = last + self._timeframe.duration
        archived = await self._archive.rows(self._connection, market, [self._timeframe], first, end)
        if len(archived):
            await self._connection.execute(INSERT_CANDLES, *archived.arguments)

    async def _merge(
        self, lines: bytes, key: tuple[str, Timeframe, datetime, datetime], conflict: OnConflict
    ) -> WriteCounts:
        await self._connection.execute("TRUNCATE given")
        given = await self._copy("given", lines)
        await self._connection.execute("ANALYZE given")
        counted = await self._connection.fetchrow(_COUNT, *key)
        assert counted is not None
        new, unchanged = counted
        differing = given - new - unchanged
        if conflict is OnConflict.KEEP:
            await self._connection.execute(_MERGE + _KEEP, *key)
            return WriteCounts(new=new, kept=differing, unchanged=unchanged)
        await self._connection.execute(_MERGE + _REPLACE, *key)
        return WriteCounts(new=new, replaced=differing, unchanged=unchanged)

    async def _copy(self, table: str, lines: bytes) -> int:
        copying = asyncio.ensure_future(self._driver.copy_to_table(table, source=BytesIO(lines), columns=COLUMNS))
        with translate_driver_errors(self._driver):
            try:
                return _count(await asyncio.shield(copying))
            except asyncio.CancelledError:
                # The driver would wait for the server first, which may be waiting for a lock.
                terminate(self._driver)
                await asyncio.gather(copying, return_exceptions=True)
                raise


def _count(tag: str) -> int:
    """Return the number of rows in a command tag such as `INSERT 0 5`."""
    return int(tag.rsplit(" ", 1)[-1])
