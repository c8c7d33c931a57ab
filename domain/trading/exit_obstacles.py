"""Clears away the orders that stand in the way of an exit, and has the intent say what it waits for meanwhile."""

from datetime import timedelta

from domain.core.money import plain
from domain.execution.commands import cancel_order
from domain.model.orders import CancelCode, Order
from domain.model.protection import PositionIntent
from domain.ports.unit_of_work import UnitOfWork
from domain.rules.refused_cancels import awaited_end, is_cancel_refused
from domain.trading.keeper_context import KeeperContext

CANCEL_RETRY = timedelta(seconds=5)
"""How long after the venue refused to cancel an order it is asked again."""


class ExitObstacles:
    """Cancels what may enlarge the position that is being closed, or locks what is to be sold."""

    def __init__(self, context: KeeperContext) -> None:
        self._context = context

    def __repr__(self) -> str:
        return f"ExitObstacles({self._context!r})"

    async def cancel(self, unit_of_work: UnitOfWork, intent: PositionIntent, orders: tuple[Order, ...]) -> None:
        """Have the orders cancelled that aren't to be cancelled yet, oldest first; the intent waits for their end.

        A cancel that the venue has refused is requested again after a pause.
        """
        now = self._context.clock.now()
        for order in sorted(orders, key=lambda order: order.id):
            locked = await unit_of_work.orders.get_for_update(order.id)
            # A refusal from the future was stored before the clock was set back.
            if locked is not None and not (
                is_cancel_refused(locked) and timedelta(0) <= now - locked.updated_at < CANCEL_RETRY
            ):
                await cancel_order(unit_of_work, locked, CancelCode.EXIT, now)
        await self.wait(unit_of_work, intent, awaited_end(orders))

    async def cancel_by_hand(self, unit_of_work: UnitOfWork, intent: PositionIntent, orders: tuple[Order, ...]) -> None:
        """Cancel orders of the user's own, and say so of each once."""
        await self.cancel(unit_of_work, intent, orders)
        for order in orders:
            order_base = order.market.symbol.partition("/")[0]
            message = (
                f"Your order {order.client_order_id} to {order.side.value.lower()} {plain(order.remaining_quantity)} "
                f"{order_base} on {order.market} is being cancelled, because it locks what {intent.role.value} of a "
                f"position on {intent.market} has to sell."
            )
            await self._context.alert(unit_of_work, f"unlocked:{order.id}", message)

    async def wait(self, unit_of_work: UnitOfWork, intent: PositionIntent, waits_for: str) -> None:
        """Store what keeps the next order of an intent, whose row is locked, back."""
        if intent.waits_for != waits_for:
            await unit_of_work.protection.save_intent(intent.changed(waits_for=waits_for))
