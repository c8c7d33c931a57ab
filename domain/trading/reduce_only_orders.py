"""Ends orders by hand that only reduce a position once it has closed: they would sell coins of no position."""

from domain.execution.commands import cancel_order
from domain.model.orders import CancelCode, Order, OrderRole, OrderStatus
from domain.trading.keeper_context import KeeperContext
from domain.trading.protection_updater import ProtectedAccount


async def cancel_without_position(context: KeeperContext, state: ProtectedAccount) -> None:
    """Cancel those orders of an account; one that wasn't decided yet is left to the risk checks, which deny it."""
    held = {position.market for position in state.positions if position.trading_session_id is None}
    orders = [order for order in state.orders if order.market not in held and _is_cancelable(order)]
    if not orders:
        return
    async with context.transaction() as unit_of_work:
        for order in orders:
            locked = await unit_of_work.orders.get_for_update(order.id)
            position = await unit_of_work.positions.get_open_for_update(order.account_id, order.market, None)
            if locked is not None and position is None:
                await cancel_order(unit_of_work, locked, CancelCode.NO_POSITION, context.clock.now())
    for order in orders:
        context.executor.wake(order.id)


def _is_cancelable(order: Order) -> bool:
    """Return whether an active order only reduces a position by hand; a cancel that was refused isn't repeated."""
    is_by_hand = order.reduce_only and order.role is OrderRole.MANUAL
    is_sent = order.status is not OrderStatus.PENDING and order.cancel_requested_at is None
    return is_by_hand and is_sent and order.cancel_code is not CancelCode.NO_POSITION
