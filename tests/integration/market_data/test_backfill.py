"""Gaps between stored candles, filled with what the venue knows and never with what it doesn't."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest

from domain.core.pagination import TimeKeysetPage
from domain.market_data.backfill import HORIZON_CANDLES, Backfill
from domain.market_data.codec import CandlesDemand
from domain.market_data.writer import MarketDataWriter
from domain.model.markets import Candle, MarketSymbol, Timeframe
from domain.ports.market_data import MarketDataSource
from infra.clock import SystemClock
from infra.postgres.database import PostgresDatabase
from infra.venues.config import VenueSettings
from infra.venues.registry import Venues
from tests.support.sandbox import SandboxProcess
from tests.support.venues import BTC
from tests.support.waiting import eventually

M1, MINUTE = Timeframe.M1, Timeframe.M1.duration


class Withholding:
    """A venue's data as it is, but for minutes that it doesn't list; records the starts of requests."""

    def __init__(self, source: MarketDataSource) -> None:
        self._source = source
        self.venue = source.venue
        self.venue_now = source.venue_now
        self.without: set[datetime] = set()
        self.listed: datetime | None = None
        self.longer = True
        self.requests: list[datetime] = []

    async def fetch_candles(
        self, market: MarketSymbol, timeframe: Timeframe, start: datetime | None, limit: int
    ) -> list[Candle]:
        self.requests += [start] if start is not None else []
        if timeframe is not M1 and not self.longer:
            return []
        candles = await self._source.fetch_candles(market, timeframe, start, limit)
        return [candle for candle in candles if self._lists(candle)]

    def _lists(self, candle: Candle) -> bool:
        hidden = candle.timeframe is M1 and candle.open_time in self.without
        return not hidden and (self.listed is None or candle.open_time >= self.listed)


@pytest.fixture
async def source(sandbox: SandboxProcess) -> AsyncIterator[Withholding]:
    venues = Venues([VenueSettings("sandbox", "binance", sandbox.url, live=False)], SystemClock())
    source = Withholding(venues.public("sandbox"))
    await source.fetch_candles(BTC, M1, None, 1)
    yield source
    await venues.close()


@pytest.fixture
def writer(database: PostgresDatabase) -> MarketDataWriter:
    return MarketDataWriter(database)


@pytest.fixture
async def backfill(source: Withholding, database: PostgresDatabase, writer: MarketDataWriter) -> Backfill:
    return Backfill({"sandbox": source}, database, writer, SystemClock())


async def stored(database: PostgresDatabase, timeframe: Timeframe = M1) -> list[Candle]:
    async with database.read_only() as reading:
        return await reading.market_data.candles(BTC, timeframe, TimeKeysetPage(limit=2 * HORIZON_CANDLES))


@asynccontextmanager
async def looking(backfill: Backfill) -> AsyncIterator[None]:
    """Run the back-fill inside the block, after a scan was requested."""
    task = asyncio.create_task(backfill.run())
    backfill.scan(BTC)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def filled(database: PostgresDatabase, backfill: Backfill) -> list[Candle]:
    """Return the stored minutes once the gaps have been searched for."""
    async with looking(backfill):
        await eventually(lambda: not backfill.waiting, "the gaps have been searched for", 90)
    return await stored(database)


async def some(source: Withholding, ago: timedelta, count: int) -> list[Candle]:
    """Return the venue's own minutes of a while ago."""
    return await source.fetch_candles(BTC, M1, M1.open_time(source.venue_now() - ago), count)


async def test_after_days_all_that_was_missed_is_there_as_the_venue_reports_it(
    source: Withholding, database: PostgresDatabase, writer: MarketDataWriter, backfill: Backfill
) -> None:
    old = await some(source, timedelta(days=3), 2)
    await writer.correct(old)
    candles = await filled(database, backfill)
    assert all(a.close_time == b.open_time for a, b in pairwise(candles))
    assert candles[0] == old[0]
    assert source.venue_now() - candles[-1].close_time < 2 * MINUTE
    assert candles[2000:3000] == await source.fetch_candles(BTC, M1, candles[2000].open_time, 1_000)
    assert writer.backfilled_candles == len(candles) - 2
    assert await stored(database, Timeframe.H1) == []  # nobody ever had them


async def test_minutes_that_the_venue_does_not_have_become_candles_without_volume_and_are_asked_for_once(
    source: Withholding, database: PostgresDatabase, writer: MarketDataWriter, backfill: Backfill
) -> None:
    own = await some(source, timedelta(minutes=40), 30)
    own = [replace(each, volume=Decimal(0)) if 10 <= index < 20 else each for index, each in enumerate(own)]
    source.without = {candle.open_time for candle in own[10:20]}
    source.longer = False
    await writer.correct([*own[:5], *own[25:]])
    candles = await filled(database, backfill)
    assert candles[:10] == own[:10]
    assert [(candle.close, candle.high, candle.volume) for candle in candles[10:20]] == [
        (own[9].close, own[9].close, 0)
    ] * 10
    assert candles[20:30] == own[20:30]
    source.requests.clear()
    assert (await filled(database, backfill))[:30] == candles[:30]
    assert all(start >= own[-1].close_time for start in source.requests)  # minutes may have ended meanwhile


async def test_what_was_traded_here_is_not_overwritten_by_what_the_venue_leaves_out(
    source: Withholding, database: PostgresDatabase, writer: MarketDataWriter, backfill: Backfill
) -> None:
    own = await some(source, timedelta(minutes=40), 30)
    built = replace(own[15], volume=Decimal(7))
    source.without = {built.open_time}
    await writer.correct([*own[:10], built, *own[20:]])
    candles = await filled(database, backfill)
    assert candles[15] == built
    assert candles[:15] + candles[16:30] == own[:15] + own[16:]


async def test_nothing_is_made_up_before_the_markets_first_candle(
    source: Withholding, database: PostgresDatabase, backfill: Backfill
) -> None:
    now = source.venue_now()
    own = await some(source, timedelta(minutes=40), 40)
    source.listed = own[20].open_time
    await backfill.run_once(CandlesDemand(BTC, M1, now - timedelta(minutes=40)))
    assert (await stored(database))[:19] == own[20:39]


async def test_a_forming_candle_is_not_stored(
    source: Withholding, database: PostgresDatabase, backfill: Backfill
) -> None:
    for timeframe in Timeframe:
        await backfill.run_once(CandlesDemand(BTC, timeframe, source.venue_now() - 3 * timeframe.duration))
        candles = await stored(database, timeframe)
        assert len(candles) >= 2
        assert candles[-1].close_time <= source.venue_now() < candles[-1].close_time + 2 * timeframe.duration
