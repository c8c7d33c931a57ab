"""An order service that returns orders at the market with all of their fills."""

from uuid import UUID

from domain.execution.service import OrderService
from domain.model.orders import Order, OrderType
from domain.model.protection import ExitLevel
from domain.rules.bracket_request import BracketRequest
from domain.rules.order_request import OrderRequest


class WholeFills(OrderService):
    """Returns an order at the market once it has ended.

    Where the venue's stream is faster than the answer to the request, such an order is open for a moment, and filled in
    part if several levels of the book fill it.
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
        if order.type is not OrderType.MARKET or order.status.is_final:
            return order
        return await self.wait_until(order.user_id, order.id, lambda now: now.status.is_final)
