"""Reads a market's history from the database; missing newer parts are fetched while the reader waits."""

import asyncio
from bisect import bisect_left
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from domain.core.clock import Clock
from domain.core.errors import RateLimited
from domain.core.pagination import TimeKeysetPage
from domain.market_data.backfill import demand_horizon
from domain.market_data.codec import CandlesDemand, encode_demand
from domain.market_data.feed_limit import FeedReader
from domain.market_data.hub import MarketDataHub
from domain.market_data.past import past_until, read_by
from domain.market_data.topics import CANDLES_DEMAND
from domain.model.markets import Candle, CandleColumns, FeedState, MarketSymbol, Timeframe, Trade
from domain.ports.bus import MessageBus
from domain.ports.market_data import MarketDataRepository
from domain.ports.unit_of_work import Database
from domain.ports.venues import VenueDirectory

CandlesT = TypeVar("CandlesT")

WAIT_SECONDS = 3.0
"""How long a reader waits at most for what isn't stored yet."""

POLL_SECONDS = 0.2
MAX_FETCHED_MARKETS = 8
"""For how many markets readers wait at a time: a list of hundreds of them must not start hundreds of feeds."""

RETRY_AFTER_SECONDS = 60.0
"""How long nobody waits again for what stayed missing: the venue has no more, or can't be reached."""

SETTLED = timedelta(seconds=5)
"""How long after its end a candle may take to be stored before it counts as missing."""


class MarketHistory:
    """Reads from the database; what is missing of the newest 10,000 candles is requested, and waited for a little.

    Older candles are only there if they were imported or back-filled in bulk.
    """

    def __init__(
        self,
        database: Database,
        hub: MarketDataHub,
        venues: VenueDirectory,
        bus: MessageBus,
        clock: Clock,
        wait_seconds: float = WAIT_SECONDS,
    ) -> None:
        self._database = database
        self._hub = hub
        self._venues = venues
        self._bus = bus
        self._clock = clock
        self._wait_seconds = wait_seconds
        self._waiting: Counter[MarketSymbol] = Counter()
        self._failed: dict[tuple[MarketSymbol, Timeframe | None], tuple[datetime, float]] = {}

    @property
    def waiting_readers(self) -> int:
        """The number of readers that wait for something to be fetched."""
        return self._waiting.total()

    async def candles(self, market: MarketSymbol, timeframe: Timeframe, page: TimeKeysetPage) -> list[Candle]:
        """Return closed candles, oldest first; raises `Unavailable`."""
        return await self._complete(
            market, timeframe, page,
            lambda stored: stored.candles(market, timeframe, page),
            lambda candles: [candle.open_time for candle in candles],
        )  # fmt: skip

    async def candle_columns(self, market: MarketSymbol, timeframe: Timeframe, page: TimeKeysetPage) -> CandleColumns:
        """Return what `candles` does, as columns; raises `Unavailable`."""
        return await self._complete(
            market, timeframe, page,
            lambda stored: stored.candle_columns(market, timeframe, page),
            lambda columns: columns.open_times,
        )  # fmt: skip

    async def _complete(
        self,
        market: MarketSymbol,
        timeframe: Timeframe,
        page: TimeKeysetPage,
        read: Callable[[MarketDataRepository], Awaitable[CandlesT]],
        open_times: Callable[[CandlesT], Sequence[datetime]],
    ) -> CandlesT:
        """Return what `read` finds, once nothing is missing that can be fetched in time."""

        async def stored(past: datetime | None = None) -> tuple[CandlesT, datetime | None]:
            async with read_by(self._database, past) as reading:
                found = await read(reading.market_data)
            return found, self._first_missing(market, timeframe, page, open_times(found))

        past = self._past_of(page, timeframe.duration)
        found, missing = await stored(past)
        if missing is not None and past is not None:  # it may have been fetched a moment ago
            found, missing = await stored()

        async def is_stored() -> bool:
            nonlocal found
            found, still_missing = await stored()
            return still_missing is None

        if missing is not None:
            await self._fetch_missing(market, timeframe, missing, is_stored)
        return found

    async def missing_minutes(self, market: MarketSymbol, start: datetime, end: datetime) -> int:
        """Return how many whole minutes of a period have closed and have no candle, fetched as in `candles`."""
        until = min(Timeframe.M1.open_time(end), self._closed_until(market, Timeframe.M1))
        first = _on_grid(Timeframe.M1, start, until)
        missing = 0

        async def is_stored() -> bool:
            nonlocal missing
            async with self._database.read_only() as reading:
                stored = await reading.market_history.minutes(market, first, until)
            missing = max((until - first) // Timeframe.M1.duration - stored, 0)
            return not missing

        horizon = demand_horizon(Timeframe.M1, self._closed_until(market, Timeframe.M1))
        if first < until and not await is_stored() and first >= horizon:
            await self._fetch_missing(market, Timeframe.M1, first, is_stored)
        return missing

    async def trades(self, market: MarketSymbol, page: TimeKeysetPage) -> list[Trade]:
        """Return stored trades, oldest first; of a market that wasn't collected, the newest are waited for."""
        found = await self._stored_trades(market, page, self._past_of(page, timedelta()))

        async def is_stored() -> bool:
            nonlocal found
            found = await self._stored_trades(market, page)
            return bool(found)

        if not found and not any((page.start, page.end, page.after, page.before)):
            await self._fetch_missing(market, None, self._clock.now(), is_stored)
        return found

    def _past_of(self, page: TimeKeysetPage, length: timedelta) -> datetime | None:
        """Return by when all of a page had been stored in the usual way; None if it reaches the present."""
        end = min((at for at in (page.end, page.before) if at is not None), default=None)
        return None if end is None else past_until(end, self._clock.now(), length)

    def _closed_until(self, market: MarketSymbol, timeframe: Timeframe) -> datetime:
        """Return the time before which candles must have opened to be stored by now."""
        now = self._clock.now() if self._venues.get(market.venue) is None else self._hub.venue_now(market.venue)
        return timeframe.open_time(now - SETTLED)

    def _first_missing(
        self, market: MarketSymbol, timeframe: Timeframe, page: TimeKeysetPage, opened: Sequence[datetime]
    ) -> datetime | None:
        """Return the start of the missing candles of a page; None if none is missing that could be fetched."""
        oldest = opened[0] if opened else None
        start, end = expected_range(timeframe, page, oldest, self._closed_until(market, timeframe))
        count = bisect_left(opened, end) - bisect_left(opened, start)
        return start if count < (end - start) // timeframe.duration else None

    async def _fetch_missing(
        self,
        market: MarketSymbol,
        timeframe: Timeframe | None,
        start: datetime,
        is_stored: Callable[[], Awaitable[bool]],
    ) -> None:
        """Have the market collected, and candles from `start` on fetched, until `is_stored` or the time is up."""
        if not self._is_worth_waiting(market, timeframe, start):
            return
        self._waiting[market] += 1
        try:
            if not await self._wait_for(market, timeframe, start, is_stored):
                self._failed[market, timeframe] = start, self._clock.monotonic()
        except RateLimited:
            pass  # clients follow too many markets: return what is stored; a later request may succeed
        finally:
            self._waiting -= Counter([market])  # drops markets that nobody waits for

    async def _wait_for(
        self,
        market: MarketSymbol,
        timeframe: Timeframe | None,
        start: datetime,
        is_stored: Callable[[], Awaitable[bool]],
    ) -> bool:
        deadline = self._clock.monotonic() + self._wait_seconds
        demand = None if timeframe is None else CandlesDemand(market, timeframe, start)
        async with self._hub.subscribe(market, FeedReader.ANONYMOUS) as state:
            while self._clock.monotonic() < deadline:
                if demand is not None and state.status is not None and state.status.state is FeedState.LIVE:
                    await self._bus.publish(CANDLES_DEMAND, encode_demand(demand))
                    demand = None
                await asyncio.sleep(POLL_SECONDS)
                if await is_stored():
                    return True
        return False

    def _is_worth_waiting(self, market: MarketSymbol, timeframe: Timeframe | None, start: datetime) -> bool:
        if self._wait_seconds <= 0 or self._venues.get(market.venue) is None:
            return False
        if market not in self._waiting and len(self._waiting) >= MAX_FETCHED_MARKETS:
            return False
        failed = self._failed.get((market, timeframe))
        return failed is None or failed[0] > start or self._clock.monotonic() - failed[1] > RETRY_AFTER_SECONDS

    async def _stored_trades(
        self, market: MarketSymbol, page: TimeKeysetPage, past: datetime | None = None
    ) -> list[Trade]:
        async with read_by(self._database, past) as reading:
            return await reading.market_data.trades(market, page)


def expected_range(
    timeframe: Timeframe, page: TimeKeysetPage, oldest: datetime | None, until: datetime
) -> tuple[datetime, datetime]:
    """Return the open times between which a page should have all candles: the start, and the end that is excluded.

    `oldest` is the first candle found of the page; all that open before `until` have closed. The range is empty if
    nothing of the page can be fetched.
    """
    length = timeframe.duration
    horizon = demand_horizon(timeframe, until)
    end = min(_on_grid(timeframe, page.end, until), page.before or until, until)
    starts = [_on_grid(timeframe, page.start, until)] if page.start else []
    starts += [min(page.after, until) + length] if page.after else []
    if page.backwards or not (starts or oldest):
        starts.append(max(end, horizon) - page.limit * length)
    start = max(starts, default=oldest or horizon)
    if start < horizon:
        start = horizon if page.backwards or oldest is None else end
    return start, max(start, end if page.backwards else min(end, start + page.limit * length))


def _on_grid(timeframe: Timeframe, at: datetime | None, until: datetime) -> datetime:
    """Return the first open time at or after `at`, at most `until`."""
    bounded = until if at is None else min(at, until)
    opened = timeframe.open_time(bounded)
    return opened if opened == bounded else opened + timeframe.duration
