"""Protecting and closing positions."""

from decimal import Decimal
from typing import Annotated
from uuid import UUID

import strawberry

from domain.model.protection import ProtectAt, ProtectionRules
from domain.model.users import ApiScope
from domain.trading.protection_requests import PositionProtectRequest
from resolvers import orders, positions, profit
from schema.common.errors import user_error
from schema.common.mutations import INPUT, Fields, Payload, mutation
from schema.common.node import decode_uuid
from schema.common.types import Info
from schema.orders.inputs import ProtectionInput, TrailInput, exit_level, trail_level
from schema.orders.types import Order
from schema.positions.types import Position


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


@strawberry.input(
    description="What closes a position from now on, in the place of what was set before. Without any field, nothing."
)
class PositionProtectInput:
    stop_loss: ProtectionInput | None = strawberry.field(
        default=None,
        description="Close the position when the market falls to this price, or by this percentage of its mean price.",
    )
    take_profit: ProtectionInput | None = strawberry.field(
        default=None,
        description="Close the position when the market rises to this price, or by this percentage of its mean price.",
    )
    trailing_stop: TrailInput | None = strawberry.field(
        default=None, description="Close the position when the market falls back from its best price by this distance."
    )
    protect_at: ProtectAt | None = strawberry.field(
        default=None,
        description=(
            "Where these are kept. The default is BEST. With VENUE, the result is UNSUPPORTED where the venue lacks "
            "the orders that it takes."
        ),
    )

    idempotency_key: str | None = strawberry.field(
        default=None,
        description=(
            "The key makes it safe to repeat the request: the same key with the same input changes nothing again, even "
            "if the protection was changed since. With another input the result is the error CONFLICT. At most 128 "
            "characters."
        ),
    )

    def to_domain(self, position_id: UUID) -> PositionProtectRequest:
        """Return the request."""
        rules = ProtectionRules(
            stop_loss=exit_level(self.stop_loss),
            take_profit=exit_level(self.take_profit),
            trailing_stop=trail_level(self.trailing_stop),
        )
        return PositionProtectRequest(position_id, rules, self.protect_at or ProtectAt.BEST)


@strawberry.input(description="The tag of a position.")
class PositionTagInput:
    tag: str | None = strawberry.field(
        description="The tag, of 1 to 50 printable characters, such as `breakout`. Null removes it."
    )


@strawberry.type(description="The result of `positionTag`.")
class PositionTagPayload(Payload):
    position: Position | None = strawberry.field(description="The position. Null if there are errors.")


@strawberry.type(description="The result of `positionProtect`.")
class PositionProtectPayload(Payload):
    position: Position | None = strawberry.field(description="The position. Null if there are errors.")


@strawberry.type
class PositionMutation:
    @mutation(
        PositionProtectPayload,
        scope=ApiScope.TRADE,
        description=(
            "Set the stop-loss, the take-profit and the trailing stop of a whole position that orders by hand have "
            "opened, in the place of those that were set so before. The first of them that the market reaches closes "
            "the position, and the others end with it. They rest at the venue as far as `protectAt` and the venue "
            "allow, and the engine watches them, over restarts too. What is not given is taken away. Brackets of the "
            "orders that opened the position stay. A trading session's position is UNSUPPORTED, because its strategy "
            "protects it."
        ),
    )
    async def position_protect(
        self,
        info: Info,
        id: Annotated[strawberry.ID, strawberry.argument(description="The id of the position.")],
        input: Annotated[PositionProtectInput, INPUT],
    ) -> Fields:
        position_id = decode_uuid(id, "Position", ("id",))
        request = input.to_domain(position_id)
        return {"position": await positions.protect(info.context, request, input.idempotency_key)}

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

    @mutation(
        PositionTagPayload,
        scope=ApiScope.TRADE,
        description=(
            "Give a position a tag, a word of the user's by which profit is grouped, or take it away. The position can "
            "be open or closed."
        ),
    )
    async def position_tag(
        self,
        info: Info,
        id: Annotated[strawberry.ID, strawberry.argument(description="The id of the position.")],
        input: Annotated[PositionTagInput, INPUT],
    ) -> Fields:
        return {"position": await profit.set_tag(info.context, decode_uuid(id, "Position", ("id",)), input.tag)}
