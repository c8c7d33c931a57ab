"""The past of a market that somebody asks for: what is stored, and what is missing fetched while they wait."""

import asyncio
from bisect import bisect_left
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta

from domain.core.clock import Clock
from domain.core.errors import RateLimited
from domain.core.pagination import TimeKeysetPage
from domain.market_data.backfill import demand_horizon
from domain.market_data.codec import CandlesDemand, encode_demand
from domain.market_data.feed_limit import FeedReader
from domain.market_data.hub import MarketDataHub
from domain.market_data.topics import CANDLES_DEMAND
from domain.model.markets import Candle, FeedState, MarketSymbol, Timeframe, Trade
from domain.ports.bus import MessageBus
from domain.ports.unit_of_work import Database
from domain.ports.venues import VenueDirectory

WAIT_SECONDS = 3.0
"""How long a question waits at most for what isn't stored yet."""

LOOK_SECONDS = 0.2
MARKETS_AT_ONCE = 8
"""For how many markets questions wait at a time: a list of hundreds of them must not start hundreds of feeds."""

ASKED_SECONDS = 60.0
"""How long what stayed missing isn't waited for again: the venue has no more, or can't be reached."""

SETTLED = timedelta(seconds=5)
"""How long after its end a candle may take to be stored without being called missing."""


class MarketHistory:
    """Answers from the storage; what it lacks of the newest 10,000 candles is fetched, and waited for a little.

    Older candles are there where they were imported or back-filled in bulk.
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
        self._asked: dict[tuple[MarketSymbol, Timeframe | None], tuple[datetime, float]] = {}

    async def candles(self, market: MarketSymbol, timeframe: Timeframe, window: TimeKeysetPage) -> list[Candle]:
        """Return closed candles, oldest first; raises `Unavailable`."""
        found = await self._stored(market, timeframe, window)
        missing = self._first_missing(market, timeframe, window, found)

        async def is_there() -> bool:
            nonlocal found
            found = await self._stored(market, timeframe, window)
            return self._first_missing(market, timeframe, window, found) is None

        if missing is not None:
            await self._bring(market, timeframe, missing, is_there)
        return found

    async def missing_minutes(self, market: MarketSymbol, start: datetime, end: datetime) -> int:
        """Return how many whole minutes of a period have closed and have no candle, fetched as in `candles`."""
        until = min(Timeframe.M1.open_time(end), self._closed_until(market, Timeframe.M1))
        first = _on_grid(Timeframe.M1, start, until)
        missing = 0

        async def is_there() -> bool:
            nonlocal missing
            async with self._database.read_only() as reading:
                stored = await reading.market_history.minutes(market, first, until)
            missing = max((until - first) // Timeframe.M1.duration - stored, 0)
            return not missing

        horizon = demand_horizon(Timeframe.M1, self._closed_until(market, Timeframe.M1))
        if first < until and not await is_there() and first >= horizon:
            await self._bring(market, Timeframe.M1, first, is_there)
        return missing

    async def trades(self, market: MarketSymbol, window: TimeKeysetPage) -> list[Trade]:
        """Return stored trades, oldest first; the newest of a market that wasn't collected are waited for."""
        found = await self._stored_trades(market, window)

        async def is_there() -> bool:
            nonlocal found
            found = await self._stored_trades(market, window)
            return bool(found)

        if not found and not any((window.start, window.end, window.after, window.before)):
            await self._bring(market, None, self._clock.now(), is_there)
        return found

    def _closed_until(self, market: MarketSymbol, timeframe: Timeframe) -> datetime:
        """Return before when candles must have opened to be stored by now."""
        now = self._clock.now() if self._venues.get(market.venue) is None else self._hub.venue_now(market.venue)
        return timeframe.open_time(now - SETTLED)

    def _first_missing(
        self, market: MarketSymbol, timeframe: Timeframe, window: TimeKeysetPage, found: Sequence[Candle]
    ) -> datetime | None:
        """Return from when on candles of the window should be fetched; None where nothing that can be is missing."""
        opened = [candle.open_time for candle in found]
        start, end = wanted(timeframe, window, opened[0] if opened else None, self._closed_until(market, timeframe))
        there = bisect_left(opened, end) - bisect_left(opened, start)
        return start if there < (end - start) // timeframe.duration else None

    async def _bring(
        self,
        market: MarketSymbol,
        timeframe: Timeframe | None,
        start: datetime,
        is_there: Callable[[], Awaitable[bool]],
    ) -> None:
        """Have the market collected, and candles from `start` on fetched, until `is_there` or the time is up."""
        if not self._is_worth_waiting(market, timeframe, start):
            return
        self._waiting[market] += 1
        try:
            if not await self._comes(market, timeframe, start, is_there):
                self._asked[market, timeframe] = start, self._clock.monotonic()
        except RateLimited:
            pass  # clients follow too many markets: what is stored is the answer, and who asks again may be luckier
        finally:
            self._waiting -= Counter([market])  # which leaves out those that nobody waits for

    async def _comes(
        self,
        market: MarketSymbol,
        timeframe: Timeframe | None,
        start: datetime,
        is_there: Callable[[], Awaitable[bool]],
    ) -> bool:
        deadline = self._clock.monotonic() + self._wait_seconds
        demand = None if timeframe is None else CandlesDemand(market, timeframe, start)
        async with self._hub.subscribe(market, FeedReader.ANONYMOUS) as state:
            while self._clock.monotonic() < deadline:
                if demand is not None and state.status is not None and state.status.state is FeedState.LIVE:
                    await self._bus.publish(CANDLES_DEMAND, encode_demand(demand))
                    demand = None
                await asyncio.sleep(LOOK_SECONDS)
                if await is_there():
                    return True
        return False

    def _is_worth_waiting(self, market: MarketSymbol, timeframe: Timeframe | None, start: datetime) -> bool:
        if self._wait_seconds <= 0 or self._venues.get(market.venue) is None:
            return False
        if market not in self._waiting and len(self._waiting) >= MARKETS_AT_ONCE:
            return False
        asked = self._asked.get((market, timeframe))
        return asked is None or asked[0] > start or self._clock.monotonic() - asked[1] > ASKED_SECONDS

    async def _stored(self, market: MarketSymbol, timeframe: Timeframe, window: TimeKeysetPage) -> list[Candle]:
        async with self._database.read_only() as reading:
            return await reading.market_data.candles(market, timeframe, window)

    async def _stored_trades(self, market: MarketSymbol, window: TimeKeysetPage) -> list[Trade]:
        async with self._database.read_only() as reading:
            return await reading.market_data.trades(market, window)


def wanted(
    timeframe: Timeframe, window: TimeKeysetPage, oldest: datetime | None, until: datetime
) -> tuple[datetime, datetime]:
    """Return when the candles of a window open that should be there: from the first up to, not at, the second.

    `oldest` is the first one that was found of the window; all before `until` have closed. A stretch without length is
    that of a window of which nothing can be fetched.
    """
    length = timeframe.duration
    horizon = demand_horizon(timeframe, until)
    end = min(_on_grid(timeframe, window.end, until), window.before or until, until)
    starts = [_on_grid(timeframe, window.start, until)] if window.start else []
    starts += [min(window.after, until) + length] if window.after else []
    if window.backwards or not (starts or oldest):
        starts.append(max(end, horizon) - window.limit * length)
    start = max(starts, default=oldest or horizon)
    if start < horizon:
        start = horizon if window.backwards or oldest is None else end
    return start, max(start, end if window.backwards else min(end, start + window.limit * length))


def _on_grid(timeframe: Timeframe, at: datetime | None, until: datetime) -> datetime:
    """Return the first open time at or after `at`, at most `until`."""
    bounded = until if at is None else min(at, until)
    opened = timeframe.open_time(bounded)
    return opened if opened == bounded else opened + timeframe.duration
