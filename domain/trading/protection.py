"""Watches a session's position against its stop-loss and take-profit."""

from collections.abc import Iterable
from decimal import Decimal

from domain.model.markets import Candle, Trade
from domain.model.orders import OrderRole
from domain.model.trading import Position
from domain.rules.session_plan import protection, triggered
from domain.strategies.compiled import average_true_range
from domain.trading.candle_buffer import CandleBuffer
from domain.trading.session_context import SessionContext


class ProtectionMonitor:
    """Gives a position its prices, kept in its row, and tells when one of them is reached."""

    def __init__(self, desk: SessionContext) -> None:
        self._desk = desk
        self._position: Position | None = None
        self._entry: Decimal | None = None

    async def keep(self, position: Position | None, history: CandleBuffer) -> None:
        """Watch the position; one that is new or has grown gets its prices, those of an older one are left alone."""
        before, self._position = self._position, position
        if position is None or position.average_price is None:
            return
        is_protected = position.stop_loss_price is not None or position.take_profit_price is not None
        is_new = before is None or before.id != position.id
        if is_new:
            self._entry = position.average_price if is_protected else None
        if position.average_price != self._entry:
            await self._protect(position, history)

    def reached_by(self, trades: Iterable[Trade]) -> OrderRole | None:
        """Return which of its prices the trades reach, None where none."""
        position = self._position
        if position is None:
            return None
        reached = (triggered(position, trade.price) for trade in trades)
        return next((role for role in reached if role is not None), None)

    async def _protect(self, position: Position, history: CandleBuffer) -> None:
        definition = self._desk.plan.definition
        if position.average_price is None or not (definition.stop_loss or definition.take_profit):
            return
        duration = self._desk.plan.session.timeframe.duration
        atr = average_true_range(history.arrays(position.opened_at - duration)) if definition.needs_atr else None
        if definition.needs_atr and atr is None:
            self._position = None  # Its history isn't here yet: it is looked at again with the next tick.
            return
        stop, profit = protection(self._desk.plan, position.average_price, atr)
        async with self._desk.acting() as acting:
            locked = await acting.transaction.positions.get_open_for_update(
                position.account_id, position.market, position.trading_session_id
            )
            if locked is None or locked.id != position.id:
                return
            protected = locked.changed(stop_loss_price=stop, take_profit_price=profit)
            await acting.save_position(protected, "protected")
        self._position, self._entry = protected, position.average_price


def stop_hit_within(position: Position, candle: Candle) -> bool:
    """Tell whether the stop-loss of a long position was reached in a candle that opened after the position had.

    Its trades were seen, unless the engine was down or the feed broken then: a stop that was hit is acted on late,
    rather than not at all. A take-profit that was hit and left again isn't: it would no longer be a profit.
    """
    stop = position.stop_loss_price
    return stop is not None and candle.open_time >= position.opened_at and candle.low <= stop
