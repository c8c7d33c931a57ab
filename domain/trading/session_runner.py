"""Runs one trading session: from closed candles to signals, from signals to orders, from prices to exits.

All that must survive is in the database: the signal, the order that it causes and the candle that was acted on are
committed together, under the account's lease. The runner itself can be thrown away at any moment and built anew.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from uuid import UUID

from domain.core.errors import Unavailable
from domain.model.orders import OrderRole
from domain.model.trading import TradingSession, TradingSessionStatus
from domain.ports.leases import Lease, StaleLease
from domain.rules.session_plan import SessionPlan
from domain.trading.position_closer import Due, PositionCloser
from domain.trading.protection import ProtectionMonitor
from domain.trading.session_candles import SessionCandles
from domain.trading.session_context import (
    RunnerDependencies,
    SessionContext,
    SessionEnded,
    SessionHolding,
    SessionTransaction,
)
from domain.trading.signal_processor import SignalProcessor

TICK_SECONDS = 1.0
PRICES_SECONDS = 5.0
"""How long a new session waits for the prices of what the account holds: its reports begin with that worth."""

PRICES_LOOK_SECONDS = 0.1


class SessionRunner:
    """Owns one session while this node holds the lease of its account."""

    def __init__(
        self,
        plan: SessionPlan,
        ports: RunnerDependencies,
        lease: Callable[[], Lease],
        wake_executor: Callable[[UUID | None], None],
    ) -> None:
        self._desk = SessionContext(plan, ports, lease, wake_executor)
        self._candles = SessionCandles(self._desk)
        self._exits = PositionCloser(self._desk)
        self._protection = ProtectionMonitor(self._desk)
        self._judge = SignalProcessor(self._desk, self._exits, self._candles.history)
        self._woken = asyncio.Event()

    def __repr__(self) -> str:
        return f"SessionRunner({self._desk!r}, {self._candles!r})"

    def wake(self) -> None:
        """Look at the session's row, orders and position soon."""
        self._woken.set()

    async def run(self) -> None:
        """Run until the session is over; cancel to let go of it earlier. Raises `StaleLease` and `Unavailable`."""
        session, feed = self._desk.plan.session, self._desk.ports.feed
        subscription = await feed.closed_candles(session.market, session.timeframe, self._candles.take)
        try:
            with suppress(SessionEnded):
                await self._work()
        except BaseExceptionGroup as group:
            cause = _first_cause(group)
            if not isinstance(cause, SessionEnded):
                raise cause from None
        finally:
            await subscription.close()

    async def _work(self) -> None:
        holding = await self._desk.look()
        await self._attend(holding)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._tick())
            group.create_task(self._watch_prices())
            group.create_task(self._follow_candles())

    # -- the session's row, orders and position ----------------------------------------------------------------------

    async def _tick(self) -> None:
        while True:
            try:
                async with asyncio.timeout(TICK_SECONDS):
                    await self._woken.wait()
            except TimeoutError:
                pass
            self._woken.clear()
            await self._attend(await self._desk.look())

    async def _attend(self, holding: SessionHolding) -> None:
        """Do what the session's row, orders and position ask for; raises `SessionEnded` once nothing is left to do."""
        await self._protection.keep(holding.position, self._candles.history)
        if holding.session.status is TradingSessionStatus.STOPPING:
            await self._wind_down(holding)
        else:
            await self._exits.go_on(holding)

    async def _wind_down(self, holding: SessionHolding) -> None:
        closing = holding.position is not None and holding.session.close_on_stop
        if closing and not holding.entries:
            await self._exits.go_on(holding)
            if not self._exits.is_due:
                await self._exits.close(Due(OrderRole.CLOSE))
        elif not holding.orders:
            async with self._desk.acting() as acting:
                await _stop(acting)
            raise SessionEnded

    # -- candles -----------------------------------------------------------------------------------------------------

    async def _follow_candles(self) -> None:
        await self._candles.load()
        session = await self._begin()
        async for candle, is_newest in self._candles.closed(session.last_candle_at):
            await self._judge.judge(candle, is_newest=is_newest)
            if is_newest:
                self._woken.set()

    async def _begin(self) -> TradingSession:
        """Have the session run from the candle that closed last on, unless it did so before."""
        newest = self._candles.history.newest
        assert newest is not None
        if self._desk.plan.session.start_equity is None:
            await self._wait_for_prices()
        async with self._desk.acting() as acting:
            session = acting.holding.session
            begun = session
            if session.status is TradingSessionStatus.STARTING:
                begun = replace(session, status=TradingSessionStatus.RUNNING)
            if session.last_candle_at is None:
                begun = replace(begun, last_candle_at=newest.open_time)
            if session.start_equity is None:
                worth = await self._desk.equity(acting.transaction)
                # Without a price that may still come it isn't known; what no market prices never has a worth.
                begun = begun if self._desk.waits_for_prices(worth) else replace(begun, start_equity=worth.total)
            if begun.status is not TradingSessionStatus.STOPPING:
                begun = replace(begun, status_reason=None)
            if begun.status is TradingSessionStatus.RUNNING:
                begun = replace(begun, status_code=None)
            if begun != session:
                await acting.save(begun)
        return begun

    async def _wait_for_prices(self) -> None:
        """Return once the account's equity is known, as it isn't just after a start, or after a while without it."""
        with suppress(TimeoutError):
            async with asyncio.timeout(PRICES_SECONDS):
                while True:
                    async with self._desk.ports.database.read_only() as reading:
                        if not self._desk.waits_for_prices(await self._desk.equity(reading)):
                            return
                    await asyncio.sleep(PRICES_LOOK_SECONDS)

    # -- prices ------------------------------------------------------------------------------------------------------

    async def _watch_prices(self) -> None:
        """Close the position as soon as a trade reaches its stop-loss or take-profit."""
        async for trades in self._desk.ports.feed.trade_stream(self._desk.plan.session.market):
            role = None if self._exits.is_due else self._protection.reached_by(trades)
            if role is not None:
                await self._exits.close(Due(role))


async def _stop(acting: SessionTransaction) -> None:
    session = acting.holding.session
    if session.status is TradingSessionStatus.STOPPING and not acting.holding.orders:
        stopped = replace(session, status=TradingSessionStatus.STOPPED, stopped_at=acting.now, status_reason=None)
        await acting.save(stopped)


def _first_cause(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the exception of a group that decides what follows: a lost lease, then a fault, then the rest."""
    causes = list(_leaves(group))
    stale = [cause for cause in causes if isinstance(cause, StaleLease)]
    faults = [cause for cause in causes if not isinstance(cause, Unavailable | SessionEnded)]
    over = [cause for cause in causes if isinstance(cause, SessionEnded)]
    return (stale or faults or over or causes)[0]


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error
