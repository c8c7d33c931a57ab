"""Acts on what a strategy makes of a closed candle: the signal and its order are committed in one transaction."""

from dataclasses import replace
from datetime import timedelta
from functools import partial

from domain.model.markets import Candle
from domain.model.orders import Order
from domain.model.trading import Signal, SignalAction, TradingSessionStatus
from domain.ports.trading_sessions import SeenCandle
from domain.rules.entry import MAX_ENTRY_DELAY
from domain.rules.ladder import ladder_entries, signalled_add
from domain.rules.position_facts import position_facts
from domain.trading.session_context import TradingSessionContext
from domain.trading.session_ladder import load_ladder
from domain.trading.session_state import TradingSessionState
from domain.trading.session_transactions import TradingSessionTransaction
from domain.trading.signal_actor import NO_PLACE, SignalActor, as_missed
from domain.trading.strategy_evaluator import CandleEvaluation, StrategyEvaluator


class SignalProcessor:
    """Processes one candle in one transaction: the signal, its order or intent, and that the candle was processed."""

    def __init__(self, context: TradingSessionContext, evaluator: StrategyEvaluator, actor: SignalActor) -> None:
        self._context = context
        self._evaluator = evaluator
        self._actor = actor

    async def on_candle(self, evaluation: CandleEvaluation, *, is_newest: bool) -> None:
        """Act on a closed candle; a signal on a candle that isn't the newest is too late, and is stored as missed."""
        if (evaluation.enters or evaluation.adds or self._evaluator.compiled.uses_position) and is_newest:
            await self._actor.wait_for_depth()
        signal, order = await self._context.transact(partial(self._act, evaluation, is_newest))
        if signal is not None:
            self._actor.wake(signal, order)

    async def _act(
        self, evaluation: CandleEvaluation, is_newest: bool, transaction: TradingSessionTransaction
    ) -> tuple[Signal | None, Order | None]:
        state, candle = transaction.state, evaluation.candle
        last = await transaction.batch.last_candle_at(state.session.id, state.symbol)
        if last is not None and last >= candle.open_time:
            return None, None
        transaction.batch.see(SeenCandle(state.session.id, state.symbol, candle.open_time))
        if state.session.status is TradingSessionStatus.STOPPING:
            return None, None
        evaluation = self._with_position(evaluation, state)
        if evaluation.exits:
            return await self._exit(transaction, evaluation, is_newest=is_newest), None
        if evaluation.enters and state.is_flat and state.session.status is TradingSessionStatus.RUNNING:
            signal = self._entry_signal(transaction, evaluation, is_newest=is_newest)
            return signal, await self._actor.enter(transaction, signal, evaluation.atr)
        if not state.is_flat and is_newest and self._age(candle) <= MAX_ENTRY_DELAY:
            return await self._add(transaction, evaluation)
        return None, None

    def _with_position(self, evaluation: CandleEvaluation, state: TradingSessionState) -> CandleEvaluation:
        """Return what the rules make of the candle with the session's own position, if they name one that is open."""
        position = state.position
        if position is None or position.average_price is None or not self._evaluator.compiled.uses_position:
            return evaluation
        candle = evaluation.candle
        facts = position_facts(position.opened_at, position.average_price, position.quantity, candle)
        return self._evaluator.evaluate_with(candle, facts)

    async def _exit(
        self, transaction: TradingSessionTransaction, evaluation: CandleEvaluation, *, is_newest: bool
    ) -> Signal | None:
        """Act on an exit; None if it has no effect: without a position or an entry order, or if it comes too late."""
        state = transaction.state
        if state.position is None and not (state.entries and is_newest):
            return None
        signal = self._signal(transaction, evaluation.candle, SignalAction.EXIT_LONG, evaluation.exit_reason)
        signal = replace(signal, missed=not is_newest)
        await self._actor.exit(transaction, signal)
        return signal

    async def _add(
        self, transaction: TradingSessionTransaction, evaluation: CandleEvaluation
    ) -> tuple[Signal | None, Order | None]:
        """Make the further entry that the candle leads to, if there is one."""
        close = evaluation.candle.close
        known = await load_ladder(self._context, transaction.unit_of_work, transaction.state, close)
        if known is None:
            return None, None
        ladder, atr = known.ladder, evaluation.atr
        number = signalled_add(ladder, close, atr, rules=evaluation.adds.keys(), enters=evaluation.enters)
        if number is None:
            return None, None
        index = next(entry.index for entry in ladder_entries(ladder.adds) if entry.number == number)
        reason = f"add {number}: {evaluation.adds.get(index) or evaluation.entry_reason}"
        signal = self._signal(transaction, evaluation.candle, SignalAction.ENTER_LONG, reason)
        assert transaction.state.position is not None
        signal = replace(signal, position_id=transaction.state.position.id, add_number=number)
        return signal, await self._actor.add(transaction, signal, ladder, atr)

    def _entry_signal(
        self, transaction: TradingSessionTransaction, evaluation: CandleEvaluation, *, is_newest: bool
    ) -> Signal:
        candle = evaluation.candle
        signal = self._signal(transaction, candle, SignalAction.ENTER_LONG, evaluation.entry_reason)
        if not is_newest or self._age(candle) > MAX_ENTRY_DELAY:
            return replace(signal, missed=True)
        return as_missed(signal, None if transaction.state.has_place else NO_PLACE)

    def _signal(
        self, transaction: TradingSessionTransaction, candle: Candle, action: SignalAction, reason: str
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
            market=candle.market,
        )

    def _age(self, candle: Candle) -> timedelta:
        return self._context.feed.venue_now(candle.market.venue) - candle.close_time
