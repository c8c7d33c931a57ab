"""Fetches past candles that a reader requests or that a feed missed, unless they are stored already."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from datetime import datetime, timedelta

from domain.core.background import TaskGroup
from domain.core.clock import Clock
from domain.core.errors import Unavailable
from domain.core.pagination import TimeKeysetPage
from domain.market_data.codec import CandlesDemand
from domain.market_data.history_download import BEFORE_ALL_MARKETS, PAGE, Gap, HistoryDownloader, split_into_pages
from domain.market_data.writer import MarketDataWriter
from domain.model.markets import Candle, MarketSymbol, Timeframe
from domain.ports.market_data import MarketDataSource, VenueUnreachable
from domain.ports.unit_of_work import Database

log = logging.getLogger(__name__)

MAXIMUM_CANDLES = 10_000
"""How many candles back a demand reaches at most."""

HORIZON_CANDLES = 44_640
"""How many candles back gaps are searched for: 31 days of minutes, and as many of the longer ones."""

REQUEST_AGAIN_SECONDS = 3_000.0
"""How soon a gap that the venue didn't fill is requested again: the venue may be late."""

SETTLED = timedelta(seconds=2)
"""How long after its end the venue's own candle is certainly final."""


def demand_horizon(timeframe: Timeframe, until: datetime) -> datetime:
    """Return when the oldest candle opens that is fetched on demand, if the newest closes at `until`."""
    return max(until - MAXIMUM_CANDLES * timeframe.duration, timeframe.open_time(BEFORE_ALL_MARKETS))


class Backfill:
    """Fills gaps, for each venue on its own: demands one after another, then the gaps that scans find."""

    def __init__(
        self, sources: Mapping[str, MarketDataSource], database: Database, writer: MarketDataWriter, clock: Clock
    ) -> None:
        self._queues = {name: _Queue(source, database, writer, clock) for name, source in sources.items()}

    def request(self, demand: CandlesDemand) -> None:
        """Queue a demand; of two for the same candles the earlier start counts."""
        self._queues[demand.market.venue].request(demand)

    def scan(self, market: MarketSymbol) -> None:
        """Queue a search for gaps between the stored candles of a market, in every timeframe, and fill them."""
        self._queues[market.venue].scan(market)

    @property
    def waiting(self) -> int:
        """The number of demands and scans that are queued or under way."""
        return sum(queue.waiting for queue in self._queues.values())

    async def run(self) -> None:
        """Work until cancelled; what can't be fetched is logged, and left to the next demand or scan."""
        async with TaskGroup() as group:
            for queue in self._queues.values():
                group.create_task(queue.run())

    async def run_once(self, demand: CandlesDemand) -> None:
        """Fill the gaps since the demand's start; raises `VenueUnreachable` and `Unavailable`."""
        await self._queues[demand.market.venue].run_once(demand)


class _Queue:
    """The demands and scans of one venue."""

    def __init__(self, source: MarketDataSource, database: Database, writer: MarketDataWriter, clock: Clock) -> None:
        self._source = source
        self._database = database
        self._writer = writer
        self._clock = clock
        self._demands: dict[tuple[MarketSymbol, Timeframe], CandlesDemand] = {}
        self._scans: dict[tuple[MarketSymbol, Timeframe], None] = {}
        self._requested_at: dict[tuple[MarketSymbol, Timeframe, datetime, datetime], float] = {}
        self._busy = 0
        self._more = asyncio.Event()

    @property
    def waiting(self) -> int:
        return len(self._demands) + len(self._scans) + self._busy

    def request(self, demand: CandlesDemand) -> None:
        key = (demand.market, demand.timeframe)
        waiting = self._demands.get(key)
        if waiting is None or demand.start < waiting.start:
            self._demands[key] = demand
        self._more.set()

    def scan(self, market: MarketSymbol) -> None:
        self._scans |= dict.fromkeys((market, timeframe) for timeframe in Timeframe)
        self._more.set()

    async def run(self) -> None:
        while True:
            self._more.clear()
            while self._demands or self._scans:
                await self._next()
            await self._more.wait()

    async def _next(self) -> None:
        self._busy += 1
        try:
            await (self._run_demand() if self._demands else self._run_scan(*self._scans.popitem()[0]))
        except (VenueUnreachable, Unavailable) as error:
            log.warning("candles of %s could not be fetched: %s", self._source.venue, error)
        except Exception:
            log.exception("candles of %s could not be fetched", self._source.venue)
        finally:
            self._busy -= 1

    async def _run_demand(self) -> None:
        key = next(iter(self._demands))
        await self.run_once(self._demands.pop(key))

    async def run_once(self, demand: CandlesDemand) -> None:
        market, timeframe = demand.market, demand.timeframe
        until = timeframe.open_time(self._source.venue_now() - SETTLED)
        start = max(timeframe.open_time(demand.start), demand_horizon(timeframe, until))
        async for _ in self._fill_gaps(market, timeframe, start, until):
            pass

    async def _run_scan(self, market: MarketSymbol, timeframe: Timeframe) -> None:
        """Fill the gaps after the oldest stored candle within the horizon."""
        until = timeframe.open_time(self._source.venue_now() - SETTLED)
        start = max(until - HORIZON_CANDLES * timeframe.duration, timeframe.open_time(BEFORE_ALL_MARKETS))
        async with self._database.read_only() as reading:
            stored = await reading.market_data.candles(market, timeframe, TimeKeysetPage(limit=1, start=start))
        if stored:
            async with aclosing(self._fill_gaps(market, timeframe, stored[0].open_time, until)) as batches:
                async for _ in batches:
                    while self._demands:  # a reader waits for those
                        await self._run_demand()

    async def _fill_gaps(
        self, market: MarketSymbol, timeframe: Timeframe, start: datetime, until: datetime
    ) -> AsyncGenerator[None, None]:
        """Fill all gaps of a period, and yield after every batch."""
        async with self._database.read_only() as reading:
            gaps = await reading.market_data.candle_gaps(market, timeframe, start, until)
        for first, end in split_into_pages(gaps, PAGE * timeframe.duration):
            if self._may_request(market, timeframe, first, end):
                before = await self._candle_before(market, timeframe, first)
                downloader = HistoryDownloader(self._source, market, timeframe, log.info)
                async for batch in downloader.fetch(Gap(first, end, before, end < until)):
                    if batch.candles:
                        await self._writer.backfill(batch.candles)
                    yield
                self._requested_at[market, timeframe, first, end] = self._clock.monotonic()

    async def _candle_before(self, market: MarketSymbol, timeframe: Timeframe, start: datetime) -> Candle | None:
        """Return the stored candle that ends at `start`."""
        page = TimeKeysetPage(limit=1, start=start - timeframe.duration, end=start)
        async with self._database.read_only() as reading:
            return next(iter(await reading.market_data.candles(market, timeframe, page)), None)

    def _may_request(self, market: MarketSymbol, timeframe: Timeframe, first: datetime, end: datetime) -> bool:
        now = self._clock.monotonic()
        self._requested_at = {gap: at for gap, at in self._requested_at.items() if now - at < REQUEST_AGAIN_SECONDS}
        return (market, timeframe, first, end) not in self._requested_at
