"""An order service that returns orders at the market with all of their fills."""

from uuid import UUID

from domain.execution.service import OrderService
from domain.model.orders import Order, OrderStatus
from domain.model.protection import ExitLevel
from domain.rules.bracket_request import BracketRequest
from domain.rules.order_request import OrderRequest


class WholeFills(OrderService):
    """Returns an order at the market once it has ended.

    One that several levels of the book fill is filled in part first, if the venue's stream tells its fills one by one
    before the answer to the request comes.
    """

    async def place(
        self,
        user_id: UUID,
        request: OrderRequest,
        idempotency_key: str,
        bracket: BracketRequest | None = None,
        trail: ExitLevel | None = None,
    ) -> Order:
        return await self._whole(await super().place(user_id, request, idempotency_key, bracket, trail))

    async def wait_for_answer(self, user_id: UUID, order_id: UUID) -> Order:
        return await self._whole(await super().wait_for_answer(user_id, order_id))

    async def _whole(self, order: Order) -> Order:
        if not (order.type.trades_at_market and order.status is OrderStatus.PARTIALLY_FILLED):
            return order
        return await self.wait_until(order.user_id, order.id, lambda now: now.status.is_final)
