"""Streams of candles without a gap, whatever messages are lost and whichever node collects."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Self

from domain.core.backoff import Backoff
from domain.core.errors import Unavailable
from domain.core.pagination import TimeKeysetPage
from domain.market_data.conflating_queue import ConflatingQueue
from domain.market_data.timings import HubTimings
from domain.model.markets import Candle, MarketSymbol, Timeframe
from domain.ports.unit_of_work import Database

MAX_MISSED = 500
"""How many missed candles are read at a time."""


class ClosedCandleStream:
    """The candles of one market and timeframe for one reader: each closed one once, oldest first, none left out.

    `arrivals` brings what is published. A message may be lost, and a collector that takes over a market publishes only
    what closes from then on, so what is missing is read from the database. Forming candles among the arrivals are
    passed on. A database that is away is asked again, with the next arrival or after a pause.
    """

    def __init__(
        self,
        database: Database,
        market: MarketSymbol,
        timeframe: Timeframe,
        arrivals: ConflatingQueue[Candle],
        venue_now: Callable[[], datetime],
        timings: HubTimings,
    ) -> None:
        self._database = database
        self._market = market
        self._timeframe = timeframe
        self._arrivals = arrivals
        self._venue_now = venue_now
        self._overdue_after = timeframe.duration + timedelta(seconds=timings.overdue_after)
        self._pause = Backoff(timings.overdue_every)
        self._ready: deque[Candle] = deque()
        self._unread: Candle | None = None
        """The arrival whose predecessors could not be read."""
        self._next: datetime | None = None
        """When the oldest candle opens that wasn't returned as closed yet."""

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Candle:
        """Return the next candle; wait for it if there is none."""
        while not self._ready:
            self._ready.extend(await self._receive())
        return self._ready.popleft()

    def is_latest(self, candle: Candle) -> bool:
        """Return whether no later candle has arrived."""
        return not any(later.open_time > candle.open_time for later in (*self._ready, *self._arrivals))

    async def after(self, candle: Candle) -> Sequence[Candle]:
        """Return the closed candles that were missed since the last call, then `candle`; nothing if it is older.

        Raises `Unavailable`; the call can then be repeated.
        """
        if self._next is not None and candle.open_time < self._next:
            return ()
        missed: Sequence[Candle] = ()
        if self._next is not None and candle.open_time > self._next:
            missed = await self._read(TimeKeysetPage(MAX_MISSED, self._next, candle.open_time, backwards=True))
        self._next = candle.close_time if candle.closed else candle.open_time
        return (*missed, candle)

    async def _receive(self) -> Sequence[Candle]:
        try:
            async with asyncio.timeout(self._pause.next_delay()):
                self._unread = await self._arrivals.get()
            self._pause.reset()
        except TimeoutError:
            pass
        with suppress(Unavailable):
            candles = await (self._overdue() if self._unread is None else self.after(self._unread))
            self._unread = None
            return candles
        return ()

    async def _overdue(self) -> Sequence[Candle]:
        """Return the candles that should have arrived by now, as far as they are stored."""
        if self._next is None or self._venue_now() <= self._next + self._overdue_after:
            self._pause.reset()
            return ()
        missed = await self._read(TimeKeysetPage(MAX_MISSED, self._next))
        if missed:
            self._next = missed[-1].close_time
        return missed

    async def _read(self, page: TimeKeysetPage) -> Sequence[Candle]:
        async with self._database.read_only() as reading:
            return await reading.market_data.candles(self._market, self._timeframe, page)
