"""Historical prices from stored candles of whichever timeframes are stored."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np

from domain.model.markets import MarketSymbol, Timeframe
from domain.model.price_ranges import PriceRanges
from domain.model.prices import Mark
from domain.model.reports import Extremes, Span
from infra.postgres.archive.archived_candles import LastClose, later
from infra.postgres.archive.archived_extremes import archived_extremes, widest
from infra.postgres.archive.archived_rows import ArchivedRows
from infra.postgres.repositories.candle_base import CandleRepository
from infra.postgres.rows.columns import market_symbol

_SHORTEST = Timeframe.M1
_LONGEST = max(timeframe.duration for timeframe in Timeframe)
_DURATIONS = [timeframe.duration for timeframe in Timeframe]

PRICED = """
SELECT market FROM unnest($1::text[]) AS asked (market) WHERE EXISTS (
    SELECT FROM candles WHERE candles.market = asked.market AND timeframe = ANY($2::text[]) AND open_time < $3
)"""
# Of two candles that close at the same time, the one of the shorter timeframe.
CLOSES = """
SELECT DISTINCT ON (closed) open_time + length AS closed, close
FROM unnest($2::text[], $3::interval[]) AS lengths (timeframe, length)
JOIN candles USING (timeframe)
WHERE market = $1 AND open_time > $4::timestamptz - length AND open_time <= $5::timestamptz - length
    AND open_time > $6 AND open_time < $5
ORDER BY closed, length"""
LAST_CLOSES = """
SELECT asked.market, asked.moment, found.closed, found.close, found.length
FROM unnest($1::text[], $2::timestamptz[], $3::interval[]) AS asked (market, moment, reach)
CROSS JOIN LATERAL (
    SELECT last.open_time + length AS closed, last.close, length
    FROM unnest($4::text[], $5::interval[]) AS lengths (timeframe, length)
    CROSS JOIN LATERAL (
        SELECT open_time, close FROM candles
        WHERE candles.market = asked.market AND candles.timeframe = lengths.timeframe
            AND open_time <= asked.moment - length AND open_time > asked.moment - length - asked.reach
        ORDER BY open_time DESC LIMIT 1
    ) AS last
    ORDER BY closed DESC, length LIMIT 1
) AS found"""
EXTREMES = """
SELECT place, max(high) AS high, min(low) AS low
FROM unnest($1::int[], $2::text[], $3::timestamptz[], $4::timestamptz[]) AS span (place, market, starts, ends)
CROSS JOIN unnest($5::text[], $6::interval[]) AS lengths (timeframe, length)
CROSS JOIN LATERAL (
    SELECT high, low FROM candles
    WHERE candles.market = span.market AND candles.timeframe = lengths.timeframe
        AND open_time >= starts AND open_time <= ends - length
) AS within
GROUP BY place"""


RANGES = """
SELECT extract(epoch FROM open_time)::float8, high::float8, low::float8 FROM candles
WHERE market = $1 AND timeframe = $2 AND open_time >= $3 AND open_time < $4 ORDER BY open_time"""


class PostgresPrices(CandleRepository):
    """Implements `domain.ports.reports.PriceRepository`."""

    async def priced_markets(self, markets: Sequence[MarketSymbol], before: datetime) -> set[MarketSymbol]:
        names = [str(market) for market in markets]
        rows = await self._connection.fetch(PRICED, names, list(Timeframe), before)
        return {market_symbol(row["market"]) for row in rows} | await self._archived_markets(markets, before)

    async def closes(
        self, market: MarketSymbol, timeframes: Sequence[Timeframe], start: datetime, end: datetime
    ) -> list[Mark]:
        lengths = [timeframe.duration for timeframe in timeframes]
        earliest = start - max(lengths, default=timedelta())
        archived = await self._archived(market, timeframes, earliest, end)
        given = (str(market), list(timeframes), lengths, start, end, earliest)
        text, arguments = archived.merged(CLOSES, given)
        rows = await self._connection.fetch(text, *arguments)
        return [Mark(closed, market, close) for closed, close in rows]

    async def last_closes(
        self, moments: Sequence[tuple[MarketSymbol, datetime]], max_age: timedelta | None = None
    ) -> list[Mark]:
        oldest = timedelta(days=36_500) if max_age is None else max_age
        markets, times = [str(market) for market, _ in moments], [at for _, at in moments]
        arguments = (markets, times, [oldest] * len(moments), list(Timeframe), _DURATIONS)
        rows = await self._connection.fetch(LAST_CLOSES, *arguments)
        found = {
            (market_symbol(market), moment): LastClose(closed, length, close)
            for market, moment, closed, close, length in rows
        }
        for market, moment in await self._perhaps_archived(moments, found):
            await asyncio.sleep(0)  # others get their turn, though all files may be in memory
            archived = await self._archives.candles.last_close(self._connection, market, moment, oldest)
            # Of equal ones the stored one counts: it is a correction.
            if (last := later(found.get((market, moment)), archived)) is not None:
                found[market, moment] = last
        return [Mark(last.closed, market, last.price) for (market, _), last in found.items()]

    async def ranges(self, market: MarketSymbol, timeframe: Timeframe, start: datetime, end: datetime) -> PriceRanges:
        archived = await self._archived(market, [timeframe], start, end)
        text, arguments = archived.merged(RANGES, (str(market), timeframe, start, end))
        rows = await self._connection.fetch(text, *arguments)
        opened, high, low = np.array(rows, dtype=np.float64).T if rows else np.zeros((3, 0))
        return PriceRanges(opened, opened + timeframe.duration.total_seconds(), high, low)

    async def extremes(self, spans: Sequence[Span]) -> dict[int, Extremes]:
        found = await self._extremes_within(dict(enumerate(spans)), list(Timeframe))
        short = {index: _to_whole_minutes(span) for index, span in enumerate(spans) if index not in found}
        return found | await self._extremes_within(short, [_SHORTEST])

    async def _extremes_within(self, spans: Mapping[int, Span], timeframes: Sequence[Timeframe]) -> dict[int, Extremes]:
        given = (
            list(spans),
            [str(span.market) for span in spans.values()],
            [span.start for span in spans.values()],
            [span.end for span in spans.values()],
            list(timeframes),
            [timeframe.duration for timeframe in timeframes],
        )
        rows = await self._connection.fetch(EXTREMES, *given)
        stored = {row["place"]: Extremes(row["high"], row["low"]) for row in rows}
        return widest(stored, await archived_extremes(self._connection, self._archives.candles, spans, timeframes))

    async def _archived(
        self, market: MarketSymbol, timeframes: Sequence[Timeframe], start: datetime, end: datetime
    ) -> ArchivedRows:
        return await self._archives.candles.rows(self._connection, market, timeframes, start, end)

    async def _archived_markets(self, markets: Sequence[MarketSymbol], before: datetime) -> set[MarketSymbol]:
        """Return the markets with archived candles that open before a time."""
        firsts = {market: await self._archives.candles.first(self._connection, market) for market in markets}
        return {market for market, first in firsts.items() if first is not None and first < before}

    async def _perhaps_archived(
        self, moments: Sequence[tuple[MarketSymbol, datetime]], found: Mapping[tuple[MarketSymbol, datetime], LastClose]
    ) -> list[tuple[MarketSymbol, datetime]]:
        """Return the moments for which no stored candle was found that is later than all archived ones.

        They are in the order of time, so that each file is read once.
        """
        perhaps = []
        for market, moment in sorted(set(moments)):
            last, stored = await self._archives.candles.last(self._connection, market), found.get((market, moment))
            if last is not None and (stored is None or stored.closed <= last + _LONGEST):
                perhaps.append((market, moment))
        return perhaps


def _to_whole_minutes(span: Span) -> Span:
    """Return the span with the whole of the minutes in which it begins and ends."""
    return replace(span, start=_SHORTEST.open_time(span.start), end=_SHORTEST.open_time(span.end) + _SHORTEST.duration)
