"""Downloads long stretches of a venue's past candles, page by page, with flat candles where nothing was traded."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from domain.market_data.candles import fill_gaps, flat_candle
from domain.model.markets import Candle, MarketSymbol, Timeframe
from domain.ports.market_data import MarketDataSource, VenueUnreachable

PAGE = 1_000
SMALLEST_PAGE = 300
"""The shortest window of venues that return nothing if nothing was traded in it; known are 300 candles and more."""
MAX_FAILURES = 10
FIRST_WAIT_SECONDS = 1.0
LONGEST_WAIT_SECONDS = 60.0
BEFORE_ALL_MARKETS = datetime(2010, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch without stored candles, the stored one `before` it, and whether it is `followed` by one."""

    start: datetime
    end: datetime
    before: Candle | None = None
    followed: bool = False


@dataclass(frozen=True, slots=True)
class Batch:
    """Contiguous closed candles, and the time until which the gap has been worked through."""

    candles: tuple[Candle, ...]
    until: datetime


@dataclass
class HistoryDownloader:
    """Downloads the candles of one market and timeframe from a venue.

    What the venue leaves out between two of its candles becomes candles without volume at the close before, unless the
    venue withholds candles: some return only their newest ones, however early the start. That is recognised by a first
    candle after the stretch, or by longer candles with volume in it; `withheld` lists such stretches. Nothing is made
    up before a market's first candle, nor after its last. `on_retry` is called with a sentence for every request that
    failed and is repeated.
    """

    source: MarketDataSource
    market: MarketSymbol
    timeframe: Timeframe
    on_retry: Callable[[str], None]
    withheld: list[tuple[datetime, datetime]] = field(default_factory=list)
    _first_open: datetime | None = None

    async def fetch(self, gap: Gap) -> AsyncIterator[Batch]:
        """Yield the venue's candles of a gap, oldest first; raises `VenueUnreachable` after `MAX_FAILURES` attempts."""
        at, last = gap.start, gap.before
        while at < gap.end:
            page = await self._request(self.timeframe, at)
            inside = [candle for candle in page if at <= candle.open_time < gap.end]
            if inside:
                async for batch in self._flat_candles(last, inside[0].open_time):
                    yield batch
                filled = tuple(fill_gaps(inside))
                last, at = filled[-1], filled[-1].close_time
                yield Batch(filled, at)
            elif page and page[-1].open_time >= gap.end:
                break
            else:
                at = min(await self._next_start(at), gap.end)
        if gap.followed or at < gap.end:
            async for batch in self._flat_candles(last, gap.end):
                yield batch
        yield Batch((), gap.end)

    async def _flat_candles(self, last: Candle | None, end: datetime) -> AsyncIterator[Batch]:
        """Yield the candles without volume from the one after `last` to `end`."""
        if last is None or last.close_time >= end:
            return
        if await self._is_withheld(last.close_time, end):
            self.withheld.append((last.close_time, end))
            return
        while last.close_time < end:
            flat: list[Candle] = []
            while last.close_time < end and len(flat) < PAGE:
                last = replace(flat_candle(last), closed=True)
                flat.append(last)
            yield Batch(tuple(flat), last.close_time)

    async def _is_withheld(self, start: datetime, end: datetime) -> bool:
        """Return whether the venue has nothing as old, or its longer candles show trades from `start` to `end`."""
        return await self._oldest_open_time() >= end or await self._is_traded(start, end)

    async def _oldest_open_time(self) -> datetime:
        """Return when the oldest candle opens that the venue returns for the earliest start; requested once.

        A venue that returns nothing for so early a start looks at a window after it, and withholds nothing.
        """
        if self._first_open is None:
            try:
                page = await self.source.fetch_candles(self.market, self.timeframe, BEFORE_ALL_MARKETS, PAGE)
            except VenueUnreachable:
                page = []  # perhaps it is too early for it; nothing follows from that
            self._first_open = page[0].open_time if page else BEFORE_ALL_MARKETS
        return self._first_open

    async def _is_traded(self, start: datetime, end: datetime) -> bool:
        for longer in reversed(Timeframe):
            first = longer.open_time(start + longer.duration - self.timeframe.duration)
            if longer.seconds <= self.timeframe.seconds or first + longer.duration > end:
                continue
            page = await self._request(longer, first)
            return any(candle.volume and first <= candle.open_time and candle.close_time <= end for candle in page)
        return False

    async def _next_start(self, at: datetime) -> datetime:
        """Return where to continue after an empty page: some venues look only a page ahead."""
        beyond = at + SMALLEST_PAGE * self.timeframe.duration
        if self.timeframe.seconds >= Timeframe.D1.seconds:
            return beyond
        days = await self._request(Timeframe.D1, Timeframe.D1.open_time(at))
        traded = next((day for day in days if day.volume and day.close_time > at), None)
        if traded is None:
            return max(beyond, at + SMALLEST_PAGE * Timeframe.D1.duration)
        return max(min(beyond, traded.close_time), traded.open_time)

    async def _request(self, timeframe: Timeframe, start: datetime) -> list[Candle]:
        waits = retry_waits()
        while True:
            try:
                return await self.source.fetch_candles(self.market, timeframe, start, PAGE)
            except VenueUnreachable as error:
                wait = next(waits, None)
                if wait is None:
                    raise
                seconds = max(wait, error.retry_after_seconds or 0.0)
                self.on_retry(f"{self.market.venue} did not answer ({error}); asked again in {seconds:.0f} s")
                await asyncio.sleep(seconds)


def split_into_pages(gaps: Sequence[tuple[datetime, datetime]], page: timedelta) -> list[tuple[datetime, datetime]]:
    """Return the gaps, those joined that fit into one page: a request for each missing minute would cost more."""
    joined: list[tuple[datetime, datetime]] = []
    for start, end in gaps:
        if joined and end - joined[-1][0] <= page:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return joined


def retry_waits() -> Iterator[float]:
    """Yield the seconds to wait after each of several failures in a row."""
    wait = FIRST_WAIT_SECONDS
    for _ in range(MAX_FAILURES - 1):
        yield wait
        wait = min(2 * wait, LONGEST_WAIT_SECONDS)
