"""The closed candles of a trading session's market: without a gap, and with the history that its strategy needs."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta

from domain.core.backoff import Backoff
from domain.core.pagination import TimeKeysetPage
from domain.market_data.codec import CandlesDemand, encode_demand
from domain.market_data.topics import CANDLES_DEMAND
from domain.model.markets import Candle
from domain.model.trading import TradingSessionStatusCode
from domain.ports.market_data import CandleSubscription
from domain.trading.candle_buffer import CandleBuffer
from domain.trading.session_context import TradingSessionContext

CLOSING_TIME = timedelta(seconds=3)
"""How long after its end a candle may take to be stored."""

FIRST_POLL_SECONDS = 0.5
SLOWEST_POLL_SECONDS = 2.0
REQUEST_SECONDS = 2.0
SHOWN_AFTER_SECONDS = 2.0
"""How long a trading session waits for its account before its row has that it does."""
MAX_MISSED = 500
"""How many candles that closed while the trading session did not run are processed one by one."""


class TradingSessionCandles:
    """The candles that a trading session has loaded, and those that follow."""

    def __init__(self, context: TradingSessionContext) -> None:
        self._context = context
        self._needed = context.plan.candles_needed
        self.history = CandleBuffer(self._needed + MAX_MISSED)

    def __repr__(self) -> str:
        return f"TradingSessionCandles({self.history!r}, needed={self._needed})"

    async def load(self) -> None:
        """Return once all the needed candles are in `history`, up to the one that closed last.

        Missing ones are requested of the collectors; the trading session's status reason says what it waits for. Raises
        `Unavailable`.
        """
        requested_at, pause = float("-inf"), Backoff(FIRST_POLL_SECONDS, SLOWEST_POLL_SECONDS)
        while not await self._is_loaded():
            now = self._context.clock.monotonic()
            if now - requested_at >= REQUEST_SECONDS:
                requested_at = now
                await self._request()
                await self._context.set_status_reason(self._missing())
            await asyncio.sleep(pause.next_delay())

    async def closed(self, arrivals: CandleSubscription, last: datetime | None) -> AsyncIterator[tuple[Candle, bool]]:
        """Yield the candles that opened after `last`, then each that closes, oldest first, for ever.

        With each comes whether it is the latest: signals of the others come too late to be acted on.
        """
        unseen: Sequence[Candle] = self.history.after(last)[-MAX_MISSED:]
        while True:
            for candle in unseen:
                last = candle.open_time
                await self._until_reconciled()
                yield candle, candle is unseen[-1] and arrivals.is_latest(candle)
            candle = await anext(arrivals)
            if last is not None and candle.open_time <= last:
                unseen = ()
            elif self.history.append(candle):
                unseen = (candle,)
            else:
                await self.load()
                await self._context.set_status_reason(None)
                unseen = self.history.after(last)[-MAX_MISSED:]

    async def _until_reconciled(self) -> None:
        """Return once the account agrees with its venue: before that it isn't known what the session holds."""
        context = self._context
        started_at, is_shown = context.clock.monotonic(), False
        while not context.executor.reconciled:
            if not is_shown and context.clock.monotonic() - started_at > SHOWN_AFTER_SECONDS:
                reason = "It waits until the account agrees with its venue."
                await context.set_status_reason(reason, TradingSessionStatusCode.WAITING_FOR_ACCOUNT)
                is_shown = True
            await asyncio.sleep(context.timings.keeper_wait)
        if is_shown:
            await context.set_status_reason(None)

    async def _is_loaded(self) -> bool:
        session = self._context.plan.session
        page = TimeKeysetPage(limit=self._needed + MAX_MISSED, backwards=True)
        async with self._context.database.read_only() as reading:
            candles = await reading.market_data.candles(session.market, session.timeframe, page)
        self.history.load(candles)
        return len(self.history) >= self._needed and self._is_current()

    def _is_current(self) -> bool:
        """Return whether no candle is missing but one that is closing right now."""
        newest = self.history.newest
        if newest is None:
            return False
        now = self._context.feed.venue_now(newest.market.venue)
        return now - newest.close_time < newest.timeframe.duration + CLOSING_TIME

    async def _request(self) -> None:
        session = self._context.plan.session
        now = self._context.feed.venue_now(session.market.venue)
        start = session.timeframe.open_time(now) - self._needed * session.timeframe.duration
        if session.last_candle_at is not None:
            earliest = start - MAX_MISSED * session.timeframe.duration
            start = max(min(start, session.last_candle_at), earliest)
        demand = CandlesDemand(session.market, session.timeframe, start)
        await self._context.bus.publish(CANDLES_DEMAND, encode_demand(demand))

    def _missing(self) -> str:
        session, count = self._context.plan.session, len(self.history)
        if count < self._needed:
            return f"It waits for candles of {session.market}: {count} of the {self._needed} that it needs are here."
        return f"It waits for the newest candles of {session.market}."
