"""Fetches long stretches of a venue's past candles, page by page, with a candle for every minute without a trade."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from domain.market_data.candles import fill_gaps, flat_candle
from domain.model.markets import Candle, MarketSymbol, Timeframe
from domain.ports.market_data import MarketDataSource, VenueUnreachable

PAGE = 1_000
SMALLEST_PAGE = 300
"""As far as a venue looks that answers a window with nothing where nothing was traded in it; known are 300 and more."""
MAX_FAILURES = 10
FIRST_WAIT_SECONDS = 1.0
LONGEST_WAIT_SECONDS = 60.0
BEFORE_ALL_MARKETS = datetime(2010, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch without stored candles, the stored one that it follows on, and whether it is followed by one."""

    start: datetime
    end: datetime
    before: Candle | None = None
    followed: bool = False


@dataclass(frozen=True, slots=True)
class Batch:
    """Closed candles that follow on each other, and up to when the hole is dealt with."""

    candles: tuple[Candle, ...]
    until: datetime


@dataclass
class HistoryDownloader:
    """The past of one market and timeframe at a venue.

    What the venue leaves out between two of its candles becomes candles without volume at the close before, unless it
    withholds it: some venues give only their newest candles however early one asks. A first candle after the stretch
    shows it, and so does a day of volume in a stretch without minutes. `withheld` lists such stretches. Nothing is made
    up before a market's first candle, nor after its last. `tell` is given a sentence whenever the venue didn't answer
    and is asked again.
    """

    source: MarketDataSource
    market: MarketSymbol
    timeframe: Timeframe
    tell: Callable[[str], None]
    withheld: list[tuple[datetime, datetime]] = field(default_factory=list)
    _begins: datetime | None = None

    async def fetch(self, hole: Gap) -> AsyncIterator[Batch]:
        """Yield what the venue knows of a hole, oldest first; raises `VenueUnreachable` after `MAX_FAILURES` times."""
        at, last = hole.start, hole.before
        while at < hole.end:
            page = await self._ask(self.timeframe, at)
            inside = [candle for candle in page if at <= candle.open_time < hole.end]
            if inside:
                async for part in self._between(last, inside[0].open_time):
                    yield part
                told = tuple(fill_gaps(inside))
                last, at = told[-1], told[-1].close_time
                yield Batch(told, at)
            elif page and page[-1].open_time >= hole.end:
                break
            else:
                at = min(await self._further(at), hole.end)
        if hole.followed or at < hole.end:
            async for part in self._between(last, hole.end):
                yield part
        yield Batch((), hole.end)

    async def _between(self, last: Candle | None, end: datetime) -> AsyncIterator[Batch]:
        """Yield the candles without volume from the one after `last` to `end`."""
        if last is None or last.close_time >= end:
            return
        if await self._is_withheld(last.close_time, end):
            self.withheld.append((last.close_time, end))
            return
        while last.close_time < end:
            made: list[Candle] = []
            while last.close_time < end and len(made) < PAGE:
                last = replace(flat_candle(last), closed=True)
                made.append(last)
            yield Batch(tuple(made), last.close_time)

    async def _is_withheld(self, start: datetime, end: datetime) -> bool:
        """Tell whether the venue has nothing as old, or its longer candles show trades from `start` to `end`."""
        return await self._beginning() >= end or await self._is_traded(start, end)

    async def _beginning(self) -> datetime:
        """Return when the first candle opens that the venue gives however early it is asked; asked once.

        One that answers nothing to so early a question looks at a window, and has what it is asked for by its time.
        """
        if self._begins is None:
            try:
                page = await self.source.fetch_candles(self.market, self.timeframe, BEFORE_ALL_MARKETS, PAGE)
            except VenueUnreachable:
                page = []  # too early for it, perhaps: that tells nothing
            self._begins = page[0].open_time if page else BEFORE_ALL_MARKETS
        return self._begins

    async def _is_traded(self, start: datetime, end: datetime) -> bool:
        for longer in reversed(Timeframe):
            first = longer.open_time(start + longer.duration - self.timeframe.duration)
            if longer.seconds <= self.timeframe.seconds or first + longer.duration > end:
                continue
            page = await self._ask(longer, first)
            return any(candle.volume and first <= candle.open_time and candle.close_time <= end for candle in page)
        return False

    async def _further(self, at: datetime) -> datetime:
        """Return where to go on asking when the venue answered nothing: some look only a page ahead."""
        beyond = at + SMALLEST_PAGE * self.timeframe.duration
        if self.timeframe.seconds >= Timeframe.D1.seconds:
            return beyond
        days = await self._ask(Timeframe.D1, Timeframe.D1.open_time(at))
        traded = next((day for day in days if day.volume and day.close_time > at), None)
        if traded is None:
            return max(beyond, at + SMALLEST_PAGE * Timeframe.D1.duration)
        return max(min(beyond, traded.close_time), traded.open_time)

    async def _ask(self, timeframe: Timeframe, start: datetime) -> list[Candle]:
        waits = retry_waits()
        while True:
            try:
                return await self.source.fetch_candles(self.market, timeframe, start, PAGE)
            except VenueUnreachable as error:
                wait = next(waits, None)
                if wait is None:
                    raise
                seconds = max(wait, error.retry_after_seconds or 0.0)
                self.tell(f"{self.market.venue} did not answer ({error}); asked again in {seconds:.0f} s")
                await asyncio.sleep(seconds)


def split_into_pages(
    stretches: Sequence[tuple[datetime, datetime]], page: timedelta
) -> list[tuple[datetime, datetime]]:
    """Return stretches, those joined that fit into one page: a question for each missing minute costs more."""
    joined: list[tuple[datetime, datetime]] = []
    for start, end in stretches:
        if joined and end - joined[-1][0] <= page:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return joined


def retry_waits() -> Iterator[float]:
    """Yield the seconds to wait after one failure after the other, without an answer between them."""
    wait = FIRST_WAIT_SECONDS
    for _ in range(MAX_FAILURES - 1):
        yield wait
        wait = min(2 * wait, LONGEST_WAIT_SECONDS)
