"""Takes off the protections of single entry orders what was sold of their position by hand."""

from collections.abc import Sequence
from decimal import Decimal
from uuid import UUID

from domain.core.money import EXACT, ZERO
from domain.model.order_side import OrderSide
from domain.model.orders import Fill
from domain.model.protection import PositionProtection
from domain.model.trading import Position
from domain.ports.orders import OrderFilter
from domain.ports.unit_of_work import UnitOfWork
from domain.rules.hand_sales import PositionChange, taken_by_hand


async def count_sold_by_hand(
    unit_of_work: UnitOfWork, protection: PositionProtection, position: Position
) -> PositionProtection:
    """Take off what was sold by hand of a protection, whose row is locked and whose position is known, and return it.

    What is sold before the protection has counted the purchase is taken off later, once it has.
    """
    if protection.quantity is None or protection.position_id != position.id:
        return protection
    others = await unit_of_work.protection.list_of_positions([position.id])
    selected = OrderFilter(position.account_id, market=position.market, start=position.opened_at)
    fills = [
        fill
        for fill in await unit_of_work.orders.list_all_fills(position.user_id, selected)
        if fill.trading_session_id is None
    ]
    if all(fill.side is OrderSide.BUY for fill in fills):
        return protection
    taken = taken_by_hand(await _changes(unit_of_work, fills, others)).get(protection.id, ZERO)
    lessening = min(EXACT.subtract(taken, protection.sold_by_hand), protection.quantity)
    if not lessening:
        return protection
    counted = protection.changed(
        quantity=EXACT.subtract(protection.quantity, lessening),
        sold_by_hand=EXACT.add(protection.sold_by_hand, lessening),
    )
    await unit_of_work.protection.save(counted)
    return counted


async def _changes(
    unit_of_work: UnitOfWork, fills: Sequence[Fill], protections: Sequence[PositionProtection]
) -> list[PositionChange]:
    """Return the fills, in their order, as changes of the position and of the open protections of entry orders."""
    of_entry = {
        row.entry_order_id: row.id
        for row in protections
        if row.entry_order_id is not None and row.quantity is not None and row.ended_at is None
    }
    orders = {order.id: order for order in await unit_of_work.orders.get_many([*{fill.order_id for fill in fills}])}

    def owner(fill: Fill) -> UUID | None:
        parent_id = orders[fill.order_id].parent_id
        return of_entry.get(fill.order_id) or (None if parent_id is None else of_entry.get(parent_id))

    return [PositionChange(_signed_quantity(fill), owner(fill)) for fill in fills]


def _signed_quantity(fill: Fill) -> Decimal:
    """Return the change of the position's quantity by the fill, net of a fee in base."""
    signed = EXACT.multiply(Decimal(fill.side.sign), fill.quantity)
    base = fill.market.symbol.partition("/")[0]
    return EXACT.subtract(signed, fill.fee) if fill.fee_currency == base else signed
