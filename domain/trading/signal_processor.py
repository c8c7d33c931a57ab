"""Evaluates a trading session's strategy on a closed candle and commits the signal and its order in one transaction."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from domain.core.money import ZERO
from domain.execution.commands import place_order
from domain.indicators.candle_arrays import CandleArrays
from domain.model.events import NewEvent, UserEventKind
from domain.model.markets import Candle
from domain.model.orders import Order, OrderRole, OrderType
from domain.model.trading import Signal, SignalAction, TradingSessionStatus
from domain.portfolio.equity import compute_equity
from domain.rules.entry import entry_order, entry_price, protection_rules
from domain.rules.sizing import SizingContext, SizingError, exit_distance, size_entry
from domain.strategies.compiled import average_true_range
from domain.trading.candle_buffer import CandleBuffer
from domain.trading.session_context import TradingSessionContext, TradingSessionState, TradingSessionTransaction
from domain.trading.session_intents import end_intent, intend_flat
from domain.trading.session_protection import protect_entry

MAX_ENTRY_DELAY = timedelta(seconds=10)
"""How long after a candle's close an entry on it may still be made."""
DEPTH_TIMEOUT_SECONDS = 3.0
"""How long an entry waits for a fresh order book of its market, if there is none when its candle closes."""

_ONE = Decimal(1)


class SignalProcessor:
    """Processes one candle in one transaction: the signal, its order or intent, and that the candle was processed."""

    def __init__(self, context: TradingSessionContext, history: CandleBuffer) -> None:
        self._context = context
        self._history = history

    async def on_candle(self, candle: Candle, *, is_newest: bool) -> None:
        """Act on a closed candle; a signal on a candle that isn't the newest is too late, and is stored as missed."""
        arrays = self._history.arrays(candle.open_time)
        signals = self._context.plan.compiled.latest(arrays)
        if signals.enter_long and is_newest:
            await self._wait_for_depth()
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
                await self._exit(transaction, candle, arrays, is_newest=is_newest)
            elif signals.enter_long and _may_enter(state):
                order = await self._enter(transaction, candle, arrays, is_newest=is_newest)
        if signals.exit_long:
            self._context.wake_keeper()
            self._context.executor.wake(None)
        elif order is not None:
            self._context.executor.wake(order.id)

    async def _wait_for_depth(self) -> None:
        """Wait for a fresh book: sized by the candle's close alone, an entry may cost more than it was sized for."""
        feed, market = self._context.feed, self._context.session.market
        if feed.latest_depth(market) is None:
            await feed.depth(market, DEPTH_TIMEOUT_SECONDS)

    async def _exit(
        self, transaction: TradingSessionTransaction, candle: Candle, arrays: CandleArrays, *, is_newest: bool
    ) -> None:
        """Leave the intent to be flat, which also closes what an entry order that is being cancelled still brings.

        Without a position or an entry order an exit signal has no effect, nor has one that comes too late.
        """
        state = transaction.state
        if state.position is None and not (state.entries and is_newest):
            return
        reason = self._context.plan.compiled.explain(arrays, "exit_long")
        signal = self._signal(transaction, candle, SignalAction.EXIT_LONG, reason, missed=not is_newest)
        await self._record(transaction, signal, None)
        if signal.missed:
            return
        await transaction.cancel_entries()
        intent_id, role = self._context.ids.next_id(), OrderRole.EXIT
        await intend_flat(
            transaction.unit_of_work, intent_id, state.session, state.position, role, reason, transaction.now, signal.id
        )

    async def _enter(
        self, transaction: TradingSessionTransaction, candle: Candle, arrays: CandleArrays, *, is_newest: bool
    ) -> Order | None:
        if transaction.state.intent is not None:
            # Its position is closed, and what the keeper has left to do must not concern the next one.
            await end_intent(transaction.unit_of_work, transaction.state.intent, transaction.now)
        reason = self._context.plan.compiled.explain(arrays, "enter_long")
        missed = not is_newest or self._age(candle) > MAX_ENTRY_DELAY
        signal = self._signal(transaction, candle, SignalAction.ENTER_LONG, reason, missed=missed)
        order: Order | None = None
        if not missed:
            try:
                order = await self._place_entry(transaction, signal, self._atr(arrays))
            except SizingError as error:
                signal = replace(signal, reason=f"{reason} — no order: {error}")
        await self._record(transaction, signal, order)
        return order

    async def _place_entry(self, transaction: TradingSessionTransaction, signal: Signal, atr: Decimal | None) -> Order:
        """Store the order of an entry signal with the protection of what it brings; raises `SizingError`."""
        rules = protection_rules(self._context.plan.definition, transaction.state.session.timeframe, atr)
        if rules is None:
            raise SizingError("ATR(14), by which its exits are measured, isn't known yet")
        order = await _build_entry(self._context, transaction, signal, atr)
        await place_order(transaction.unit_of_work, order)
        await protect_entry(self._context, transaction.unit_of_work, order, rules)
        return order

    async def _record(self, transaction: TradingSessionTransaction, signal: Signal, order: Order | None) -> None:
        """Store a signal with the order that it causes; their references to each other are checked at the commit."""
        signal = replace(signal, order_id=order.id if order else None)
        await transaction.unit_of_work.trading_sessions.add_signal(signal)
        message = f"{signal.action.value} missed" if signal.missed else signal.action.value
        event = NewEvent(signal.user_id, signal.at, UserEventKind.SIGNAL, signal, message)
        transaction.unit_of_work.events.append([event])

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


def _may_enter(state: TradingSessionState) -> bool:
    """Return whether nothing is open or under way."""
    is_flat = state.position is None and not state.orders
    return is_flat and state.session.status is TradingSessionStatus.RUNNING


async def _build_entry(
    context: TradingSessionContext, transaction: TradingSessionTransaction, signal: Signal, atr: Decimal | None
) -> Order:
    """Return the order to buy that an entry signal causes, not stored yet; raises `SizingError`.

    `atr` is ATR(14) at the signal's candle, in quote per base.
    """
    plan, market, feed = context.plan, context.market, context.feed
    if market is None:
        raise SizingError(f"{context.session.market} isn't listed at its venue")
    account_id, depth = plan.session.account_id, feed.latest_depth(market.symbol)
    price = entry_price(plan.definition.order, depth, signal.price, market)
    if price <= 0:
        raise SizingError(f"the limit price would be {price:f}")
    balances = (await transaction.unit_of_work.accounts.balances([account_id])).get(account_id, [])
    stops = [stop for stop in (plan.definition.stop_loss, plan.definition.trailing_stop) if stop is not None]
    distances = [distance for stop in stops if (distance := exit_distance(stop, price, atr)) is not None]
    sizing_context = SizingContext(
        market=market,
        price=price,
        free_quote=next((balance.free or ZERO for balance in balances if balance.currency == market.quote), ZERO),
        equity=compute_equity(plan.currency, balances, context.convert).total,
        quote_rate=context.convert(_ONE, market.quote, plan.currency),
        atr=atr,
        stop_distance=min(distances, default=None),
        asks=depth.asks if depth and plan.definition.order.type is OrderType.MARKET else (),
    )
    size = size_entry(plan.sizing, sizing_context)
    return entry_order(plan, context.ids.next_id(), signal, size, price, transaction.now)
