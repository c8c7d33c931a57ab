"""Denies orders whose check fails by an error of the engine, so that it is the error of one order alone."""

from uuid import UUID

from domain.core.errors import Unavailable
from domain.execution.account_context import AccountContext
from domain.model.orders import Order, OrderStatus, RiskCode, RiskDenial
from domain.ports.leases import StaleLease
from domain.rules.order_lifecycle import Transition, deny

_DENIAL = RiskDenial(
    RiskCode.INTERNAL, "The order could not be checked, so it was not sent; this is a fault of the engine."
)


class UndecidableOrders:
    """The orders that can't even be denied: they are left alone until the executor starts again."""

    def __init__(self, context: AccountContext) -> None:
        self._context = context
        self._ids: set[UUID] = set()

    def __contains__(self, order_id: UUID) -> bool:
        """Whether the order is left alone."""
        return order_id in self._ids

    async def deny(self, order_id: UUID, error: Exception) -> None:
        """Deny an order that isn't sent yet, and raise an alert; raises `Unavailable` and `StaleLease`."""
        await self._context.alerts.raise_error(f"the check of order {order_id}", error)
        try:
            await self._context.update(order_id, self._denied)
        except (Unavailable, StaleLease):
            raise
        except Exception as another:  # noqa: BLE001  # whatever it is, the other orders of the account go on
            self._ids.add(order_id)
            await self._context.alerts.raise_error(f"the denial of order {order_id}", another)

    def _denied(self, order: Order) -> Transition:
        if order.status is not OrderStatus.PENDING:
            return Transition(order)
        return deny(order, (_DENIAL,), self._context.clock.now())
