"""Computes volume by price and past books in PostgreSQL."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import reduce

import msgspec
from asyncpg import Record

from domain.core.money import EXACT, ZERO
from domain.model.markets import Depth, MarketSymbol, PriceLevel, Timeframe
from domain.model.volume import Bins, BinVolume, PriceRange, PriceVolume
from infra.postgres.archive.archived_depths import first_of_each
from infra.postgres.archive.archived_trades import volumes_by_price
from infra.postgres.repositories.candle_base import CandleRepository

_SIDES = """
coalesce(sum(quantity) FILTER (WHERE side = 'BUY'), 0) AS bought,
coalesce(sum(quantity) FILTER (WHERE side = 'SELL'), 0) AS sold"""
_TRADES = "FROM trades WHERE market = $1 AND at >= $2 AND at < $3"
# The minutes that lie in the period as a whole, from the sums; the trades before the first and after the last of them.
_SUMMED = """
FROM (
    SELECT price, bought, sold FROM minute_volumes WHERE market = $1 AND minute >= $4 AND minute < $5
    UNION ALL
    SELECT summed_price(price), CASE side WHEN 'BUY' THEN quantity ELSE 0 END,
        CASE side WHEN 'SELL' THEN quantity ELSE 0 END
    FROM trades WHERE market = $1 AND at >= $2 AND at < $4
    UNION ALL
    SELECT summed_price(price), CASE side WHEN 'BUY' THEN quantity ELSE 0 END,
        CASE side WHEN 'SELL' THEN quantity ELSE 0 END
    FROM trades WHERE market = $1 AND at >= $5 AND at < $3
) AS summed"""
_CANDLES = """
FROM candles WHERE market = $1 AND timeframe = 'M1' AND open_time >= $2
    AND open_time <= $3::timestamptz - interval '1 minute' AND volume > 0"""

SUMMED_PRICES = f"SELECT price, sum(bought), sum(sold) {_SUMMED} GROUP BY price"
CUT_PRICES = "SELECT price::numeric AS price, summed_price(price::numeric) AS cut FROM unnest($1::text[]) AS price"
TRADED_RANGE = f"SELECT min(price), max(price), sum(quantity) {_TRADES}"
CANDLE_RANGE = f"SELECT min(low), max(high), sum(volume) {_CANDLES}"

TRADED_VOLUMES = f"SELECT div(price - $4, $5)::integer AS number, {_SIDES} {_TRADES} GROUP BY number"
# A candle's parts have 12 places and its lowest bin gets what is over, so that no volume is lost or made by dividing.
CANDLE_VOLUMES = f"""
WITH spread AS (
    SELECT open, close, volume, div(low - $4, $5)::integer AS first, div(high - $4, $5)::integer AS last {_CANDLES}
), parts AS (
    SELECT number, open, close,
        CASE WHEN number > first THEN trunc(volume / (last - first + 1), 12)
        ELSE volume - trunc(volume / (last - first + 1), 12) * (last - first) END AS part
    FROM spread, generate_series(first, last) AS number
), sides AS (
    SELECT number, part, CASE sign(close - open) WHEN 1 THEN part WHEN -1 THEN 0 ELSE trunc(part / 2, 12) END AS bought
    FROM parts
)
SELECT number, sum(bought), sum(part - bought) FROM sides GROUP BY number"""

MINUTES = "SELECT count(*) FROM candles WHERE market = $1 AND timeframe = 'M1' AND open_time >= $2 AND open_time < $3"

# One look into the index for each interval, however many snapshots lie in between. The intervals are counted: the
# driver writes the first and the last moment of all as infinite, and a series of times from there has no end.
DEPTH_HISTORY = """
SELECT at, epoch, sequence, venue_time, bids, asks
FROM generate_series(0, $4::integer - 1) AS number
CROSS JOIN LATERAL (SELECT $2::timestamptz + number * $5::interval AS begun) AS one
CROSS JOIN LATERAL (
    SELECT at, epoch, sequence, venue_time, jsonb_path_query_array(bids, $6) AS bids,
        jsonb_path_query_array(asks, $6) AS asks
    FROM depth_snapshots WHERE market = $1 AND at >= begun AND at < least(begun + $5::interval, $3)
    ORDER BY at, epoch, sequence LIMIT 1
) AS found
ORDER BY at"""

_MINUTE = timedelta(minutes=1)


class PostgresMarketHistory(CandleRepository):
    """See `domain.ports.market_data.MarketHistoryRepository`."""

    async def summed_prices(self, market: MarketSymbol, start: datetime, end: datetime) -> list[PriceVolume]:
        period = _summed_period(market, start, end)
        rows = await self._connection.fetch(SUMMED_PRICES, *period)
        summed = [PriceVolume(price, bought, sold) for price, bought, sold in rows]
        for begun, ended in ((start, period[3]), (period[4], end)):
            async for frame in self._archives.trades.frames(self._connection, market, begun, ended):
                summed += await self._cut(volumes_by_price(frame))
        return _summed(summed)

    async def traded_range(self, market: MarketSymbol, start: datetime, end: datetime) -> PriceRange | None:
        ranges = [_range(await self._connection.fetchrow(TRADED_RANGE, str(market), start, end))]
        frames = self._archives.trades.frames(self._connection, market, start, end)
        ranges += [_range_of(volumes_by_price(frame)) async for frame in frames]
        return _widest([each for each in ranges if each is not None])

    async def candle_range(self, market: MarketSymbol, start: datetime, end: datetime) -> PriceRange | None:
        text, arguments = await self._with_archived(CANDLE_RANGE, market, start, end)
        return _range(await self._connection.fetchrow(text, *arguments))

    async def traded_volumes(self, market: MarketSymbol, start: datetime, end: datetime, bins: Bins) -> list[BinVolume]:
        volumes = await self._volumes(TRADED_VOLUMES, str(market), start, end, bins.low, bins.width)
        async for frame in self._archives.trades.frames(self._connection, market, start, end):
            volumes += _binned(volumes_by_price(frame), bins)
        return _added(volumes)

    async def candle_volumes(self, market: MarketSymbol, start: datetime, end: datetime, bins: Bins) -> list[BinVolume]:
        text, arguments = await self._with_archived(CANDLE_VOLUMES, market, start, end, bins.low, bins.width)
        return await self._volumes(text, *arguments)

    async def minutes(self, market: MarketSymbol, start: datetime, end: datetime) -> int:
        text, arguments = await self._with_archived(MINUTES, market, start, end)
        found: int = await self._connection.fetchval(text, *arguments)
        return found

    async def depth_history(
        self, market: MarketSymbol, start: datetime, end: datetime, every_seconds: int, levels: int
    ) -> list[Depth]:
        every, top = timedelta(seconds=every_seconds), f"$[0 to {levels - 1}]"
        intervals = -((start - end) // every)
        rows = await self._connection.fetch(DEPTH_HISTORY, str(market), start, end, intervals, every, top)
        stored = [_depth(market, row) for row in rows]
        period = (start, end)
        archived = await self._archives.depths.first_of_each(self._connection, market, period, every, levels)
        return first_of_each([*stored, *archived], start, every) if archived else stored

    async def _cut(self, volumes: list[PriceVolume]) -> list[PriceVolume]:
        """Return the volumes at prices that are cut as those of the sums are."""
        rows = await self._connection.fetch(CUT_PRICES, [str(volume.price) for volume in volumes])
        cut: dict[Decimal, Decimal] = {row["price"]: row["cut"] for row in rows}
        return [replace(volume, price=cut[volume.price]) for volume in volumes]

    async def _with_archived(
        self, text: str, market: MarketSymbol, start: datetime, end: datetime, *others: object
    ) -> tuple[str, tuple[object, ...]]:
        """Return a statement of minute candles that reads archived ones as well, and its arguments."""
        arguments = (str(market), start, end, *others)
        archived = await self._archives.candles.rows(self._connection, market, [Timeframe.M1], start, end)
        return archived.merged(text, arguments)

    async def _volumes(self, text: str, *arguments: object) -> list[BinVolume]:
        rows = await self._connection.fetch(text, *arguments)
        return [BinVolume(number, bought, sold) for number, bought, sold in rows]


def _summed_period(
    market: MarketSymbol, start: datetime, end: datetime
) -> tuple[str, datetime, datetime, datetime, datetime]:
    """Return the market, the period, and the start of its first whole minute and the end of its last.

    Both are the period's end if it has no whole minute.
    """
    begun = _minute(start)
    first = begun if begun == start else begun + min(_MINUTE, end - begun)
    return str(market), start, end, first, max(_minute(end), first)


def _minute(at: datetime) -> datetime:
    return at.replace(second=0, microsecond=0)


def _range(row: Record | None) -> PriceRange | None:
    return PriceRange(*row) if row is not None and row[0] is not None else None


def _range_of(volumes: list[PriceVolume]) -> PriceRange | None:
    if not volumes:
        return None
    prices = [volume.price for volume in volumes]
    return PriceRange(min(prices), max(prices), _total(side for each in volumes for side in (each.bought, each.sold)))


def _summed(volumes: list[PriceVolume]) -> list[PriceVolume]:
    """Return the volume at each price once."""
    sums: dict[Decimal, PriceVolume] = {}
    for each in volumes:
        known = sums.get(each.price)
        sums[each.price] = each if known is None else _both(known, each)
    return list(sums.values())


def _both(one: PriceVolume, other: PriceVolume) -> PriceVolume:
    return PriceVolume(one.price, EXACT.add(one.bought, other.bought), EXACT.add(one.sold, other.sold))


def _widest(ranges: list[PriceRange]) -> PriceRange | None:
    """Return the range of all, and their volume."""
    if not ranges:
        return None
    lows, highs = [each.low for each in ranges], [each.high for each in ranges]
    return PriceRange(min(lows), max(highs), _total(each.volume for each in ranges))


def _total(volumes: Iterable[Decimal]) -> Decimal:
    return reduce(EXACT.add, volumes, ZERO)


def _binned(volumes: list[PriceVolume], bins: Bins) -> list[BinVolume]:
    return [BinVolume(int((each.price - bins.low) // bins.width), each.bought, each.sold) for each in volumes]


def _added(volumes: list[BinVolume]) -> list[BinVolume]:
    """Return the volumes of each bin once."""
    sums: dict[int, BinVolume] = {}
    for volume in volumes:
        known = sums.get(volume.number, BinVolume(volume.number, ZERO, ZERO))
        bought, sold = EXACT.add(known.bought, volume.bought), EXACT.add(known.sold, volume.sold)
        sums[volume.number] = BinVolume(volume.number, bought, sold)
    return list(sums.values())


def _depth(market: MarketSymbol, row: Record) -> Depth:
    return Depth(
        market,
        row["epoch"],
        row["sequence"],
        _levels(row["bids"]),
        _levels(row["asks"]),
        row["venue_time"],
        row["at"],
    )


def _levels(document: bytes) -> tuple[PriceLevel, ...]:
    return tuple(
        PriceLevel(price, quantity)
        for price, quantity in msgspec.json.decode(document, type=list[tuple[Decimal, Decimal]])
    )
