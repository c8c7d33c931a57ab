"""Backfills candles for `r3edge backfill`, with or without a running engine."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from io import StringIO

from domain.core.errors import Unavailable
from domain.core.pagination import TimeKeysetPage
from domain.market_data.backfill import SETTLED
from domain.market_data.history_download import (
    BEFORE_ALL_MARKETS,
    PAGE,
    Batch,
    Gap,
    HistoryDownloader,
    retry_waits,
    split_into_pages,
)
from domain.model.markets import Candle, MarketSymbol, Timeframe
from infra.cli.arguments import BadArgument, unknown_name
from infra.cli.progress import ProgressReporter, rate
from infra.postgres.archive.archives import Archives
from infra.postgres.bulk_candles import BulkCandleWriter, OnConflict, acquired_connection
from infra.postgres.connection import Connection
from infra.postgres.pool import Pool
from infra.postgres.repositories.market_data import PostgresMarketData
from infra.runtime.command_resources import CommandResources, open_command_resources
from infra.settings import Settings
from infra.venues.ccxt.longer_candles import missing_timeframe_error, source_timeframe
from infra.venues.registry import Venues

PURPOSE = "r3edge backfill"


@dataclass(frozen=True, slots=True)
class BackfillRequest:
    """The candles to fetch: those that open from `start` to before `end` (None: now)."""

    venue: str
    market: str
    timeframes: tuple[Timeframe, ...]
    start: datetime
    end: datetime | None


@dataclass
class BackfillCount:
    """How many candles a run has stored so far, and when it started (monotonic seconds)."""

    candles: int = 0
    started: float = 0.0


async def backfill_candles(settings: Settings, request: BackfillRequest, progress: ProgressReporter) -> None:
    """Store the missing candles; raises `BadArgument`, `VenueUnreachable`, and `Unavailable` after retries."""
    if request.end is not None and request.end <= request.start:
        raise BadArgument(f"--to ({request.end:%Y-%m-%d %H:%M}) must be after --from ({request.start:%Y-%m-%d %H:%M})")
    if request.start >= datetime.now(UTC):
        raise BadArgument(f"--from ({request.start:%Y-%m-%d %H:%M}) is in the future; candles have closed before now")
    count = BackfillCount(started=time.monotonic())
    try:
        await _retry_through_outages(settings, request, progress, count)
    except asyncio.CancelledError:
        progress.print_line(f"stopped; {_summary(count)} The same command goes on from here.")
        raise
    progress.print_line(f"{request.venue}:{request.market}: {_summary(count)}")


async def _retry_through_outages(
    settings: Settings, request: BackfillRequest, progress: ProgressReporter, count: BackfillCount
) -> None:
    """Start again when the database goes away, as it does when an engine stops; nothing is fetched twice."""
    waits, before = retry_waits(), -1
    while True:
        try:
            async with open_command_resources(settings, PURPOSE) as resources:
                return await _backfill(resources, request, progress, count)
        except Unavailable as error:
            waits, before = (waits, before) if count.candles == before else (retry_waits(), count.candles)
            wait = next(waits, None)
            if wait is None:
                raise
            progress.print_line(f"{error.message} Tried again in {wait:.0f} s.")
            await asyncio.sleep(wait)


async def _backfill(
    resources: CommandResources, request: BackfillRequest, progress: ProgressReporter, count: BackfillCount
) -> None:
    venues = await resources.venues(request.venue)
    if venues.get(request.venue) is None:
        raise BadArgument(
            f"{unknown_name('venue', request.venue, venues.names())} (R3EDGE_VENUES names those beside it)"
        )
    market = await _market(venues, request)
    pool = await resources.pool()
    archives = await resources.archives(pool)
    source = venues.public(request.venue)
    async with acquired_connection(pool) as driver:
        await PostgresMarketData(Connection(driver)).save_markets(await source.load_markets())
    for timeframe in request.timeframes:
        _check_timeframe(venues, request.venue, timeframe)
        history = HistoryDownloader(source, market, timeframe, progress.print_line)
        now = source.venue_now() - SETTLED
        start = max(request.start, BEFORE_ALL_MARKETS)
        await _TimeframeBackfill(pool, archives, history, progress, count).run(
            start, max(start, min(request.end or now, now))
        )


async def _market(venues: Venues, request: BackfillRequest) -> MarketSymbol:
    name = request.market.removeprefix(f"{request.venue}:")
    markets = [market.symbol.symbol for market in await venues.public(request.venue).load_markets()]
    if name not in markets:
        raise unknown_name(f"market on {request.venue} called", name, markets)
    return MarketSymbol(request.venue, name)


def _check_timeframe(venues: Venues, venue: str, timeframe: Timeframe) -> None:
    known = venues.connection(venue).public.timeframes or {}
    if source_timeframe(timeframe, known) is None:
        raise BadArgument(str(missing_timeframe_error(venue, timeframe, known)))


class _TimeframeBackfill:
    """Backfills one timeframe."""

    def __init__(
        self,
        pool: Pool,
        archives: Archives,
        history: HistoryDownloader,
        progress: ProgressReporter,
        count: BackfillCount,
    ) -> None:
        self._pool = pool
        self._archives = archives
        self._history = history
        self._progress = progress
        self._count = count

    async def run(self, start: datetime, end: datetime) -> None:
        step, before = self._history.timeframe.duration, self._count.candles
        ranges, gaps = await self._gaps(*_grid(self._history.timeframe, start, end))
        missing = sum((until - first) // step for first, until in ranges)
        name = f"{self._history.market} {self._history.timeframe.venue_name}"
        if not missing:
            self._progress.print_line(f"{name}: nothing is missing")
            return
        self._progress.start(name, sum((gap.end - gap.start) // step for gap in gaps))
        for gap in gaps:
            await self._fill_gap(gap)
        self._print_result(name, missing, self._count.candles - before)

    async def _gaps(self, start: datetime, end: datetime) -> tuple[list[tuple[datetime, datetime]], list[Gap]]:
        """Return the ranges without candles, and the gaps to ask the venue for."""
        step = self._history.timeframe.duration
        async with acquired_connection(self._pool) as driver:
            stored = PostgresMarketData(Connection(driver), self._archives)
            ranges = await stored.candle_gaps(self._history.market, self._history.timeframe, start, end)
            return ranges, [
                Gap(first, until, await self._stored_candle(stored, first - step), until < end)
                for first, until in split_into_pages(ranges, PAGE * step)
            ]

    async def _stored_candle(self, stored: PostgresMarketData, opened: datetime) -> Candle | None:
        page = TimeKeysetPage(limit=1, start=opened, end=opened + self._history.timeframe.duration)
        return next(iter(await stored.candles(self._history.market, self._history.timeframe, page)), None)

    async def _fill_gap(self, gap: Gap) -> None:
        at = gap.start
        async for batch in self._history.fetch(gap):
            if batch.candles:
                self._count.candles += await self._store(batch)
            self._progress.advance((batch.until - at) // self._history.timeframe.duration)
            at = batch.until

    async def _store(self, batch: Batch) -> int:
        """Store candles; return how many of them were new."""
        first, last = batch.candles[0].open_time, batch.candles[-1].open_time
        async with acquired_connection(self._pool) as driver:
            writer = BulkCandleWriter(driver, self._history.market, self._history.timeframe, self._archives.candles)
            await writer.ensure_months(first, last)
            async with writer.transaction():
                # A candle that a collector has stored meanwhile is newer than this answer.
                written = await writer.write(copy_lines(batch.candles), first, last, OnConflict.KEEP)
        return written.new

    def _print_result(self, name: str, missing: int, stored: int) -> None:
        for start, end in self._history.withheld:
            self._progress.print_line(
                f"{name}: the venue gives none from {start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC"
            )
        text = f"{name}: {stored:,} of {missing:,} missing candles stored"
        self._progress.print_line(text if stored == missing else f"{text}; the venue has no others")


def copy_lines(candles: Sequence[Candle]) -> bytes:
    """Return candles as COPY's text, in the order of `infra.postgres.bulk_candles.COLUMNS`."""
    lines = StringIO()
    for candle in candles:
        market = str(candle.market).replace("\\", "\\\\")
        prices = f"{candle.open:f}\t{candle.high:f}\t{candle.low:f}\t{candle.close:f}\t{candle.volume:f}"
        lines.write(f"{market}\t{candle.timeframe.value}\t{candle.open_time.isoformat()}\t{prices}\n")
    return lines.getvalue().encode()


def _grid(timeframe: Timeframe, start: datetime, end: datetime) -> tuple[datetime, datetime]:
    """Return when the first candle opens that isn't before `start`, and the end of the last that closes by `end`."""
    first = timeframe.open_time(start)
    return first if first == start else first + timeframe.duration, timeframe.open_time(end)


def _summary(count: BackfillCount) -> str:
    return f"{count.candles:,} candles stored, {rate(count.candles, time.monotonic() - count.started)}."
