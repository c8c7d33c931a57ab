"""`r3edge backfill`: stores what a venue still knows of a market's past, beside a running engine or alone."""

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
from infra.candle_files.arguments import BadArgument, unknown
from infra.cli.progress import Telling, rate
from infra.postgres.bulk_candles import BulkCandleWriter, OnConflict, connected
from infra.postgres.connection import Connection
from infra.postgres.pool import Pool
from infra.postgres.repositories.market_data import PostgresMarketData
from infra.runtime.command_resources import CommandResources, open_command_resources
from infra.settings import Settings
from infra.venues.ccxt.longer_candles import lacks, parts_of
from infra.venues.registry import Venues

PURPOSE = "r3edge backfill"


@dataclass(frozen=True, slots=True)
class BackfillRequest:
    """What is wanted: candles that open from `start` to before `end` (None: now)."""

    venue: str
    market: str
    timeframes: tuple[Timeframe, ...]
    start: datetime
    end: datetime | None


@dataclass
class Done:
    """What a run has stored so far."""

    candles: int = 0
    began: float = 0.0


async def backfill(settings: Settings, request: BackfillRequest, told: Telling) -> None:
    """Store what is missing; raises `BadArgument`, `VenueUnreachable` and, when it doesn't come back, `Unavailable`."""
    if request.end is not None and request.end <= request.start:
        raise BadArgument(f"--to ({request.end:%Y-%m-%d %H:%M}) must be after --from ({request.start:%Y-%m-%d %H:%M})")
    if request.start >= datetime.now(UTC):
        raise BadArgument(f"--from ({request.start:%Y-%m-%d %H:%M}) is in the future; candles have closed before now")
    done = Done(began=time.monotonic())
    try:
        await _through_outages(settings, request, told, done)
    except asyncio.CancelledError:
        told.line(f"stopped; {_summary(done)} The same command goes on from here.")
        raise
    told.line(f"{request.venue}:{request.market}: {_summary(done)}")


async def _through_outages(settings: Settings, request: BackfillRequest, told: Telling, done: Done) -> None:
    """Begin anew where the database goes away: with the engine, say, beside which this runs. Nothing is asked twice."""
    waits, before = retry_waits(), -1
    while True:
        try:
            async with open_command_resources(settings, PURPOSE) as beside:
                return await _fill(beside, request, told, done)
        except Unavailable as error:
            waits, before = (waits, before) if done.candles == before else (retry_waits(), done.candles)
            wait = next(waits, None)
            if wait is None:
                raise
            told.line(f"{error.message} Tried again in {wait:.0f} s.")
            await asyncio.sleep(wait)


async def _fill(beside: CommandResources, request: BackfillRequest, told: Telling, done: Done) -> None:
    venues = await beside.venues(request.venue)
    if venues.get(request.venue) is None:
        raise BadArgument(f"{unknown('venue', request.venue, venues.names())} (R3EDGE_VENUES names those beside it)")
    market = await _market(venues, request)
    pool = await beside.pool()
    source = venues.public(request.venue)
    async with connected(pool) as driver:
        await PostgresMarketData(Connection(driver)).save_markets(await source.load_markets())
    for timeframe in request.timeframes:
        _check_timeframe(venues, request.venue, timeframe)
        history = HistoryDownloader(source, market, timeframe, told.line)
        now = source.venue_now() - SETTLED
        start = max(request.start, BEFORE_ALL_MARKETS)
        await _Filling(pool, history, told, done).run(start, max(start, min(request.end or now, now)))


async def _market(venues: Venues, request: BackfillRequest) -> MarketSymbol:
    name = request.market.removeprefix(f"{request.venue}:")
    markets = [market.symbol.symbol for market in await venues.public(request.venue).load_markets()]
    if name not in markets:
        raise unknown(f"market on {request.venue} called", name, markets)
    return MarketSymbol(request.venue, name)


def _check_timeframe(venues: Venues, venue: str, timeframe: Timeframe) -> None:
    known = venues.connection(venue).public.timeframes or {}
    if parts_of(timeframe, known) is None:
        raise BadArgument(str(lacks(venue, timeframe, known)))


class _Filling:
    """One timeframe of one run."""

    def __init__(self, pool: Pool, history: HistoryDownloader, told: Telling, done: Done) -> None:
        self._pool = pool
        self._history = history
        self._told = told
        self._done = done

    async def run(self, start: datetime, end: datetime) -> None:
        step, before = self._history.timeframe.duration, self._done.candles
        stretches, holes = await self._holes(*_grid(self._history.timeframe, start, end))
        missing = sum((until - first) // step for first, until in stretches)
        name = f"{self._history.market} {self._history.timeframe.venue_name}"
        if not missing:
            self._told.line(f"{name}: nothing is missing")
            return
        self._told.begin(name, sum((hole.end - hole.start) // step for hole in holes))
        for hole in holes:
            await self._fill(hole)
        self._tell_end(name, missing, self._done.candles - before)

    async def _holes(self, start: datetime, end: datetime) -> tuple[list[tuple[datetime, datetime]], list[Gap]]:
        """Return the stretches without candles, and what is asked of the venue for them."""
        step = self._history.timeframe.duration
        async with connected(self._pool) as driver:
            stored = PostgresMarketData(Connection(driver))
            stretches = await stored.candle_gaps(self._history.market, self._history.timeframe, start, end)
            return stretches, [
                Gap(first, until, await self._at(stored, first - step), until < end)
                for first, until in split_into_pages(stretches, PAGE * step)
            ]

    async def _at(self, stored: PostgresMarketData, opened: datetime) -> Candle | None:
        window = TimeKeysetPage(limit=1, start=opened, end=opened + self._history.timeframe.duration)
        return next(iter(await stored.candles(self._history.market, self._history.timeframe, window)), None)

    async def _fill(self, hole: Gap) -> None:
        at = hole.start
        async for part in self._history.fetch(hole):
            if part.candles:
                self._done.candles += await self._store(part)
            self._told.advance((part.until - at) // self._history.timeframe.duration)
            at = part.until

    async def _store(self, part: Batch) -> int:
        """Store candles; return how many of them were new."""
        first, last = part.candles[0].open_time, part.candles[-1].open_time
        async with connected(self._pool) as driver:
            copy = BulkCandleWriter(driver, self._history.market, self._history.timeframe)
            await copy.ensure_months(first, last)
            async with copy.transaction():
                # What a collector stored meanwhile is newer knowledge than the answer on its way.
                written = await copy.write(copy_lines(part.candles), first, last, OnConflict.KEEP)
        return written.new

    def _tell_end(self, name: str, missing: int, stored: int) -> None:
        for start, end in self._history.withheld:
            self._told.line(f"{name}: the venue gives none from {start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC")
        told = f"{name}: {stored:,} of {missing:,} missing candles stored"
        self._told.line(told if stored == missing else f"{told}; the venue has no others")


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


def _summary(done: Done) -> str:
    return f"{done.candles:,} candles stored, {rate(done.candles, time.monotonic() - done.began)}."
