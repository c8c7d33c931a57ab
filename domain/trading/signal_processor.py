"""Evaluates a trading session's strategy on a closed candle and commits the signal and its order in one transaction."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from domain.indicators.candle_arrays import CandleArrays
from domain.model.markets import Candle
from domain.model.orders import Order
from domain.model.trading import Signal, SignalAction, TradingSessionStatus
from domain.rules.entry import MAX_ENTRY_DELAY
from domain.rules.ladder import ladder_entries, signalled_add
from domain.strategies.compiled import average_true_range
from domain.trading.candle_buffer import CandleBuffer
from domain.trading.session_context import TradingSessionContext, TradingSessionTransaction
from domain.trading.session_ladder import load_ladder
from domain.trading.signal_actor import SignalActor


class SignalProcessor:
    """Processes one candle in one transaction: the signal, its order or intent, and that the candle was processed."""

    def __init__(self, context: TradingSessionContext, history: CandleBuffer, actor: SignalActor) -> None:
        self._context = context
        self._history = history
        self._actor = actor

    async def on_candle(self, candle: Candle, *, is_newest: bool) -> None:
        """Act on a closed candle; a signal on a candle that isn't the newest is too late, and is stored as missed."""
        arrays = self._history.arrays(candle.open_time)
        compiled = self._context.plan.compiled
        signals, adds = compiled.latest(arrays), compiled.latest_adds(arrays)
        if (signals.enter_long or adds) and is_newest:
            await self._actor.wait_for_depth()
        signal: Signal | None = None
        order: Order | None = None
        async with self._context.transaction() as transaction:
            state = transaction.state
            last = state.session.last_candle_at
            if last is not None and last >= candle.open_time:
                return
            await transaction.save_session(replace(state.session, last_candle_at=candle.open_time), publish=False)
            if state.session.status is TradingSessionStatus.STOPPING:
                return
            if signals.exit_long:
                signal = await self._exit(transaction, candle, arrays, is_newest=is_newest)
            elif signals.enter_long and state.is_flat and state.session.status is TradingSessionStatus.RUNNING:
                signal = self._entry_signal(transaction, candle, arrays, is_newest=is_newest)
                order = await self._actor.enter(transaction, signal, self._atr(arrays))
            elif (signals.enter_long or adds) and is_newest and self._age(candle) <= MAX_ENTRY_DELAY:
                signal, order = await self._add(transaction, candle, arrays, adds, enters=signals.enter_long)
        if signal is not None:
            self._actor.wake(signal, order)

    async def _exit(
        self, transaction: TradingSessionTransaction, candle: Candle, arrays: CandleArrays, *, is_newest: bool
    ) -> Signal | None:
        """Act on an exit; None if it has no effect: without a position or an entry order, or if it comes too late."""
        state = transaction.state
        if state.position is None and not (state.entries and is_newest):
            return None
        reason = self._context.plan.compiled.explain(arrays, "exit_long")
        signal = self._signal(transaction, candle, SignalAction.EXIT_LONG, reason, missed=not is_newest)
        await self._actor.exit(transaction, signal)
        return signal

    async def _add(
        self,
        transaction: TradingSessionTransaction,
        candle: Candle,
        arrays: CandleArrays,
        adds: frozenset[int],
        *,
        enters: bool,
    ) -> tuple[Signal | None, Order | None]:
        """Make the further entry that the candle leads to, if there is one."""
        known = await load_ladder(self._context, transaction.unit_of_work, transaction.state)
        if known is None:
            return None, None
        ladder, atr = known.ladder, self._atr(arrays)
        number = signalled_add(ladder, candle.close, atr, rules=adds, enters=enters)
        if number is None:
            return None, None
        compiled = self._context.plan.compiled
        by_rule = next(
            compiled.explain_add(arrays, each.index) for each in ladder_entries(ladder.adds) if each.number == number
        )
        reason = f"add {number}: {by_rule or compiled.explain(arrays, 'enter_long')}"
        signal = self._signal(transaction, candle, SignalAction.ENTER_LONG, reason, missed=False)
        assert transaction.state.position is not None
        signal = replace(signal, position_id=transaction.state.position.id, add_number=number)
        return signal, await self._actor.add(transaction, signal, ladder, atr)

    def _entry_signal(
        self, transaction: TradingSessionTransaction, candle: Candle, arrays: CandleArrays, *, is_newest: bool
    ) -> Signal:
        reason = self._context.plan.compiled.explain(arrays, "enter_long")
        missed = not is_newest or self._age(candle) > MAX_ENTRY_DELAY
        return self._signal(transaction, candle, SignalAction.ENTER_LONG, reason, missed=missed)

    def _signal(
        self, transaction: TradingSessionTransaction, candle: Candle, action: SignalAction, reason: str, *, missed: bool
    ) -> Signal:
        session = transaction.state.session
        return Signal(
            id=self._context.ids.next_id(),
            user_id=session.user_id,
            trading_session_id=session.id,
            at=transaction.now,
            action=action,
            price=candle.close,
            reason=reason,
            candle_at=candle.open_time,
            missed=missed,
        )

    def _atr(self, arrays: CandleArrays) -> Decimal | None:
        return average_true_range(arrays) if self._context.plan.definition.needs_atr else None

    def _age(self, candle: Candle) -> timedelta:
        return self._context.feed.venue_now(candle.market.venue) - candle.close_time
