"""What follows when a fill opens a position although its order, and what was to become of its fills, had ended before.

The venue may tell a fill after the position was closed that the order had entered. What came late is closed too if the
position was to be closed, and protected as its order asked otherwise; nobody would watch it else.
"""

from datetime import datetime
from uuid import UUID

from domain.core.clock import IdGenerator
from domain.model.events import NewEvent, UserEventKind
from domain.model.orders import Order
from domain.model.protection import PositionIntent, PositionProtection
from domain.model.trading import Position
from domain.ports.unit_of_work import UnitOfWork
from domain.rules.protected_position import of_no_position


async def watch_late_fill(
    unit_of_work: UnitOfWork, order: Order, position: Position, ids: IdGenerator, at: datetime, *, had_ended: bool
) -> list[NewEvent]:
    """Protect or close a position that a fill of the order has just opened, if it came late; return what to publish.

    `had_ended` is whether the order was final before the fill.
    """
    protections = await unit_of_work.protection.list_of_entries([order.id])
    if not protections:
        return await _alert(unit_of_work, order, position, "Nothing protects it.", at) if had_ended else []
    newest, new_id = protections[-1], ids.next_id()
    intent = await unit_of_work.protection.get_ended_intent(order, newest.id, new_id)
    is_watched = any(protection.ended_at is None for protection in protections)
    if is_watched and intent is None:
        return []
    if not is_watched:
        await _reopen(unit_of_work, newest.id)
    if intent is None:
        return await _alert(unit_of_work, order, position, "It is protected as its order asked.", at)
    await unit_of_work.protection.add_intent(_again(intent, position, newest, new_id, at))
    return await _alert(unit_of_work, order, position, "It is being closed, as the position before it was.", at)


async def _alert(
    unit_of_work: UnitOfWork, order: Order, position: Position, follows: str, at: datetime
) -> list[NewEvent]:
    if not await unit_of_work.accounts.record_alerts(order.account_id, [f"late-fill:{position.id}"], at):
        return []
    message = (
        f"A fill of order {order.client_order_id} came after the order had ended, and has opened a position on "
        f"{order.market}. {follows}"
    )
    return [NewEvent(order.user_id, at, UserEventKind.ALERT, None, message)]


async def _reopen(unit_of_work: UnitOfWork, protection_id: UUID) -> None:
    protection = await unit_of_work.protection.get_for_update(protection_id)
    assert protection is not None  # protections are never deleted
    await unit_of_work.protection.save(of_no_position(protection).changed(ended_at=None))


def _again(
    ended: PositionIntent, position: Position, protection: PositionProtection, intent_id: UUID, at: datetime
) -> PositionIntent:
    """Return the intent that meant the order's fills too, as a new one."""
    return PositionIntent(
        id=intent_id,
        user_id=ended.user_id,
        account_id=ended.account_id,
        market=ended.market,
        role=ended.role,
        reason=ended.reason,
        since=at,
        trading_session_id=ended.trading_session_id,
        position_id=position.id,
        protection_id=protection.id if ended.trading_session_id is None else None,
        signal_id=ended.signal_id,
    )
