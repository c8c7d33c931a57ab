"""Keeps orders by hand that only reduce a position from being more than it: they would sell coins of no position."""

from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal
from uuid import UUID

from domain.core.money import EXACT, ZERO
from domain.execution.commands import cancel_order, replace_order
from domain.model.client_order_ids import client_order_id
from domain.model.markets import MarketSymbol
from domain.model.orders import CancelCode, Order, OrderRole, OrderStatus
from domain.ports.unit_of_work import UnitOfWork
from domain.rules.grid import grid_of
from domain.rules.order_amendment import AmendmentRequest, amended_order
from domain.rules.reduce_only import oversized_orders
from domain.trading.keeper_context import KeeperContext
from domain.trading.protection_updater import ProtectedAccount

_RESTING = frozenset({OrderStatus.OPEN, OrderStatus.PARTIALLY_FILLED})


async def fit_reduce_only(context: KeeperContext, state: ProtectedAccount) -> None:
    """Cancel those orders of an account whose position has closed, and lessen those that are more than it by now."""
    held = {row.market: abs(row.quantity) for row in state.positions if row.trading_session_id is None}
    by_market: dict[MarketSymbol, list[Order]] = defaultdict(list)
    for order in state.orders:
        # One that wasn't decided yet is left to the risk checks.
        if order.reduce_only and order.role is OrderRole.MANUAL and order.status is not OrderStatus.PENDING:
            by_market[order.market].append(order)
    for market, orders in by_market.items():
        oversized = [pair for pair in oversized_orders(orders, held.get(market, ZERO)) if _may_change(pair[0])]
        if market in held:
            # One after the other: what is being changed still counts, and would have the next one denied.
            oversized = oversized[:1] if all(_may_change(order) for order in orders) else []
        if oversized:
            await _lessen(context, market, oversized, held.get(market, ZERO))


async def _lessen(
    context: KeeperContext, market: MarketSymbol, oversized: Sequence[tuple[Order, Decimal]], held: Decimal
) -> None:
    woken: list[UUID] = []
    async with context.transaction() as unit_of_work:
        locked = {order.id: await unit_of_work.orders.get_for_update(order.id) for order, _ in reversed(oversized)}
        position = await unit_of_work.positions.get_open_for_update(context.account.id, market, None)
        if (ZERO if position is None else abs(position.quantity)) != held:
            return
        for order, left in oversized:
            if locked[order.id] == order:
                woken.append(await _change(context, unit_of_work, order, left))
    for order_id in woken:
        context.executor.wake(order_id)


async def _change(context: KeeperContext, unit_of_work: UnitOfWork, order: Order, left: Decimal) -> UUID:
    """Amend an order so that it may fill no more than `left`, or cancel it; return the order that is to be sent.

    It is cancelled if that is too little for an order, or if the same amendment has failed.
    """
    now, new_id = context.clock.now(), context.ids.next_id()
    market = context.feed.catalogue.get(order.market)
    grid = None if market is None else grid_of(market, order.type)
    if grid is not None and left > 0:
        price = order.price or order.stop_price or context.feed.price_of(order.market) or ZERO
        lots = grid.quantity(grid.lots_down(left))
        total = EXACT.subtract(order.quantity, EXACT.subtract(order.outstanding_quantity, lots))
        before = await unit_of_work.orders.list_replacements([order.id])
        has_failed = any(one.status.is_final and one.quantity == total for one in before)
        if not (grid.is_too_small(lots, price) or has_failed):
            client_id = client_order_id(order.account_id, "reduce-only", str(new_id), order.role, 0)
            amendment = amended_order(AmendmentRequest(order.id, total), order, new_id, client_id, now)
            await replace_order(unit_of_work, order, amendment, now, context.ids)
            return new_id
    await cancel_order(unit_of_work, order, CancelCode.NO_POSITION, now)
    return order.id


def _may_change(order: Order) -> bool:
    """Return whether the order rests, and its cancel was neither requested nor refused before."""
    is_resting = order.status in _RESTING and order.cancel_requested_at is None
    return is_resting and order.cancel_code is not CancelCode.NO_POSITION
