"""Closing positions."""

from decimal import Decimal
from typing import Annotated

import strawberry

from domain.model.users import ApiScope
from resolvers import orders, positions
from schema.common.errors import user_error
from schema.common.mutations import INPUT, Fields, Payload, mutation
from schema.common.node import decode_uuid
from schema.common.types import Info
from schema.orders.types import Order


@strawberry.input(description="How to close a position.")
class PositionCloseInput:
    quantity: Decimal | None = strawberry.field(
        default=None,
        description=(
            "The part to close, in base currency: at most the position's quantity, and a multiple of "
            "`Market.quantityIncrement`. If it isn't given, the whole position is closed."
        ),
    )
    idempotency_key: str = strawberry.field(
        description=(
            "The key makes it safe to repeat the request: the same key with the same input returns the same order and "
            "closes nothing again. With another input the result is the error CONFLICT. At most 128 characters."
        )
    )


@strawberry.type(description="The result of `positionClose`.")
class PositionClosePayload(Payload):
    order: Order | None = strawberry.field(
        description="The order that closes the position. Null if there are errors, or if it could not be placed within "
        "2 seconds: `orderEvents` shows it when it is placed."
    )


@strawberry.type
class PositionMutation:
    @mutation(
        PositionClosePayload,
        scope=ApiScope.TRADE,
        description=(
            "Close a position, or a part of it, at the market, with a reduce-only order of the role CLOSE. A halt "
            "doesn't prevent it. If the whole position is closed, other orders that reduce it or lock what has to be "
            "sold are cancelled first. If the order is denied or rejected, the engine alerts, and tries again until "
            "the position is closed. If it is closed or being closed already, the result is the error CONFLICT."
        ),
    )
    async def position_close(
        self,
        info: Info,
        id: Annotated[strawberry.ID, strawberry.argument(description="The id of the position.")],
        input: Annotated[PositionCloseInput, INPUT],
    ) -> Fields:
        position_id = decode_uuid(id, "Position", ("id",))
        order = await positions.close(info.context, position_id, input.quantity, input.idempotency_key)
        error = None if order is None else orders.order_error(order)
        return {"order": order, "errors": [user_error(error)] if error else []}
