"""Monitors a trading session's position for its stop-loss and take-profit."""

from collections.abc import Iterable
from decimal import Decimal

from domain.model.markets import Candle, Trade
from domain.model.orders import OrderRole
from domain.model.trading import Position
from domain.rules.session_plan import exit_triggered_by, protection
from domain.strategies.compiled import average_true_range
from domain.trading.candle_buffer import CandleBuffer
from domain.trading.session_context import TradingSessionContext


class ProtectionMonitor:
    """Sets a position's stop-loss and take-profit prices in its row, and detects trades that reach them."""

    def __init__(self, context: TradingSessionContext) -> None:
        self._context = context
        self._position: Position | None = None
        self._protected_price: Decimal | None = None
        """The average price that the position's stop-loss and take-profit were computed from."""

    async def update(self, position: Position | None, history: CandleBuffer) -> None:
        """Monitor this position; set its prices if it is new or its average price has changed."""
        before, self._position = self._position, position
        if position is None or position.average_price is None:
            return
        is_protected = position.stop_loss_price is not None or position.take_profit_price is not None
        is_new = before is None or before.id != position.id
        if is_new:
            self._protected_price = position.average_price if is_protected else None
        if position.average_price != self._protected_price:
            await self._protect(position, history)

    def reached_by(self, trades: Iterable[Trade]) -> OrderRole | None:
        """Return STOP_LOSS or TAKE_PROFIT if a trade reaches that price, the first that one does; else None."""
        position = self._position
        if position is None:
            return None
        reached = (exit_triggered_by(position, trade.price) for trade in trades)
        return next((role for role in reached if role is not None), None)

    async def _protect(self, position: Position, history: CandleBuffer) -> None:
        definition = self._context.plan.definition
        if position.average_price is None or not (definition.stop_loss or definition.take_profit):
            return
        duration = self._context.plan.session.timeframe.duration
        atr = average_true_range(history.arrays(position.opened_at - duration)) if definition.needs_atr else None
        if definition.needs_atr and atr is None:
            self._position = None  # Its candles aren't loaded yet: the next update takes it as new again.
            return
        stop, profit = protection(self._context.plan, position.average_price, atr)
        async with self._context.transaction() as transaction:
            locked = await transaction.unit_of_work.positions.get_open_for_update(
                position.account_id, position.market, position.trading_session_id
            )
            if locked is None or locked.id != position.id:
                return
            protected = locked.changed(stop_loss_price=stop, take_profit_price=profit)
            await transaction.save_position(protected, "protected")
        self._position, self._protected_price = protected, position.average_price


def stop_hit_within(position: Position, candle: Candle) -> bool:
    """Return whether a candle that opened after a long position did reached the position's stop-loss.

    The trades themselves were monitored, unless the engine was down or the feed broken: a stop that was hit then is
    acted on late rather than never. A take-profit that was hit isn't: by now the price may be a loss.
    """
    stop = position.stop_loss_price
    return stop is not None and candle.open_time >= position.opened_at and candle.low <= stop
