"""Evaluates a trading session's strategy on a closed candle and commits the signal and its order in one transaction."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from domain.execution.commands import place_order
from domain.indicators.candle_arrays import CandleArrays
from domain.model.events import NewEvent, UserEventKind
from domain.model.markets import Candle
from domain.model.orders import Order, OrderRole, OrderType
from domain.model.trading import Position, Signal, SignalAction, TradingSessionStatus
from domain.portfolio.equity import compute_equity
from domain.rules.session_plan import entry_order, entry_price
from domain.rules.sizing import SizingContext, SizingError, exit_distance, size_entry
from domain.strategies.compiled import average_true_range
from domain.strategies.evaluation import LatestSignals
from domain.trading.candle_buffer import CandleBuffer
from domain.trading.position_closer import ExitReason, PositionCloser
from domain.trading.protection import stop_hit_within
from domain.trading.session_context import TradingSessionContext, TradingSessionTransaction

MAX_ENTRY_DELAY = timedelta(seconds=10)
"""How long after a candle's close an entry on it may still be made."""
DEPTH_TIMEOUT_SECONDS = 3.0
"""How long an entry waits for a fresh order book of its market, if there is none when its candle closes."""

_ONE = Decimal(1)


class SignalProcessor:
    """Processes one candle in one transaction: the signal, its order, and that the candle was processed."""

    def __init__(self, context: TradingSessionContext, closer: PositionCloser, history: CandleBuffer) -> None:
        self._context = context
        self._closer = closer
        self._history = history

    async def on_candle(self, candle: Candle, *, is_newest: bool) -> None:
        """Act on a closed candle; a signal on a candle that isn't the newest is too late, and is stored as missed."""
        arrays = self._history.arrays(candle.open_time)
        signals = self._context.plan.compiled.latest(arrays)
        exit_reason: ExitReason | None = None
        if signals.enter_long and is_newest:
            await self._wait_for_depth()
        async with self._context.transaction() as transaction:
            state = transaction.state
            last = state.session.last_candle_at
            if last is not None and last >= candle.open_time:
                return
            await transaction.save_session(replace(state.session, last_candle_at=candle.open_time), publish=False)
            order = None
            if state.session.status is TradingSessionStatus.STOPPING:
                return
            if state.position is not None:
                exit_reason, order = await self._manage_position(
                    transaction, state.position, candle, signals, arrays, is_newest=is_newest
                )
            elif signals.exit_long:
                await self._cancel_entries(transaction, candle, arrays, is_newest=is_newest)
            elif signals.enter_long and not state.orders and state.session.status is TradingSessionStatus.RUNNING:
                order = await self._enter(transaction, candle, arrays, is_newest=is_newest)
        if exit_reason is not None:
            self._closer.on_placed(exit_reason, order)
        elif order is not None:
            self._context.wake_executor(order.id)

    async def _wait_for_depth(self) -> None:
        """Wait for a fresh book: sized by the candle's close alone, an entry may cost more than it was sized for."""
        feed, market = self._context.feed, self._context.plan.session.market
        if feed.latest_depth(market) is None:
            await feed.depth(market, DEPTH_TIMEOUT_SECONDS)

    async def _manage_position(
        self,
        transaction: TradingSessionTransaction,
        position: Position,
        candle: Candle,
        signals: LatestSignals,
        arrays: CandleArrays,
        *,
        is_newest: bool,
    ) -> tuple[ExitReason | None, Order | None]:
        """Exit by the strategy's rule or its longest holding time; else check the stop-loss."""
        if signals.exit_long:
            reason = self._context.plan.compiled.explain(arrays, "exit_long")
        elif self._is_held_too_long(position, candle):
            reason = f"maxHoldingBars is reached: {self._context.plan.definition.max_holding_bars}"
        else:
            return await self._check_stop(transaction, position, candle)
        signal = self._signal(transaction, candle, SignalAction.EXIT_LONG, reason, missed=not is_newest)
        if signal.missed:
            await self._record(transaction, signal, None)
            return await self._check_stop(transaction, position, candle)
        exit_reason = ExitReason(OrderRole.EXIT, signal.id)
        order = await self._closer.place(transaction, exit_reason)
        await self._record(transaction, signal, order)
        return exit_reason, order

    async def _check_stop(
        self, transaction: TradingSessionTransaction, position: Position, candle: Candle
    ) -> tuple[ExitReason | None, Order | None]:
        if self._closer.is_closing or not stop_hit_within(position, candle):
            return None, None
        exit_reason = ExitReason(OrderRole.STOP_LOSS)
        return exit_reason, await self._closer.place(transaction, exit_reason)

    async def _cancel_entries(
        self, transaction: TradingSessionTransaction, candle: Candle, arrays: CandleArrays, *, is_newest: bool
    ) -> None:
        """Cancel resting entry orders; without a position or a resting entry an exit signal has no effect."""
        if not transaction.state.entries or not is_newest:
            return
        reason = self._context.plan.compiled.explain(arrays, "exit_long")
        await transaction.cancel_entries()
        signal = self._signal(transaction, candle, SignalAction.EXIT_LONG, reason, missed=False)
        await self._record(transaction, signal, None)

    async def _enter(
        self, transaction: TradingSessionTransaction, candle: Candle, arrays: CandleArrays, *, is_newest: bool
    ) -> Order | None:
        reason = self._context.plan.compiled.explain(arrays, "enter_long")
        missed = not is_newest or self._age(candle) > MAX_ENTRY_DELAY
        signal = self._signal(transaction, candle, SignalAction.ENTER_LONG, reason, missed=missed)
        order: Order | None = None
        if not missed:
            try:
                order = await _build_entry(self._context, transaction, signal, self._atr(arrays))
            except SizingError as error:
                signal = replace(signal, reason=f"{reason} — no order: {error}")
        if order is not None:
            await place_order(transaction.unit_of_work, order)
        await self._record(transaction, signal, order)
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

    def _is_held_too_long(self, position: Position, candle: Candle) -> bool:
        most = self._context.plan.definition.max_holding_bars
        held = candle.close_time - candle.timeframe.open_time(position.opened_at)
        return most is not None and held >= most * candle.timeframe.duration


async def _build_entry(
    context: TradingSessionContext, transaction: TradingSessionTransaction, signal: Signal, atr: Decimal | None
) -> Order:
    """Return the order to buy that an entry signal causes, not stored yet; raises `SizingError`.

    `atr` is ATR(14) at the signal's candle, in quote per base.
    """
    plan, market, feed = context.plan, context.plan.market, context.feed
    account_id, depth = plan.session.account_id, feed.latest_depth(market.symbol)
    price = entry_price(plan.definition.order, depth, signal.price, market)
    if price <= 0:
        raise SizingError(f"the limit price would be {price:f}")
    balances = (await transaction.unit_of_work.accounts.balances([account_id])).get(account_id, [])
    stop = plan.definition.stop_loss
    sizing_context = SizingContext(
        market=market,
        price=price,
        free_quote=next((balance.free for balance in balances if balance.currency == market.quote), Decimal(0)),
        equity=compute_equity(plan.currency, balances, context.convert).total,
        quote_rate=context.convert(_ONE, market.quote, plan.currency),
        atr=atr,
        stop_distance=exit_distance(stop, price, atr) if stop else None,
        asks=depth.asks if depth and plan.definition.order.type is OrderType.MARKET else (),
    )
    size = size_entry(plan.sizing, sizing_context)
    return entry_order(plan, context.ids.next_id(), signal, size, price, transaction.now)
