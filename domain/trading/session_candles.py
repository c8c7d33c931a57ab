"""Follows the closed candles of a trading session's market, without a gap, warmed up before the first."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta

from domain.core.pagination import TimeKeysetPage
from domain.market_data.codec import CandlesDemand, encode_demand
from domain.market_data.topics import CANDLES_DEMAND
from domain.model.markets import Candle
from domain.trading.candle_buffer import CandleBuffer
from domain.trading.session_context import TradingSessionContext

CLOSING_TIME = timedelta(seconds=3)
"""How long a candle may take from its end to the storage."""

FIRST_LOOK_SECONDS = 0.5
SLOWEST_LOOK_SECONDS = 5.0
DEMAND_SECONDS = 2.0
MAXIMUM_MISSED = 500
"""How many candles that closed while nobody ran the session are looked at one by one."""


class TradingSessionCandles:
    """The session's history and the candles that follow on it."""

    def __init__(self, context: TradingSessionContext) -> None:
        self._context = context
        self._needed = context.plan.candles_needed
        self._queue: asyncio.Queue[Candle] = asyncio.Queue()
        self._newest: datetime | None = None
        self.history = CandleBuffer(self._needed + MAXIMUM_MISSED)

    def __repr__(self) -> str:
        return f"TradingSessionCandles({self.history!r}, needed={self._needed})"

    def take(self, candle: Candle) -> None:
        """Take a candle that has just closed."""
        self._newest = candle.open_time
        self._queue.put_nowait(candle)

    async def load(self) -> None:
        """Return once all the candles that are needed are here, up to the one that closed last.

        What is missing is demanded of the collectors; the session's row tells what it waits for.
        """
        demanded, pause = float("-inf"), FIRST_LOOK_SECONDS
        while not await self._is_loaded():
            now = self._context.clock.monotonic()
            if now - demanded >= DEMAND_SECONDS:
                demanded = now
                await self._demand()
                await self._context.set_status_reason(self._lack())
            await asyncio.sleep(pause)
            pause = min(1.2 * pause, SLOWEST_LOOK_SECONDS)

    async def closed(self, last: datetime | None) -> AsyncIterator[tuple[Candle, bool]]:
        """Yield the candles that opened after `last`, then each that closes, oldest first, for ever.

        With each comes whether it is the newest: nothing is to be done any more about what the others say.
        """
        unseen: Sequence[Candle] = self.history.after(last)[-MAXIMUM_MISSED:]
        while True:
            for candle in unseen:
                last = candle.open_time
                yield candle, candle is unseen[-1] and self._is_newest(candle)
            candle = await self._queue.get()
            if last is not None and candle.open_time <= last:
                unseen = ()
            elif self.history.append(candle):
                unseen = (candle,)
            else:
                await self.load()
                await self._context.set_status_reason(None)
                unseen = self.history.after(last)[-MAXIMUM_MISSED:]

    def _is_newest(self, candle: Candle) -> bool:
        return self._newest is None or candle.open_time >= self._newest

    async def _is_loaded(self) -> bool:
        session = self._context.plan.session
        window = TimeKeysetPage(limit=self._needed + MAXIMUM_MISSED, backwards=True)
        async with self._context.database.read_only() as reading:
            candles = await reading.market_data.candles(session.market, session.timeframe, window)
        self.history.load(candles)
        return len(self.history) >= self._needed and self._is_current()

    def _is_current(self) -> bool:
        """Tell whether no candle is missing but one that is closing right now."""
        newest = self.history.newest
        if newest is None:
            return False
        now = self._context.feed.venue_now(newest.market.venue)
        return now - newest.close_time < newest.timeframe.duration + CLOSING_TIME

    async def _demand(self) -> None:
        session = self._context.plan.session
        now = self._context.feed.venue_now(session.market.venue)
        start = session.timeframe.open_time(now) - self._needed * session.timeframe.duration
        if session.last_candle_at is not None:
            earliest = start - MAXIMUM_MISSED * session.timeframe.duration
            start = max(min(start, session.last_candle_at), earliest)
        demand = CandlesDemand(session.market, session.timeframe, start)
        await self._context.bus.publish(CANDLES_DEMAND, encode_demand(demand))

    def _lack(self) -> str:
        session, count = self._context.plan.session, len(self.history)
        if count < self._needed:
            return f"It waits for candles of {session.market}: {count} of the {self._needed} that it needs are here."
        return f"It waits for the newest candles of {session.market}."
