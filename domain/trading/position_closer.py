"""Closes a trading session's position, and retries until it is flat."""

from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from domain.core.backoff import Backoff
from domain.core.pagination import KeysetPage
from domain.execution.commands import place_order
from domain.model.order_side import OrderSide
from domain.model.orders import Order, OrderRole
from domain.model.trading import Position
from domain.portfolio.positions import close_dust, is_dust
from domain.ports.orders import OrderFilter
from domain.ports.unit_of_work import UnitOfWork
from domain.rules.session_plan import exit_order
from domain.trading.session_context import (
    TradingSessionContext,
    TradingSessionState,
    TradingSessionTransaction,
)

FIRST_RETRY_SECONDS = 1.0
LONGEST_RETRY_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class ExitReason:
    """Why a position is to be closed: the role that its exit orders have, and the signal that caused them."""

    role: OrderRole
    signal_id: UUID | None = None


class PositionCloser:
    """Places the orders that close the position, one at a time.

    Such an order has the entry as its parent, which makes the intention durable: after a restart, a position whose
    entry has an exit order is to be closed. An exit order that is denied, rejected or partially filled is followed by
    another one, after a back-off that starts at a second.
    """

    def __init__(self, context: TradingSessionContext) -> None:
        self._context = context
        self._reason: ExitReason | None = None
        self._position: Position | None = None
        self._backoff = Backoff(FIRST_RETRY_SECONDS, LONGEST_RETRY_SECONDS)
        self._next_try = float("-inf")

    @property
    def is_closing(self) -> bool:
        """Whether the position is being closed already."""
        return self._reason is not None

    async def resume(self, state: TradingSessionState) -> None:
        """Place the next order of a position whose closing has started, if one is needed."""
        position = state.position
        if position is None:
            self._reason, self._position = None, None
            return
        if self._position is None or self._position.id != position.id:
            self._reason = await self._stored_reason(position)
        if self._position is None or self._position.quantity != position.quantity:
            self._backoff.reset()
        self._position = position
        if self._reason is not None and not state.is_exiting:
            await self.close(self._reason)

    async def close(self, reason: ExitReason) -> None:
        """Close the position, now or as soon as the back-off since the last order is over."""
        if self._is_too_soon():
            self._reason = reason
            return
        async with self._context.transaction() as transaction:
            order = await self.place(transaction, reason)
        self.on_placed(reason, order)

    async def place(self, transaction: TradingSessionTransaction, reason: ExitReason) -> Order | None:
        """Store an order that closes the position; None if one is active already, or nothing can be sold.

        Call `on_placed` after the commit. A remainder that is too small to be sold is recorded as dust, and the
        position is closed.
        """
        state = transaction.state
        if state.position is None or state.is_exiting or self._is_too_soon():
            return None
        await transaction.cancel_entries()
        if await self._close_dust(transaction, state.position):
            return None
        entry, exits = await _entry_and_exits(transaction.unit_of_work, state.position)
        order = exit_order(
            self._context.plan,
            self._context.ids.next_id(),
            state.position,
            reason.role,
            len(exits),
            transaction.now,
            reason.signal_id,
            entry.id if entry else None,
        )
        if order is not None:
            await place_order(transaction.unit_of_work, order)
        return order

    def on_placed(self, reason: ExitReason, order: Order | None) -> None:
        """Remember what was committed, and have it sent."""
        self._reason = reason
        self._context.wake_executor(order.id if order else None)
        if order is not None:
            delay = self._backoff.next_delay(at_least=FIRST_RETRY_SECONDS)
            self._next_try = self._context.clock.monotonic() + delay

    def _is_too_soon(self) -> bool:
        return self._context.clock.monotonic() < self._next_try

    async def _stored_reason(self, position: Position) -> ExitReason | None:
        async with self._context.database.read_only() as reading:
            _, exits = await _entry_and_exits(reading, position)
        newest = max(exits, key=lambda order: order.id, default=None)
        return None if newest is None else ExitReason(newest.role, newest.signal_id)

    async def _close_dust(self, transaction: TradingSessionTransaction, position: Position) -> bool:
        """Close the position if its remainder is too small to be sold; return whether it is."""
        market = self._context.plan.market
        price = self._context.feed.price_of(market.symbol) or position.average_price or Decimal(0)
        if transaction.state.orders or not is_dust(position.quantity, market, price):
            return False
        locked = await transaction.unit_of_work.positions.get_open_for_update(
            position.account_id, position.market, position.trading_session_id
        )
        if locked is not None:
            await transaction.save_position(close_dust(locked, market, price, transaction.now), "dust")
        return True


async def _entry_and_exits(unit_of_work: UnitOfWork, position: Position) -> tuple[Order | None, list[Order]]:
    """Return the newest entry of the position's trading session, and the exit orders that it is the parent of."""
    bought = OrderFilter(trading_session_id=position.trading_session_id, side=OrderSide.BUY)
    entries = await unit_of_work.orders.list_page(position.user_id, KeysetPage(limit=1), bought)
    if not entries:
        return None, []
    children = await unit_of_work.orders.list_children([entries[0].id])
    return entries[0], [order for order in children if order.role.is_exit]
