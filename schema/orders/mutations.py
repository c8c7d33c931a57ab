"""Placing, amending and cancelling orders."""

from typing import Annotated

import strawberry

from domain.model.users import ApiScope
from resolvers import orders
from schema.common.errors import user_error
from schema.common.mutations import INPUT, Fields, Payload, mutation
from schema.common.node import decode_uuid
from schema.common.types import Info
from schema.orders.inputs import OrderAmendInput, OrderPlaceInput, OrdersCancelInput
from schema.orders.types import Order


@strawberry.type(description="The result of `orderPlace`.")
class OrderPlacePayload(Payload):
    order: Order | None = strawberry.field(
        description="The order, even if it was DENIED or REJECTED. Null if no order was stored."
    )


@strawberry.type(description="The result of `orderCancel`.")
class OrderCancelPayload(Payload):
    order: Order | None = strawberry.field(description="The order after the request. Null if there are errors.")


@strawberry.type(description="The result of `orderAmend`.")
class OrderAmendPayload(Payload):
    order: Order | None = strawberry.field(
        description=(
            "The new order, which replaces the amended one, even if it was DENIED, REJECTED or CANCELED. `replaces` is "
            "the amended order. Null if no order was stored."
        )
    )


@strawberry.type(
    description="The result of `ordersCancel`. The cancels go on after it: subscribe to `orderEvents` to follow them."
)
class OrdersCancelPayload(Payload):
    requested: int = strawberry.field(
        description="The number of orders that are being cancelled. 0 if there are errors."
    )
    orders: list[Order] | None = strawberry.field(
        description="The orders that are being cancelled, oldest first. Null if there are errors."
    )


@strawberry.type
class OrderMutation:
    @mutation(
        OrderPlacePayload,
        scope=ApiScope.TRADE,
        description=(
            "Place an order. The request returns when the order is neither PENDING nor SUBMITTED any more, or after 2 "
            "seconds with the status that it has then. An order that fails the risk checks is stored with status "
            "DENIED, and the result has the error ORDER_DENIED. An order that the venue rejects has status REJECTED, "
            "and the result has the error ORDER_REJECTED. If the input is invalid, no order is stored."
        ),
    )
    async def order_place(self, info: Info, input: Annotated[OrderPlaceInput, INPUT]) -> Fields:
        request, key = input.to_domain(), input.idempotency_key
        order = await orders.place(info.context, request, key, input.bracket(), input.trail())
        error = orders.order_error(order)
        return {"order": order, "errors": [user_error(error)] if error else []}

    @mutation(
        OrderCancelPayload,
        scope=ApiScope.TRADE,
        description=(
            "Cancel an order. The request returns when the cancel has ended, or after 2 seconds with the status that "
            "the order has then. An order that is already CANCELED or EXPIRED is returned as it is. For an order with "
            "another final status the result is the error CONFLICT."
        ),
    )
    async def order_cancel(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="The id of the order.")]
    ) -> Fields:
        return {"order": await orders.cancel(info.context, decode_uuid(id, "Order", ("id",)))}

    @mutation(
        OrderAmendPayload,
        scope=ApiScope.TRADE,
        description=(
            "Change the quantity, the price or the stop price of an order. The result is a new order that replaces it, "
            "and there is no moment in which both can fill. The request returns when the new order is neither PENDING "
            "nor SUBMITTED any more, or after 2 seconds with the status that it has then. If the new order fails the "
            "risk checks, the result has the error ORDER_DENIED, and the amended order mostly stays as it is. If the "
            "venue refuses the new order, the result has the error ORDER_REJECTED. If the amended order fills or ends "
            "before it can be replaced, the new order is CANCELED, and the result has the error CONFLICT. In each "
            "case `replaces` is the amended order as it then is."
        ),
    )
    async def order_amend(
        self,
        info: Info,
        id: Annotated[strawberry.ID, strawberry.argument(description="The id of the order to amend.")],
        input: Annotated[OrderAmendInput, INPUT],
    ) -> Fields:
        request = input.to_domain(decode_uuid(id, "Order", ("id",)))
        order = await orders.amend(info.context, request, input.idempotency_key)
        error = orders.amendment_error(order)
        return {"order": order, "errors": [user_error(error)] if error else []}

    @mutation(
        OrdersCancelPayload,
        scope=ApiScope.TRADE,
        description=(
            "Cancel all open orders of an account, or those on a market or of a trading session. The request returns "
            "before the cancels have ended."
        ),
        requested=0,
    )
    async def orders_cancel(self, info: Info, input: Annotated[OrdersCancelInput, INPUT]) -> Fields:
        account_id = decode_uuid(input.account, "Account", ("input", "account"))
        session_id = None
        if input.trading_session is not None:
            session_id = decode_uuid(input.trading_session, "TradingSession", ("input", "tradingSession"))
        asked = await orders.cancel_all(info.context, account_id, input.market, session_id)
        return {"requested": len(asked), "orders": asked}
