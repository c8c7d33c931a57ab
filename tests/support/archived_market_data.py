"""Trades and snapshots of books of past months to archive, and what queries answer about them."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from domain.core.pagination import TimeKeysetPage
from domain.model.markets import Depth, MarketSymbol, PriceLevel, Trade
from domain.model.order_side import OrderSide
from domain.model.volume import Bins
from infra.postgres.archive.tables import ARCHIVED_TABLES
from infra.postgres.connection import Connection
from infra.postgres.database import PostgresDatabase
from infra.postgres.partitions import ensure_months
from infra.postgres.pool import Pool
from tests.support.archive import APRIL, FEBRUARY, JANUARY, MARCH, Reader
from tests.support.trading import BTC, ETH

MONTHS = (JANUARY, FEBRUARY, MARCH)
SEVERAL_FILES = ARCHIVED_TABLES | {
    name: replace(ARCHIVED_TABLES[name], rows_a_file=rows) for name, rows in (("trades", 50), ("depth_snapshots", 20))
}
"""The tables, of which small months already have several files."""


def trade_at(at: datetime, id_: str, market: MarketSymbol = BTC) -> Trade:
    """Return a trade whose numbers follow from its time and id."""
    number = int((at - JANUARY) / timedelta(seconds=1)) * 7919 + sum(map(ord, id_))
    price = Decimal(42_000) + Decimal(number % 10_007) / (100 if number % 3 else 1000)
    return Trade(
        market, id_, at, price, Decimal(number % 977 + 1) / 1000, OrderSide.BUY if number % 2 else OrderSide.SELL
    )


def trades_of(market: MarketSymbol, months: Sequence[datetime] = MONTHS) -> list[Trade]:
    """Return trades in the order of pages: hours with one, minutes with several, and some of the same time."""
    found: list[Trade] = []
    for month in months:
        found += [trade_at(month + hour * timedelta(hours=5), f"{1000 + hour}", market) for hour in range(60)]
        tied = month + timedelta(days=2, microseconds=7)
        found += [trade_at(tied, id_, market) for id_ in ("9", "10", "11", "a,\"b'", "é" * 5)]
        found += [trade_at(month + timedelta(days=3, seconds=7 * n), f"m{n:03}", market) for n in range(40)]
    return sorted(found, key=lambda trade: (trade.at, len(trade.venue_trade_id), trade.venue_trade_id))


def depths_of(market: MarketSymbol) -> list[Depth]:
    """Return snapshots of each month: some of a side without levels, some without the venue's time."""
    return [
        _depth(market, month + number * timedelta(hours=7, seconds=number), number)
        for month in MONTHS
        for number in range(50)
    ]


def _depth(market: MarketSymbol, at: datetime, number: int) -> Depth:
    middle = Decimal(42_000) + Decimal(number) / 8
    bids = [PriceLevel(middle - level, Decimal(number + level) / 10**9) for level in range(1, 4)]
    asks = [PriceLevel(middle + Decimal(level) / 100, Decimal(level) * 1_000_000) for level in range(1, 5)]
    return Depth(
        market,
        f"epoch{number // 20}",
        number * 3,
        () if number % 17 == 16 else tuple(bids),
        tuple(asks),
        None if number % 5 == 4 else at - timedelta(milliseconds=30),
        at,
    )


async def store_market_data(database: PostgresDatabase, pool: Pool) -> None:
    """Store trades and snapshots of two markets."""
    async with pool.acquire() as driver:
        await ensure_months(Connection(driver), "depth_snapshots", JANUARY, MARCH)
    for market in (BTC, ETH):
        await save_trades(database, trades_of(market))
        async with database.transaction() as transaction:
            await transaction.market_data.save_depth(depths_of(market))


async def save_trades(database: PostgresDatabase, trades: Sequence[Trade]) -> None:
    """Store trades of the three months, as an import does."""
    async with database.transaction() as transaction:
        await transaction.market_data.ensure_trade_partitions(JANUARY, MARCH)
        await transaction.market_data.save_trades(trades)


async def market_answers(reader: Reader) -> dict[str, Any]:
    """Return what each query of trades and of past books answers that reaches over the months."""
    found: dict[str, Any] = {}
    async with reader.database.read_only() as reading:
        history = reading.market_history
        for market in (BTC, ETH):
            found[f"pages {market}"] = await trade_pages(reading, market, 47)
            found[f"pages back {market}"] = await trade_pages(reading, market, 101, backwards=True)
            period = (JANUARY + timedelta(days=2, seconds=13), MARCH + timedelta(days=3, seconds=92.5))
            found[f"range {market}"] = await history.traded_range(market, *period)
            bins = Bins(Decimal(42_000), Decimal("7.5"), 2_000)
            found[f"volumes {market}"] = sorted(await history.traded_volumes(market, *period, bins), key=repr)
            found[f"sums {market}"] = sorted(await history.summed_prices(market, *period), key=repr)
            within = (JANUARY + timedelta(days=3, seconds=61), JANUARY + timedelta(days=3, seconds=95))
            found[f"sums within minutes {market}"] = sorted(await history.summed_prices(market, *within), key=repr)
            found[f"books {market}"] = await history.depth_history(market, JANUARY, APRIL, 11 * 3_600, 2)
    return found


async def trade_pages(
    reading: Any,
    market: MarketSymbol,
    limit: int,
    *,
    backwards: bool = False,
    start: datetime | None = None,
    end: datetime | None = None,
) -> list[Trade]:
    """Return all trades, page after page by the cursor of the last."""
    found: list[Trade] = []
    cursor: dict[str, Any] = {}
    while True:
        page = TimeKeysetPage(limit, start, end, backwards=backwards, **cursor)
        rows = await reading.market_data.trades(market, page)
        found = [*rows, *found] if backwards else [*found, *rows]
        if len(rows) < limit:
            return found
        at, key = (rows[0], "before") if backwards else (rows[-1], "after")
        cursor = {key: at.at, f"{key}_id": at.venue_trade_id}
