"""Runs one trading session: from closed candles to signals, and from signals to orders and intents.

All that must survive is in the database: the signal, the order or the intent that it causes and the candle that was
acted on are committed together, under the account's lease. A runner can be discarded at any moment and built again.
What protects and closes the position is no part of it: see `domain.trading.position_keeper`.
"""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

from domain.core.errors import Unavailable
from domain.core.wakeup import Wakeup
from domain.model.trading import TradingSession, TradingSessionStatus
from domain.ports.leases import StaleLease
from domain.ports.market_data import CandleSubscription
from domain.trading.session_candles import TradingSessionCandles
from domain.trading.session_context import TradingSessionContext, TradingSessionEnded
from domain.trading.session_ladder import LadderWatch
from domain.trading.session_protection import ensure_protection
from domain.trading.session_stop import step_stop
from domain.trading.signal_actor import SignalActor
from domain.trading.signal_processor import SignalProcessor
from domain.trading.submitted_signals import SubmittedSignals

PRICE_POLL_SECONDS = 0.1


class TradingSessionRunner:
    """Owns one trading session while this node holds the lease of its account."""

    def __init__(self, context: TradingSessionContext) -> None:
        self._context = context
        self._candles = TradingSessionCandles(context)
        actor = SignalActor(context)
        self._signals = SignalProcessor(context, self._candles.history, actor)
        self._submitted = SubmittedSignals(context, self._candles.history, actor)
        self._wakeup = Wakeup()
        self._ladder = LadderWatch(context, self._candles.history, actor, self.wake)

    def __repr__(self) -> str:
        return f"TradingSessionRunner({self._context!r}, {self._candles!r})"

    def wake(self) -> None:
        """Have the trading session's state read soon, instead of at the next poll."""
        self._wakeup.set()

    async def run(self) -> None:
        """Run until the trading session has ended; cancel to stop earlier. Raises `StaleLease` and `Unavailable`."""
        session, feed = self._context.session, self._context.feed
        try:
            async with feed.closed_candles(session.market, session.timeframe) as arrivals:
                with suppress(TradingSessionEnded):
                    await self._run_loops(arrivals)
        except BaseExceptionGroup as group:
            cause = _decisive_cause(group)
            if not isinstance(cause, TradingSessionEnded):
                raise cause from None

    async def _run_loops(self, arrivals: CandleSubscription) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._state_loop())
            group.create_task(self._candle_loop(arrivals))
            group.create_task(self._ladder.run())

    async def _state_loop(self) -> None:
        """Follow the trading session's row until it has stopped; raises `TradingSessionEnded` in the end."""
        while True:
            self._wakeup.clear()
            state = await self._context.load_state()
            await self._submitted.act()
            if state.session.status is TradingSessionStatus.STOPPING:
                await step_stop(self._context, state)
            await self._ladder.refresh(state)
            await self._wakeup.wait(self._context.timings.poll_interval)

    # -- candles -----------------------------------------------------------------------------------------------------

    async def _candle_loop(self, arrivals: CandleSubscription) -> None:
        await self._candles.load()
        session = await self._start()
        await ensure_protection(self._context, self._candles.history)
        self._submitted.is_ready = True
        self.wake()
        async for candle, is_newest in self._candles.closed(arrivals, session.last_candle_at):
            await self._signals.on_candle(candle, is_newest=is_newest)
            if is_newest:
                self._wakeup.set()

    async def _start(self) -> TradingSession:
        """Record that the trading session runs from the candle that closed last on, unless it has run before."""
        newest = self._candles.history.newest
        assert newest is not None
        if self._context.session.start_equity is None:
            await self._wait_for_prices()
        async with self._context.transaction() as transaction:
            session = transaction.state.session
            started = session
            if session.status is TradingSessionStatus.STARTING:
                started = replace(session, status=TradingSessionStatus.RUNNING)
            if session.last_candle_at is None:
                started = replace(started, last_candle_at=newest.open_time)
            if session.start_equity is None:
                worth = await self._context.equity(transaction.unit_of_work)
                # It stays unknown while a price may still come; what no market prices never has a worth.
                if not self._context.is_missing_prices(worth):
                    started = replace(started, start_equity=worth.total)
            if started.status is not TradingSessionStatus.STOPPING:
                started = replace(started, status_reason=None)
            if started.status is TradingSessionStatus.RUNNING:
                started = replace(started, status_code=None)
            if started != session:
                await transaction.save_session(started)
        return started

    async def _wait_for_prices(self) -> None:
        """Return once the account's equity is known, or after a while without it: prices are missing after a start."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._context.timings.price_wait):
                while True:
                    async with self._context.database.read_only() as reading:
                        if not self._context.is_missing_prices(await self._context.equity(reading)):
                            return
                    await asyncio.sleep(PRICE_POLL_SECONDS)


def _decisive_cause(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the exception of a group to act on: a lost lease before a fault, a fault before all others."""
    causes = list(_leaves(group))
    stale = [cause for cause in causes if isinstance(cause, StaleLease)]
    faults = [cause for cause in causes if not isinstance(cause, Unavailable | TradingSessionEnded)]
    ended = [cause for cause in causes if isinstance(cause, TradingSessionEnded)]
    return (stale or faults or ended or causes)[0]


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error
