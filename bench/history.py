"""Years of made-up market data in the database of an engine that isn't running, the same ones each time."""

import os
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
import numpy as np
import polars as pl

from domain.model.markets import Market, MarketSymbol
from infra.postgres.bulk_candles import COLUMNS
from infra.postgres.connection import Connection
from infra.postgres.migrate import migrate
from infra.postgres.partitions import ensure_months
from infra.postgres.repositories.market_data import PostgresMarketData
from infra.postgres.server.embedded import EmbeddedPostgres

if TYPE_CHECKING:
    Driver = asyncpg.Connection[asyncpg.Record]

MINUTE = timedelta(minutes=1)
POSTGRES_TIME = "%Y-%m-%d %H:%M:%S%.6f+00"


@asynccontextmanager
async def database(folder: Path) -> "AsyncGenerator[Driver]":
    """Give a connection to the migrated database of an engine whose folder is `folder`, until the end of the block."""
    server = EmbeddedPostgres(folder / "engine" / "postgres")
    await server.start()
    try:
        await migrate(server.dsn)
        connection = await asyncpg.connect(server.dsn)
        yield connection
        await connection.close()
    finally:
        await server.stop()


async def running_database(folder: Path) -> str:
    """Return the address of the database of the engine that runs in `folder`."""
    server = EmbeddedPostgres(folder / "engine" / "postgres")
    if not await server.attach():
        raise RuntimeError(f"no database answers in {folder}")
    return server.dsn


async def add_markets(connection: "Driver", symbols: Sequence[MarketSymbol]) -> None:
    """List markets with steps of a hundredth."""
    await PostgresMarketData(Connection(connection)).save_markets([_market(symbol) for symbol in symbols])


async def add_candles(connection: "Driver", symbol: MarketSymbol, start: datetime, count: int, seed: int) -> None:
    """Store minute candles of a random walk from `start` on."""
    random = np.random.default_rng(seed)
    close = 60_000 * np.exp(np.cumsum(random.normal(0, 1e-4, count)))
    opened = np.concatenate([[60_000.0], close[:-1]])
    made = pl.DataFrame(
        {
            "open_time": minutes(start, count),
            "open": np.round(opened, 2),
            "high": np.round(np.maximum(opened, close) + random.lognormal(0, 1, count), 2),
            "low": np.round(np.minimum(opened, close) - random.lognormal(0, 1, count), 2),
            "close": np.round(close, 2),
            "volume": np.round(random.lognormal(1, 1, count), 5),
        }
    ).with_columns(pl.col("open_time").dt.strftime(POSTGRES_TIME))
    await ensure_months(Connection(connection), "candles", start, start + count * MINUTE)
    rows = made.select(pl.lit(str(symbol)).alias("market"), pl.lit("M1").alias("timeframe"), pl.all())
    await copy(connection, "candles", rows, COLUMNS)


def minutes(start: datetime, count: int) -> pl.Series:
    """Return the beginnings of minutes."""
    milliseconds = int(start.timestamp() * 1000) + 60_000 * np.arange(count)
    return pl.Series(milliseconds).cast(pl.Datetime("ms"))


async def copy(connection: "Driver", table: str, rows: pl.DataFrame, columns: Iterable[str]) -> None:
    """Store rows by COPY."""
    written = BytesIO()
    rows.write_csv(written, include_header=False, separator="\t", quote_style="never")
    written.seek(0)
    await connection.copy_to_table(table, source=written, columns=tuple(columns))


def _market(symbol: MarketSymbol) -> Market:
    base, _, quote = symbol.symbol.partition("/")
    lot = Decimal("0.00001")
    return Market(
        symbol,
        base,
        quote,
        active=True,
        price_increment=Decimal("0.01"),
        quantity_increment=lot,
        minimum_quantity=lot,
        maximum_quantity=None,
        minimum_notional=None,
        maker_fee=Decimal(0),
        taker_fee=Decimal(0),
    )


def forget(folder: Path) -> None:
    """Make the system forget what it holds of the files in memory, so that the next look goes to the disk."""
    for file in folder.rglob("*"):
        if file.is_file() and not file.is_symlink():
            descriptor = os.open(file, os.O_RDONLY)
            os.fsync(descriptor)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(descriptor)
