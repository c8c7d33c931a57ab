"""The highest and lowest archived prices within spans of time, however many spans and candles there are."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final, cast

import numpy as np
import numpy.typing as npt
import polars as pl

from domain.model.markets import MarketSymbol, Timeframe
from domain.model.reports import Extremes, Span
from infra.postgres.archive.archived_candles import ArchivedCandles
from infra.postgres.connection import Connection

# Stored candles count in the place of archived ones: they are corrections.
STORED_TIMES: Final = """
SELECT timeframe, array_agg((extract(epoch FROM open_time) * 1000000)::bigint) AS opened FROM candles
WHERE market = $1 AND timeframe = ANY($2::text[]) AND open_time >= $3 AND open_time <= $4 GROUP BY timeframe"""

_Times = npt.NDArray[np.int64]
_Spans = Mapping[int, Span]
_Month = Mapping[Timeframe, pl.DataFrame]
_EPOCH: Final = datetime.fromtimestamp(0, UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


async def archived_extremes(
    connection: Connection, archive: ArchivedCandles, spans: _Spans, timeframes: Sequence[Timeframe]
) -> dict[int, Extremes]:
    """Return the extremes of the archived candles that lie in a span as a whole, for spans that have any."""
    found: dict[int, Extremes] = {}
    for market in dict.fromkeys(span.market for span in spans.values()):
        ours = {place: span for place, span in spans.items() if span.market == market}
        start, end = min(span.start for span in ours.values()), max(span.end for span in ours.values())
        async for month in archive.by_month(connection, market, timeframes, start, end):
            corrected = await _stored_times(connection, market, month)
            found = widest(found, await asyncio.to_thread(_extremes, ours, month, corrected))
    return found


def widest(one: Mapping[int, Extremes], other: Mapping[int, Extremes]) -> dict[int, Extremes]:
    """Return the extremes of both together."""
    together = dict(one)
    for place, more in other.items():
        known = together.get(place, more)
        together[place] = Extremes(max(known.high, more.high), min(known.low, more.low))
    return together


async def _stored_times(connection: Connection, market: MarketSymbol, month: _Month) -> dict[str, _Times]:
    """Return when the stored candles of the timeframes and the time of archived ones open."""
    if not month:
        return {}
    first = min(rows["open_time"][0] for rows in month.values())
    last = max(rows["open_time"][-1] for rows in month.values())
    rows = await connection.fetch(STORED_TIMES, str(market), list(month), first, last)
    return {row["timeframe"]: np.array(row["opened"], dtype=np.int64) for row in rows}


def _extremes(spans: _Spans, month: _Month, corrected: Mapping[str, _Times]) -> dict[int, Extremes]:
    found: dict[int, Extremes] = {}
    starts = [_microseconds(span.start) for span in spans.values()]
    for timeframe, archived in month.items():
        rows = archived
        if (times := corrected.get(timeframe.value)) is not None:
            rows = rows.filter(~np.isin(_opened(rows), times))
        opened = _opened(rows)
        ends = [_microseconds(span.end - timeframe.duration) for span in spans.values()]
        firsts, untils = opened.searchsorted(starts), opened.searchsorted(ends, "right")
        within = {
            place: _extremes_of(rows, first, until)
            for place, first, until in zip(spans, firsts.tolist(), untils.tolist(), strict=True)
            if until > first
        }
        found = widest(found, within)
    return found


def _extremes_of(rows: pl.DataFrame, first: int, until: int) -> Extremes:
    high, low = rows["high"].slice(first, until - first).max(), rows["low"].slice(first, until - first).min()
    return Extremes(cast("Decimal", high), cast("Decimal", low))


def _opened(rows: pl.DataFrame) -> _Times:
    return rows["open_time"].to_physical().to_numpy()


def _microseconds(at: datetime) -> int:
    return (at - _EPOCH) // _MICROSECOND
