"""Says what a trading session's strategy says on a closed candle, and commits what follows from it."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from domain.indicators.candle_arrays import CandleArrays
from domain.model.events import NewEvent, UserEventKind
from domain.model.markets import Candle
from domain.model.orders import Order, OrderRole
from domain.model.trading import Position, Signal, SignalAction, TradingSessionStatus
from domain.rules.sizing import SizingError
from domain.strategies.compiled import average_true_range
from domain.strategies.evaluation import LatestSignals
from domain.trading.candle_buffer import CandleBuffer
from domain.trading.entries import entry
from domain.trading.position_closer import Due, PositionCloser
from domain.trading.protection import stop_hit_within
from domain.trading.session_context import SessionContext, SessionTransaction, cancel

LATE_AFTER = timedelta(seconds=10)
"""How old the close of a candle may be for an entry on it."""
BOOK_SECONDS = 3.0
"""How long an entry waits for a market's book that isn't there, or not fresh, when its candle closes."""


class SignalProcessor:
    """Decides on one candle in one transaction: the signal, its order, and that the candle was seen."""

    def __init__(self, desk: SessionContext, exits: PositionCloser, history: CandleBuffer) -> None:
        self._desk = desk
        self._exits = exits
        self._history = history

    async def judge(self, candle: Candle, *, is_newest: bool) -> None:
        """Act on a closed candle. A signal on one that isn't the newest came too late, and is recorded as missed."""
        arrays = self._history.arrays(candle.open_time)
        said = self._desk.plan.compiled.latest(arrays)
        due: Due | None = None
        if said.enter_long and is_newest:
            await self._warm_book()
        async with self._desk.acting() as acting:
            holding = acting.holding
            seen = holding.session.last_candle_at
            if seen is not None and seen >= candle.open_time:
                return
            await acting.save(replace(holding.session, last_candle_at=candle.open_time), told=False)
            order = None
            if holding.session.status is TradingSessionStatus.STOPPING:
                return
            if holding.position is not None:
                due, order = await self._holds(acting, holding.position, candle, said, arrays, is_newest=is_newest)
            elif said.exit_long:
                await self._leaves(acting, candle, arrays, is_newest=is_newest)
            elif said.enter_long and not holding.orders and holding.session.status is TradingSessionStatus.RUNNING:
                order = await self._enters(acting, candle, arrays, is_newest=is_newest)
        if due is not None:
            self._exits.placed(due, order)
        elif order is not None:
            self._desk.wake_executor(order.id)

    async def _warm_book(self) -> None:
        """Wait a moment for a fresh book: by the candle alone an entry may be sized for more than it then costs."""
        feed, market = self._desk.ports.feed, self._desk.plan.session.market
        if feed.latest_depth(market) is None:
            await feed.depth(market, BOOK_SECONDS)

    async def _holds(
        self,
        acting: SessionTransaction,
        position: Position,
        candle: Candle,
        said: LatestSignals,
        arrays: CandleArrays,
        *,
        is_newest: bool,
    ) -> tuple[Due | None, Order | None]:
        if said.exit_long:
            reason = self._desk.plan.compiled.explain(arrays, "exit_long")
        elif self._is_held_too_long(position, candle):
            reason = f"maxHoldingBars is reached: {self._desk.plan.definition.max_holding_bars}"
        else:
            return await self._stops(acting, position, candle)
        signal = self._signal(acting, candle, SignalAction.EXIT_LONG, reason, missed=not is_newest)
        if signal.missed:
            await self._say(acting, signal, None)
            return await self._stops(acting, position, candle)
        due = Due(OrderRole.EXIT, signal.id)
        order = await self._exits.place(acting, due)
        await self._say(acting, signal, order)
        return due, order

    async def _stops(
        self, acting: SessionTransaction, position: Position, candle: Candle
    ) -> tuple[Due | None, Order | None]:
        if self._exits.is_due or not stop_hit_within(position, candle):
            return None, None
        due = Due(OrderRole.STOP_LOSS)
        return due, await self._exits.place(acting, due)

    async def _leaves(
        self, acting: SessionTransaction, candle: Candle, arrays: CandleArrays, *, is_newest: bool
    ) -> None:
        """Take back an entry that still rests; with nothing bought or to be bought an exit says nothing."""
        if not acting.holding.entries or not is_newest:
            return
        reason = self._desk.plan.compiled.explain(arrays, "exit_long")
        await cancel(acting.transaction, acting.holding.entries, acting.now)
        await self._say(acting, self._signal(acting, candle, SignalAction.EXIT_LONG, reason, missed=False), None)

    async def _enters(
        self, acting: SessionTransaction, candle: Candle, arrays: CandleArrays, *, is_newest: bool
    ) -> Order | None:
        reason = self._desk.plan.compiled.explain(arrays, "enter_long")
        missed = not is_newest or self._age(candle) > LATE_AFTER
        signal = self._signal(acting, candle, SignalAction.ENTER_LONG, reason, missed=missed)
        order: Order | None = None
        if not missed:
            try:
                order = await entry(self._desk, acting, signal, self._atr(arrays))
            except SizingError as refusal:
                signal = replace(signal, reason=f"{reason} — no order: {refusal}")
        if order is not None:
            await acting.add_order(order)
        await self._say(acting, signal, order)
        return order

    async def _say(self, acting: SessionTransaction, signal: Signal, order: Order | None) -> None:
        """Store a signal with the order that it causes; both refer to each other, which is looked at in the end."""
        signal = replace(signal, order_id=order.id if order else None)
        await acting.transaction.trading_sessions.add_signal(signal)
        message = f"{signal.action.value} missed" if signal.missed else signal.action.value
        acting.transaction.events.append([NewEvent(signal.user_id, signal.at, UserEventKind.SIGNAL, signal, message)])

    def _signal(
        self, acting: SessionTransaction, candle: Candle, action: SignalAction, reason: str, *, missed: bool
    ) -> Signal:
        session = acting.holding.session
        return Signal(
            id=self._desk.ports.ids.next_id(),
            user_id=session.user_id,
            trading_session_id=session.id,
            at=acting.now,
            action=action,
            price=candle.close,
            reason=reason,
            candle_at=candle.open_time,
            missed=missed,
        )

    def _atr(self, arrays: CandleArrays) -> Decimal | None:
        return average_true_range(arrays) if self._desk.plan.definition.needs_atr else None

    def _age(self, candle: Candle) -> timedelta:
        return self._desk.ports.feed.venue_now(candle.market.venue) - candle.close_time

    def _is_held_too_long(self, position: Position, candle: Candle) -> bool:
        most = self._desk.plan.definition.max_holding_bars
        held = candle.close_time - candle.timeframe.open_time(position.opened_at)
        return most is not None and held >= most * candle.timeframe.duration
