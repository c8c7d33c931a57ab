"""What closes a position, or what an entry order brings of one."""

from datetime import datetime
from decimal import Decimal

import strawberry

from domain.model import protection as domain
from domain.model.protection import ProtectAt
from resolvers import positions
from schema.common.types import Info, lazy


@strawberry.type(description="What closes a position, or the part of it that one entry order has brought.")
class PositionProtection:
    stop_loss_price: Decimal | None = strawberry.field(
        description=(
            "The price at which the loss is cut, in quote currency for one unit of the base currency. Null without a "
            "stop-loss, and before the first fill."
        )
    )
    take_profit_price: Decimal | None = strawberry.field(
        description=(
            "The price at which the profit is taken, in quote currency for one unit of the base currency. Null without "
            "a take-profit, and before the first fill."
        )
    )
    high_water: Decimal | None = strawberry.field(
        description=(
            "The best price so far, from which the distance of a trailing stop is measured, in quote currency for one "
            "unit of the base currency. Null without a trailing stop."
        )
    )
    exit_at: datetime | None = strawberry.field(
        description="When `maxHoldingBars` closes the position. Null if it may be held for any time."
    )
    quantity: Decimal | None = strawberry.field(
        description="What it still protects, in base currency. Null if it protects the whole position."
    )
    protect_at: ProtectAt = strawberry.field(description="Where it was to be kept.")
    unwatched_since: datetime | None = strawberry.field(
        description=(
            "Since when the engine can't watch the market's prices for it: only its orders at the venue can act then. "
            "It goes on by itself once prices come again. Null while it is watched."
        )
    )
    unwatched_reason: str | None = strawberry.field(
        description="Why the engine can't watch the market's prices for it, in words. Null while it is watched."
    )
    ended_at: datetime | None = strawberry.field(
        description="When it ended, with the position or without one. Null while it is in force."
    )

    @strawberry.field(
        description="The distance of its trailing stop, in percent of the best price. Null without such a distance."
    )
    def trail_percent(parent: strawberry.Parent[domain.PositionProtection]) -> Decimal | None:
        return parent.rules.trailing_stop.percent if parent.rules.trailing_stop else None

    @strawberry.field(
        description=(
            "The distance of its trailing stop as a difference of prices, in quote currency for one unit of the base "
            "currency. Null without such a distance."
        )
    )
    def trail_absolute(parent: strawberry.Parent[domain.PositionProtection]) -> Decimal | None:
        return parent.rules.trailing_stop.absolute if parent.rules.trailing_stop else None

    @strawberry.field(
        graphql_type=list[lazy("orders.types", "Order")] | None,  # type: ignore[misc]  # made at run time
        description=(
            "The orders that keep it at the venue now, the stop first; they work while the engine is down. Empty while "
            "the engine alone keeps it: because it was to, because the venue lacks such orders or has refused them, or "
            "because they were cancelled by hand."
        ),
    )
    async def orders(parent: strawberry.Parent[domain.PositionProtection], info: Info) -> object:
        return await positions.resting_orders(info.context, parent)
