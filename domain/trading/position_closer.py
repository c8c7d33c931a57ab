"""Closes a trading session's position, and keeps at it until it is flat."""

from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from domain.core.pagination import KeysetPage
from domain.model.order_side import OrderSide
from domain.model.orders import Order, OrderRole
from domain.model.trading import Position
from domain.portfolio.positions import close_dust, is_dust
from domain.ports.orders import OrderFilter
from domain.ports.unit_of_work import UnitOfWork
from domain.rules.session_plan import exit_order
from domain.trading.session_context import EXIT_ROLES, SessionContext, SessionHolding, SessionTransaction, cancel

FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Due:
    """Why a position is to be closed."""

    role: OrderRole
    signal_id: UUID | None = None


class PositionCloser:
    """Places the orders that close the position, one at a time.

    Such an order has the entry as its parent. So what was begun is known after a restart: a position whose entry has
    one is to be closed. One that was denied, refused or filled in part is followed by another, at first after a second.
    """

    def __init__(self, desk: SessionContext) -> None:
        self._desk = desk
        self._due: Due | None = None
        self._position: Position | None = None
        self._pause = FIRST_PAUSE_SECONDS
        self._next_try = float("-inf")

    @property
    def is_due(self) -> bool:
        """Whether the position is to be closed already."""
        return self._due is not None

    async def go_on(self, holding: SessionHolding) -> None:
        """Place what is still needed to close a position whose closing has begun."""
        position = holding.position
        if position is None:
            self._due, self._position = None, None
            return
        if self._position is None or self._position.id != position.id:
            self._due = await self._begun(position)
        if self._position is None or self._position.quantity != position.quantity:
            self._pause = FIRST_PAUSE_SECONDS
        self._position = position
        if self._due is not None and not holding.is_exiting:
            await self.close(self._due)

    async def close(self, due: Due) -> None:
        """Close the position, now or as soon as the pause since the last try is over."""
        if self._is_too_soon():
            self._due = due
            return
        async with self._desk.acting() as acting:
            order = await self.place(acting, due)
        self.placed(due, order)

    async def place(self, acting: SessionTransaction, due: Due) -> Order | None:
        """Commit the order that closes the position; None where one is under way, or nothing can be sold.

        `placed` is to follow the commit. What can't be sold any more is told as dust, and the position is closed.
        """
        holding = acting.holding
        if holding.position is None or holding.is_exiting or self._is_too_soon():
            return None
        await cancel(acting.transaction, holding.entries, acting.now)
        if await self._swept(acting, holding.position):
            return None
        entry, tries = await _tries(acting.transaction, holding.position)
        order = exit_order(
            self._desk.plan,
            self._desk.ports.ids.next_id(),
            holding.position,
            due.role,
            len(tries),
            acting.now,
            due.signal_id,
            entry.id if entry else None,
        )
        if order is not None:
            await acting.add_order(order)
        return order

    def placed(self, due: Due, order: Order | None) -> None:
        """Take note of what was committed, and have it sent."""
        self._due = due
        self._desk.wake_executor(order.id if order else None)
        if order is not None:
            self._next_try = self._desk.ports.clock.monotonic() + self._pause
            self._pause = min(2 * self._pause, LONGEST_PAUSE_SECONDS)

    def _is_too_soon(self) -> bool:
        return self._desk.ports.clock.monotonic() < self._next_try

    async def _begun(self, position: Position) -> Due | None:
        async with self._desk.ports.database.read_only() as reading:
            _, tries = await _tries(reading, position)
        newest = max(tries, key=lambda order: order.id, default=None)
        return None if newest is None else Due(newest.role, newest.signal_id)

    async def _swept(self, acting: SessionTransaction, position: Position) -> bool:
        """Close the position where the rest of it can't be sold, and tell whether that was so."""
        market = self._desk.plan.market
        price = self._desk.ports.feed.price_of(market.symbol) or position.average_price or Decimal(0)
        if acting.holding.orders or not is_dust(position.quantity, market, price):
            return False
        locked = await acting.transaction.positions.get_open_for_update(
            position.account_id, position.market, position.trading_session_id
        )
        if locked is not None:
            await acting.save_position(close_dust(locked, market, price, acting.now), "dust")
        return True


async def _tries(reading: UnitOfWork, position: Position) -> tuple[Order | None, list[Order]]:
    """Return the newest entry of the position's session, and the orders that were to close what it opened."""
    wanted = OrderFilter(trading_session_id=position.trading_session_id, side=OrderSide.BUY)
    entries = await reading.orders.page(position.user_id, KeysetPage(limit=1), wanted)
    if not entries:
        return None, []
    children = await reading.orders.protecting([entries[0].id])
    return entries[0], [order for order in children if order.role in EXIT_ROLES]
