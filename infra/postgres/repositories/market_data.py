"""Markets, candles, trades and depth snapshots in PostgreSQL."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from domain.core.columns import Decimals, Times
from domain.core.pagination import TimeKeysetPage
from domain.model.markets import Candle, CandleColumns, Depth, Market, MarketSymbol, PriceLevel, Timeframe, Trade
from infra.postgres.archive.archived_trades import TradeRow
from infra.postgres.archive.candle_coverage import without_covered
from infra.postgres.partitions import ensure_months, ensure_partitions
from infra.postgres.repositories.candle_base import CandleRepository
from infra.postgres.rows.markets import (
    CANDLE_COLUMNS,
    CANDLE_GAPS,
    INSERT_CANDLES,
    SAVE_DEPTH,
    SAVE_MARKETS,
    SAVE_TRADES,
    SELECT_CANDLES,
    SELECT_MARKETS,
    SELECT_TRADES,
    SIDES,
    UPSERT_CANDLES,
    market_from_row,
    market_params,
)
from infra.postgres.sql import Condition, where

BATCH_ROWS = 10_000
"""Rows per statement: an import of years must not be one message of gigabytes."""


class PostgresMarketData(CandleRepository):
    """See `domain.ports.market_data.MarketDataRepository`.

    Rows are sent as arrays, one a column: one round trip for thousands of rows, and unlike COPY it handles conflicts.
    Decimals are sent as text, which the driver encodes several times as fast as `numeric`.
    """

    async def save_markets(self, markets: Sequence[Market]) -> None:
        by_symbol = {str(market.symbol): market for market in markets}
        if by_symbol:
            rows = [market_params(by_symbol[symbol]) for symbol in sorted(by_symbol)]
            await self._connection.execute(SAVE_MARKETS, *zip(*rows, strict=True))

    async def markets(self) -> list[Market]:
        return [market_from_row(row) for row in await self._connection.fetch(SELECT_MARKETS)]

    async def upsert_candles(self, candles: Sequence[Candle]) -> None:
        """Store closed candles; one that is there already is replaced (a correction by the venue's own).

        Forming ones are left out: a venue's answer ends with one. Of two for the same time the last one counts.
        """
        await self._save_candles(UPSERT_CANDLES, candles)

    async def insert_candles(self, candles: Sequence[Candle]) -> None:
        """Store candles built here; a stored candle stays, since it may be the venue's own or made of more trades."""
        candles = await self._archives.candles.without_archived(self._connection, candles)
        await self._save_candles(INSERT_CANDLES, candles)

    async def candles(self, market: MarketSymbol, timeframe: Timeframe, page: TimeKeysetPage) -> list[Candle]:
        return [
            Candle(market, timeframe, open_time, open_, high, low, close, volume, closed=True)
            for open_time, open_, high, low, close, volume in await self._candle_rows(market, timeframe, page)
        ]

    async def candle_columns(self, market: MarketSymbol, timeframe: Timeframe, page: TimeKeysetPage) -> CandleColumns:
        text, arguments = _page_query(SELECT_CANDLES, _candle_conditions(market, timeframe, page), ("open_time",), page)
        row = await self._connection.fetchrow(f"{CANDLE_COLUMNS} ({text}) page", *arguments)
        assert row is not None
        times, *numbers = ((column or "").split() for column in row)
        columns = CandleColumns(Times(times), *map(Decimals, numbers))
        if page.backwards:
            columns = columns[::-1]
        if await self._may_lack_archived(market, page, columns.open_times):
            return CandleColumns.of(await self._candle_rows(market, timeframe, page))
        return columns

    async def _candle_rows(self, market: MarketSymbol, timeframe: Timeframe, page: TimeKeysetPage) -> list[Any]:
        conditions = _candle_conditions(market, timeframe, page)
        rows = await self._rows(SELECT_CANDLES, conditions, ("open_time",), page)
        if await self._may_lack_archived(market, page, [row[0] for row in rows]):
            archived = await self._archives.candles.page(self._connection, market, timeframe, page)
            rows = _merged(rows, archived, page)
        return rows

    async def candle_gaps(
        self, market: MarketSymbol, timeframe: Timeframe, start: datetime, end: datetime
    ) -> list[tuple[datetime, datetime]]:
        arguments = (str(market), timeframe, start, end, timeframe.duration)
        gaps = [(row["ended"], row["opened"]) for row in await self._connection.fetch(CANDLE_GAPS, *arguments)]
        if not gaps:
            return gaps
        frames = await self._archives.candles.frames(self._connection, market, timeframe, gaps[0][0], gaps[-1][1])
        return without_covered(gaps, frames, timeframe.duration)

    async def save_trades(self, trades: Sequence[Trade]) -> None:
        """Store trades, and add those that are neither stored nor archived to the sums of their minutes."""
        trades = await self._archives.trades.without_archived(self._connection, trades)
        rows = [
            (str(trade.market), trade.at, trade.venue_trade_id, str(trade.price), str(trade.quantity), trade.side)
            for trade in trades
        ]
        await self._save(SAVE_TRADES, rows)

    async def trades(self, market: MarketSymbol, page: TimeKeysetPage) -> list[Trade]:
        conditions: list[Condition | tuple[str, object, object]] = [
            ("market = {}", str(market)),
            ("at >= {}", page.start),
            ("at < {}", page.end),
            *_beyond(">", page.after, page.after_id),
            *_beyond("<", page.before, page.before_id),
        ]
        rows = await self._rows(SELECT_TRADES, conditions, ("at", "length(venue_trade_id)", "venue_trade_id"), page)
        stored = [TradeRow(*row) for row in rows]
        return [
            Trade(market, venue_trade_id, at, price, quantity, SIDES[side])
            for venue_trade_id, at, price, quantity, side in (
                await self._archives.trades.merged_page(self._connection, market, page, stored)
            )
        ]

    async def save_depth(self, depths: Sequence[Depth]) -> None:
        rows = [
            (
                str(depth.market),
                depth.received_at,
                depth.epoch,
                depth.sequence,
                depth.venue_time,
                _levels(depth.bids),
                _levels(depth.asks),
            )
            for depth in depths
        ]
        await self._save(SAVE_DEPTH, rows)

    async def ensure_partitions(self, months_ahead: int) -> list[str]:
        return await ensure_partitions(self._connection, months_ahead)

    async def ensure_candle_partitions(self, start: datetime, end: datetime) -> list[str]:
        return await ensure_months(self._connection, "candles", start, end)

    async def ensure_trade_partitions(self, start: datetime, end: datetime) -> list[str]:
        made = [await ensure_months(self._connection, table, start, end) for table in ("trades", "minute_volumes")]
        return [name for names in made for name in names]

    async def _save_candles(self, text: str, candles: Sequence[Candle]) -> None:
        unique = {(candle.market, candle.timeframe, candle.open_time): candle for candle in candles if candle.closed}
        rows = [_candle_texts(unique[key]) for key in sorted(unique)]
        for begin in range(0, len(rows), BATCH_ROWS):
            columns = zip(*rows[begin : begin + BATCH_ROWS], strict=True)
            await self._connection.execute(text, *("\n".join(column) for column in columns))

    async def _save(self, text: str, rows: Sequence[tuple[object, ...]]) -> None:
        for begin in range(0, len(rows), BATCH_ROWS):
            await self._connection.execute(text, *zip(*rows[begin : begin + BATCH_ROWS], strict=True))

    async def _rows(
        self,
        select: str,
        conditions: Sequence[Condition | tuple[str, object, object]],
        keys: Sequence[str],
        page: TimeKeysetPage,
    ) -> list[Any]:
        text, arguments = _page_query(select, conditions, keys, page)
        rows = await self._connection.fetch(text, *arguments)
        return rows[::-1] if page.backwards else rows

    async def _may_lack_archived(
        self, market: MarketSymbol, page: TimeKeysetPage, open_times: Sequence[datetime]
    ) -> bool:
        """Return whether archived candles may belong into a page of stored ones with these open times."""
        last = await self._archives.candles.last(self._connection, market)
        if last is None:
            return False
        if page.backwards and len(open_times) >= page.limit:
            return last >= open_times[0]
        return all(at is None or last >= at for at in (page.start, page.after))


def _candle_conditions(market: MarketSymbol, timeframe: Timeframe, page: TimeKeysetPage) -> list[Condition]:
    return [
        ("market = {}", str(market)),
        ("timeframe = {}", timeframe),
        ("open_time >= {}", page.start),
        ("open_time < {}", page.end),
        ("open_time > {}", page.after),
        ("open_time < {}", page.before),
    ]


def _page_query(
    select: str, conditions: Sequence[Condition | tuple[str, object, object]], keys: Sequence[str], page: TimeKeysetPage
) -> tuple[str, list[Any]]:
    """Return the statement of a page and its arguments; the last page comes newest first."""
    fits, arguments = where(conditions)
    order = ", ".join(f"{key} DESC" if page.backwards else key for key in keys)
    return f"{select}{fits} ORDER BY {order} LIMIT ${len(arguments) + 1}", [*arguments, page.limit]


def _merged(stored: list[Any], archived: list[Any], page: TimeKeysetPage) -> list[Any]:
    """Return the page of both, by their times; of two for the same time the stored one, which is a correction."""
    if not archived:
        return stored
    both = {row[0]: row for row in (*archived, *stored)}
    times = sorted(both)
    return [both[at] for at in (times[-page.limit :] if page.backwards else times[: page.limit])]


def _candle_texts(candle: Candle) -> tuple[str, ...]:
    """Return a candle as the text parameters of `UPSERT_CANDLES`, in order; none has a line break."""
    return (
        str(candle.market),
        candle.timeframe,
        candle.open_time.isoformat(),
        str(candle.open),
        str(candle.high),
        str(candle.low),
        str(candle.close),
        str(candle.volume),
    )


def _beyond(
    comparison: str, at: datetime | None, venue_trade_id: str | None
) -> list[Condition | tuple[str, object, object]]:
    """Return the conditions for trades on one side of a cursor.

    The time is compared on its own too, since PostgreSQL prunes partitions by that alone.
    """
    if venue_trade_id is None:
        return [(f"at {comparison} {{}}", at)]
    key = f"({{}}, {len(venue_trade_id)}, {{}})"
    return [
        (f"at {comparison}= {{}}", at),
        (f"(at, length(venue_trade_id), venue_trade_id) {comparison} {key}", at, venue_trade_id),
    ]


def _levels(levels: tuple[PriceLevel, ...]) -> bytes:
    """Return levels as compact JSON: a list of pairs of price and quantity."""
    return msgspec.json.encode([(level.price, level.quantity) for level in levels])
