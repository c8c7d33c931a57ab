"""What an intent to close a position is about: the position, its protection, and the orders that concern it."""

from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from domain.core.money import EXACT, ZERO
from domain.model.orders import Order, OrderRole
from domain.model.protection import PositionIntent, PositionProtection
from domain.model.trading import Position
from domain.ports.unit_of_work import UnitOfWork
from domain.rules.direction import Direction
from domain.rules.order_groups import without_rivals
from domain.trading.hand_sales import count_sold_by_hand
from domain.trading.protection_updater import count_resting


@dataclass(frozen=True, slots=True)
class PositionClosing:
    """An intent whose row is locked, the position that it closes, and the active orders that concern it."""

    intent: PositionIntent
    position: Position | None
    protection: PositionProtection | None
    entry_order_id: UUID | None
    orders: tuple[Order, ...]
    working: tuple[Order, ...] = ()
    """The active orders that may still close the same position, as the risk checks count them."""
    untold: Decimal = ZERO
    """What the venue has counted of earlier exits of the position as filled and never told the trades of, in base."""

    @property
    def entries(self) -> tuple[Order, ...]:
        """The orders that may still enlarge the position."""
        return tuple(o for o in self.orders if o.role is OrderRole.ENTRY or o.id == self.entry_order_id)

    @property
    def exits(self) -> tuple[Order, ...]:
        """The other orders that close the position, such as a take-profit that rests; they lock what is to be sold."""
        return tuple(order for order in self.orders if order.role.is_exit or order.reduce_only)

    @property
    def closes_part(self) -> bool:
        """Whether only a part of the position is to be closed."""
        return self.intent.quantity is not None

    @property
    def target(self) -> Decimal:
        """The quantity that is still to be closed, in base."""
        assert self.position is not None
        held = max(EXACT.subtract(abs(self.position.quantity), self.untold), ZERO)
        if self.intent.quantity is not None:
            return max(min(held, EXACT.subtract(self.intent.quantity, self.intent.sold)), ZERO)
        if self.protection is not None and self.protection.quantity is not None:
            return min(held, self.protection.quantity)
        return held

    def resting_in_the_way(self, quantity: Decimal) -> tuple[Order, ...]:
        """Return the orders that protect the position at the venue if they leave less than `quantity` to be closed."""
        if self._excess(quantity) <= 0:
            return ()
        return tuple(order for order in self.working if order.protection_id is not None)

    def in_the_way(self, quantity: Decimal) -> tuple[Order, ...]:
        """Return the orders by hand that leave less than `quantity` to be closed: the newest, as many as it takes."""
        excess = self._excess(quantity)
        chosen: list[Order] = []
        for order in sorted(self.working, key=lambda order: order.id, reverse=True):
            if excess > 0 and order.role is OrderRole.MANUAL and not order.status.is_final:
                chosen.append(order)
                excess = EXACT.subtract(excess, order.outstanding_quantity)
        return tuple(chosen)

    def _excess(self, quantity: Decimal) -> Decimal:
        """Return by how much `quantity` and what is to be closed already are more than the position."""
        if self.position is None or quantity <= 0:
            return ZERO
        working = without_rivals(self.working)
        closing = sum((order.outstanding_quantity for order in working), quantity)
        return EXACT.subtract(closing, abs(self.position.quantity))


async def load_closing(unit_of_work: UnitOfWork, intent: PositionIntent) -> PositionClosing:
    """Return what the intent is about."""
    active = await unit_of_work.orders.list_active(intent.account_id)
    known = await unit_of_work.protection.list_open(intent.account_id)
    protection = next((row for row in reversed(known) if _is_of(row, intent)), None)
    if protection is not None and protection.quantity is not None:
        locked = await unit_of_work.protection.get_for_update(protection.id)
        protection = None if locked is None else await count_resting(unit_of_work, locked)
    positions = await unit_of_work.positions.list_open(intent.account_id)
    position = next((position for position in positions if _concerns(position, intent, protection)), None)
    if protection is not None and position is not None:
        protection = await count_sold_by_hand(unit_of_work, protection, position)
    entry_order_id = None if protection is None else protection.entry_order_id
    if intent.trading_session_id is not None:
        owner = (intent.trading_session_id, intent.market)
        related = tuple(o for o in active if (o.trading_session_id, o.market) == owner)
    elif intent.protection_id is None:
        by_hand = tuple(o for o in active if o.market == intent.market and o.trading_session_id is None)
        related = tuple(o for o in by_hand if o.reduce_only)
    else:
        related = tuple(o for o in active if _is_related(o, intent, entry_order_id))
    if position is None:
        return PositionClosing(intent, None, protection, entry_order_id, related)
    working = tuple(order for order in active if _closes(order, position))
    lacking = await unit_of_work.orders.list_missing_fills(intent.account_id)
    # Ids follow the time at which the engine made them.
    given_up = (o for o in lacking if not o.awaits_fills and o.id > position.id and _closes(o, position))
    untold = sum((order.missing_quantity for order in given_up), ZERO)
    return PositionClosing(intent, position, protection, entry_order_id, related, working, untold)


def _is_related(order: Order, intent: PositionIntent, entry_order_id: UUID | None) -> bool:
    """Return whether an order is the entry of a protection, or closes what it protects."""
    if order.protection_id is not None and order.protection_id == intent.protection_id:
        return True
    return entry_order_id is not None and entry_order_id in {order.id, order.parent_id}


def _closes(order: Order, position: Position) -> bool:
    """Return whether an active order may still close the position; one that is held closes nothing yet."""
    is_of_owner = order.market == position.market and order.trading_session_id == position.trading_session_id
    return is_of_owner and order.side is Direction.of(position.quantity).exit_side and not order.is_held


def _is_of(protection: PositionProtection, intent: PositionIntent) -> bool:
    """Return whether a protection is that of what the intent closes."""
    if intent.trading_session_id is None:
        return protection.id == intent.protection_id
    return (protection.market, protection.trading_session_id) == (intent.market, intent.trading_session_id)


def _concerns(position: Position, intent: PositionIntent, protection: PositionProtection | None) -> bool:
    """Return whether the open position is the one that the intent is to close.

    That of a trading session is the session's, whichever it is: its entries are cancelled, and bring no other one.
    """
    is_of_owner = position.market == intent.market and position.trading_session_id == intent.trading_session_id
    if intent.trading_session_id is not None:
        return is_of_owner
    named = intent.position_id if protection is None else protection.position_id
    return is_of_owner and named in {None, position.id}
