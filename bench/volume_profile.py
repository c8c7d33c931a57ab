"""A volume profile of a day in 100 bins over HTTP: of a million trades, and of minute candles where trades are gone.

The trades' sums by minute and price are made by one statement, as the migration makes those of older trades; trades
that come one by one add up to the same rows. Profiles of whole minutes take turns with those that begin and end within
one, of which the engine reads the trades themselves, and the volumes are compared with the sum of what was stored.
"""

import asyncio
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import asyncpg
import numpy as np
import polars as pl
import uvloop

from bench.figures import Figure, percentile, report, spread
from bench.history import POSTGRES_TIME, add_candles, add_markets, copy, database, forget
from bench.parts import engine, scratch
from domain.model.markets import MarketSymbol
from infra.postgres.bulk_candles import COLUMNS
from infra.postgres.connection import Connection
from infra.postgres.partitions import ensure_months

if TYPE_CHECKING:
    Driver = asyncpg.Connection[asyncpg.Record]

DAY, LENGTH = datetime(2025, 6, 10, tzinfo=UTC), timedelta(days=1)
TRADES, ASKED = 1_000_000, 100
BINS = 100
TARGET_MS = 100.0
WITH_TRADES, WITHOUT = MarketSymbol("sandbox", "BTC/USDT"), MarketSymbol("sandbox", "ETH/USDT")
PROFILE = """query($m: MarketSymbol!, $from: DateTime!, $to: DateTime!, $bins: Int!) { market(symbol: $m) {
  volumeProfile(from: $from, to: $to, bins: $bins) { source pointOfControl valueAreaLow valueAreaHigh
    levels { priceLow priceHigh volume buyVolume sellVolume } } } }"""
_SUMS = """
INSERT INTO minute_volumes (market, minute, price, bought, sold)
SELECT market, date_trunc('minute', at) AS minute, summed_price(price) AS cut,
    coalesce(sum(quantity) FILTER (WHERE side = 'BUY'), 0), coalesce(sum(quantity) FILTER (WHERE side = 'SELL'), 0)
FROM trades GROUP BY market, minute, cut"""


@dataclass(frozen=True)
class Kind:
    """One kind of profile that is asked for."""

    name: str
    market: MarketSymbol
    shift: timedelta
    source: str


KINDS = (
    Kind("trades, whole minutes", WITH_TRADES, timedelta(0), "TRADES"),
    Kind("trades, from within a minute", WITH_TRADES, timedelta(seconds=17), "TRADES"),
    Kind("candles", WITHOUT, timedelta(0), "CANDLES"),
)
Times = dict[str, list[float]]


async def measure(trades: int, asked: int) -> None:
    async with scratch() as folder:
        volume = await _load(folder, trades)
        async with _asking(folder) as client:
            await _ask(client, volume, 5)
            warm = await _ask(client, volume, asked)
        await asyncio.to_thread(forget, folder / "engine" / "postgres")
        async with _asking(folder) as client:
            cold = await _ask(client, volume, 1)
    _report(trades, warm, cold)


async def _load(folder: Path, trades: int) -> Decimal:
    """Store the trades of two days, their sums and candles, and candles without trades; return a day's volume."""
    made = _walk(2 * trades)
    async with database(folder) as connection:
        await add_markets(connection, [WITH_TRADES, WITHOUT])
        for table in ("trades", "minute_volumes", "candles"):
            await ensure_months(Connection(connection), table, DAY, DAY + 2 * LENGTH)
        await copy(connection, "trades", _rows(made), _rows(made).columns)
        await connection.execute(_SUMS)
        await copy(connection, "candles", _candles(made), COLUMNS)
        await add_candles(connection, WITHOUT, DAY, 2 * 1440, 1)
        await connection.execute("VACUUM (ANALYZE) trades, minute_volumes, candles")
        text = "SELECT sum(quantity) FROM trades WHERE at >= $1 AND at < $2"
        volume: Decimal = await connection.fetchval(text, DAY, DAY + LENGTH)
    return volume


def _walk(count: int) -> pl.DataFrame:
    """Return trades of two days at random moments: a random walk of two percent a day on a grid of hundredths."""
    random = np.random.default_rng(1)
    at = int(DAY.timestamp() * 1e6) + np.sort(random.integers(0, 2 * 86_400_000_000, count))
    price = 60_000 * np.exp(np.cumsum(random.normal(0, 0.02 / np.sqrt(count / 2), count)))
    return pl.DataFrame(
        {
            "at": pl.Series(at).cast(pl.Datetime("us")),
            "venue_trade_id": np.arange(count),
            "price": np.round(price, 2),
            "quantity": np.round(random.lognormal(-5.6, 2, count) + 0.00001, 5),
            "side": np.where(random.integers(0, 2, count) == 1, "BUY", "SELL"),
        }
    )


def _rows(made: pl.DataFrame) -> pl.DataFrame:
    market = pl.lit(str(WITH_TRADES)).alias("market")
    return made.select(market, pl.all()).with_columns(pl.col("at").dt.strftime(POSTGRES_TIME))


def _candles(made: pl.DataFrame) -> pl.DataFrame:
    price = pl.col("price")
    return (
        made.group_by(pl.col("at").dt.truncate("1m"), maintain_order=True)
        .agg(
            price.first().alias("open"),
            price.max().alias("high"),
            price.min().alias("low"),
            price.last().alias("close"),
            pl.col("quantity").sum().round(5),
        )
        .select(
            pl.lit(str(WITH_TRADES)).alias("market"),
            pl.lit("M1").alias("timeframe"),
            pl.col("at").dt.strftime(POSTGRES_TIME),
            "open",
            "high",
            "low",
            "close",
            "quantity",
        )
    )


class HttpClient:
    """A client that asks for profiles."""

    def __init__(self, http: aiohttp.ClientSession, url: str) -> None:
        self._http = http
        self._url = f"{url}/graphql"

    async def ask(self, kind: Kind) -> tuple[float, Any]:
        """Return the seconds until the answer was there, and the profile."""
        start = DAY + kind.shift
        period = {"from": start.isoformat(), "to": (start + LENGTH).isoformat()}
        body = {"query": PROFILE, "variables": {"m": str(kind.market), "bins": BINS} | period}
        began = time.perf_counter()
        async with self._http.post(self._url, json=body) as response:
            answer = await response.json()
        return time.perf_counter() - began, answer["data"]["market"]["volumeProfile"]


@asynccontextmanager
async def _asking(folder: Path) -> AsyncGenerator[HttpClient]:
    async with engine(folder) as running, aiohttp.ClientSession() as http:
        yield HttpClient(http, running.url)


async def _ask(client: HttpClient, volume: Decimal, times: int) -> Times:
    asked: Times = {kind.name: [] for kind in KINDS}
    for _ in range(times):
        for kind in KINDS:
            seconds, profile = await client.ask(kind)
            asked[kind.name].append(seconds)
            assert profile["source"] == kind.source
            if kind is KINDS[0]:
                assert sum(Decimal(level["volume"]) for level in profile["levels"]) == volume
    return asked


def _report(trades: int, warm: Times, cold: Times) -> None:
    rows: list[list[object]] = [["warm", name, len(each), *spread(each).values()] for name, each in warm.items()]
    rows += [["first after a restart", name, len(each), *spread(each).values()] for name, each in cold.items()]
    whole, within, candles = (percentile(each, 99) * 1000 for each in warm.values())
    first = max(max(each) for each in cold.values()) * 1000
    measured = f"p99 {whole:.0f} ms ({within:.0f} ms from within a minute; of candles {candles:.0f} ms)"
    measured += f"; the first after a restart {first:.0f} ms"
    holds = max(whole, within, candles) <= TARGET_MS
    name = f"volume profile of a day of {trades:,} trades in {BINS} bins, over HTTP"
    report(
        "volume_profile",
        ["state", "made of", "asked", "p50 ms", "p99 ms", "max ms"],
        rows,
        [Figure(name, measured, f"≤ {TARGET_MS:g} ms", holds)],
    )


if __name__ == "__main__":
    given = [int(number) for number in sys.argv[1:]]
    uvloop.run(measure(*(given or [TRADES, ASKED])))
