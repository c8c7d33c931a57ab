"""Fetches candles of the past that somebody needs, as far as they aren't stored yet."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from domain.errors import Unavailable
from domain.keyset import TimeWindow
from domain.markets.candles import empty_after
from domain.markets.codec import CandlesDemand
from domain.markets.ports import MarketDataSource, VenueUnreachable
from domain.markets.recorder import Recorder
from domain.markets.types import Candle
from domain.storage import Storage

log = logging.getLogger(__name__)

PAGE = 1_000
MAXIMUM_CANDLES = 10_000
SETTLED = timedelta(seconds=2)
"""How long after its end the venue's own candle is surely final."""


class Backfill:
    """Answers demands one after another, each market and timeframe once at a time."""

    def __init__(self, sources: Mapping[str, MarketDataSource], storage: Storage, recorder: Recorder) -> None:
        self._sources = sources
        self._storage = storage
        self._recorder = recorder
        self._demands: dict[tuple[str, str], CandlesDemand] = {}
        self._more = asyncio.Event()

    def want(self, demand: CandlesDemand) -> None:
        """Fetch what is missing, soon; the earlier start of two demands that wait counts."""
        key = (str(demand.market), demand.timeframe.value)
        waiting = self._demands.get(key)
        if waiting is None or demand.start < waiting.start:
            self._demands[key] = demand
        self._more.set()

    async def run(self) -> None:
        """Answer demands until cancelled; one that can't be answered is left for who demands it again."""
        while True:
            while self._demands:
                key = next(iter(self._demands))
                demand = self._demands.pop(key)
                try:
                    await self.fill(demand)
                except (VenueUnreachable, Unavailable) as error:
                    log.warning("candles of %s could not be fetched: %s", demand.market, error)
            self._more.clear()
            await self._more.wait()

    async def fill(self, demand: CandlesDemand) -> None:
        """Store what is missing since the demand's start; raises `VenueUnreachable` and `Unavailable`."""
        source, timeframe = self._sources[demand.market.venue], demand.timeframe
        until = timeframe.open_time(source.venue_now() - SETTLED)
        start = max(timeframe.open_time(demand.start), until - MAXIMUM_CANDLES * timeframe.duration)
        async with self._storage.reading() as reading:
            window = TimeWindow(limit=MAXIMUM_CANDLES, start=start, end=until)
            stored = await reading.market_data.candles(demand.market, timeframe, window)
        for first, end in gaps(stored, start, until, timeframe.duration):
            await self._fetch(source, demand, first, end)

    async def _fetch(self, source: MarketDataSource, demand: CandlesDemand, start: datetime, end: datetime) -> None:
        """Fetch and store the candles that open from `start` to before `end`."""
        last: Candle | None = None
        while start < end:
            page = await source.fetch_candles(demand.market, demand.timeframe, start, PAGE)
            closed = [candle for candle in page if start <= candle.open_time < end]
            if not closed:
                return
            await self._recorder.backfill(without_gaps(last, closed))
            last, start = closed[-1], closed[-1].close_time


def gaps(
    stored: Sequence[Candle], start: datetime, end: datetime, duration: timedelta
) -> list[tuple[datetime, datetime]]:
    """Return the stretches of `start` to `end` that no stored candle covers, as (first open time, end)."""
    found, at = [], start
    for candle in stored:
        if candle.open_time > at:
            found.append((at, candle.open_time))
        at = max(at, candle.open_time + duration)
    return [*found, (at, end)] if at < end else found


def without_gaps(before: Candle | None, candles: Sequence[Candle]) -> list[Candle]:
    """Return closed candles with those put between that a venue leaves out because nothing was traded then."""
    filled: list[Candle] = []
    last = before
    for candle in candles:
        while last is not None and last.close_time < candle.open_time:
            last = _closed(empty_after(last))
            filled.append(last)
        last = _closed(candle)
        filled.append(last)
    return filled


def _closed(candle: Candle) -> Candle:
    return replace(candle, closed=True)
