"""Acts on the signals that users have submitted to a trading session: stored rows, each acted on in one transaction."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from domain.core.clock import IdGenerator
from domain.model.orders import Order, OrderRole
from domain.model.trading import Signal, TradingSession
from domain.ports.unit_of_work import UnitOfWork
from domain.rules.ladder import signalled_add
from domain.rules.submitted_entry import why_missed
from domain.trading.session_context import TradingSessionContext
from domain.trading.session_intents import intend_flat
from domain.trading.session_ladder import load_ladder
from domain.trading.session_transactions import TradingSessionTransaction, record_signals
from domain.trading.signal_actor import NO_PLACE, SignalActor, as_missed
from domain.trading.strategy_evaluator import StrategyEvaluator


class SubmittedSignals:
    """The signals that wait for one market of a trading session; entries wait until `is_ready`, exits for nothing."""

    def __init__(self, context: TradingSessionContext, evaluator: StrategyEvaluator, actor: SignalActor) -> None:
        self._context = context
        self._evaluator = evaluator
        self._actor = actor
        self.is_ready = False

    def __repr__(self) -> str:
        return f"SubmittedSignals({self._context!r}, is_ready={self.is_ready})"

    async def act(self) -> None:
        """Act on all signals that wait, oldest first; an entry that can't be acted on yet goes on waiting."""
        has_waited = False
        while waiting := await self._waiting():
            if waiting[0].action.enters and self._may_enter_now and not has_waited:
                await self._actor.wait_for_depth()
                has_waited = True
            if not await self._act_on_oldest():
                return

    @property
    def _may_enter_now(self) -> bool:
        """Whether the candles are there and it is known what the trading session holds."""
        return self.is_ready and self._context.executor.reconciled

    async def _waiting(self) -> Sequence[Signal]:
        async with self._context.database.read_only() as reading:
            return self._own(await reading.trading_sessions.list_waiting_signals(self._context.session.id))

    def _own(self, signals: Sequence[Signal]) -> Sequence[Signal]:
        return [signal for signal in signals if signal.market == self._context.symbol]

    async def _act_on_oldest(self) -> bool:
        """Act on the signal that has waited longest; False if there is none, or it must wait."""
        done = await self._context.transact(self._act)
        if done is None:
            return False
        self._actor.wake(*done)
        return True

    async def _act(self, transaction: TradingSessionTransaction) -> tuple[Signal, Order | None] | None:
        sessions = transaction.unit_of_work.trading_sessions
        waiting = self._own(await sessions.list_waiting_signals(self._context.session.id))
        if not waiting:
            return None
        oldest, *later = waiting
        signal = replace(oldest, price=self._context.feed.price_of(self._context.symbol) or oldest.price)
        if not signal.action.enters:
            await self._exit(transaction, signal)
            return signal, None
        known = await load_ladder(self._context, transaction.unit_of_work, transaction.state, signal.price)
        atr = self._evaluator.atr
        number = None if known is None else signalled_add(known.ladder, signal.price, atr, enters=True)
        why = _why_missed(transaction, signal, later, can_add=number is not None)
        if why is None and not self._may_enter_now:
            return None
        if why is not None or known is None or number is None:
            return signal, await self._actor.enter(transaction, as_missed(signal, why), atr)
        assert transaction.state.position is not None
        signal = replace(signal, position_id=transaction.state.position.id, add_number=number)
        return signal, await self._actor.add(transaction, signal, known.ladder, atr)

    async def _exit(self, transaction: TradingSessionTransaction, signal: Signal) -> None:
        state = transaction.state
        has_effect = state.position is not None or bool(state.entries)
        why = None if has_effect else "the trading session has no position and no entry to close"
        await self._actor.exit(transaction, as_missed(signal, why))


async def settle_waiting_signals(
    unit_of_work: UnitOfWork, session: TradingSession, at: datetime, ids: IdGenerator
) -> None:
    """Settle what waits for a trading session that has failed: entries are missed, an exit still closes its position.

    Its entry orders must be cancelled by the caller.
    """
    for waiting in await unit_of_work.trading_sessions.list_waiting_signals(session.id):
        why = f"the trading session is {session.status.value}" if waiting.action.enters else None
        await record_signals(unit_of_work, [as_missed(waiting, why)], at)
        if not waiting.action.enters:
            why_flat, role = waiting.reason, OrderRole.EXIT
            market = waiting.market or session.market
            await intend_flat(unit_of_work, ids.next_id(), session, market, None, role, why_flat, at, waiting.id)


def _why_missed(
    transaction: TradingSessionTransaction, signal: Signal, later: Sequence[Signal], *, can_add: bool
) -> str | None:
    state = transaction.state
    has_exit_after = any(not other.action.enters for other in later)
    has_place = state.is_flat or can_add
    why = why_missed(
        state.session.status, transaction.now - signal.at, has_place=has_place, has_exit_after=has_exit_after
    )
    return NO_PLACE if why is None and state.is_flat and not state.has_place else why
