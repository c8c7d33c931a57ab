"""Orders and their fills."""

from datetime import datetime
from decimal import Decimal

import strawberry

from domain.model import orders as domain
from domain.model.order_side import OrderSide
from domain.model.orders import RejectCode
from resolvers import markets, orders, trading
from resolvers.pagination import PageArguments
from schema.common.arguments import connection_field
from schema.common.node import Node, instance_of
from schema.common.pagination import connection
from schema.common.rounded import rounded_field
from schema.common.scalars import Sequence
from schema.common.types import Info, lazy
from schema.orders.protection import PositionProtection

Account = lazy("accounts.types", "Account")

Market = lazy("markets.types", "Market")

TradingSession = lazy("trading.types", "TradingSession")

Signal = lazy("trading.types", "Signal")


@strawberry.type(description="A risk check that an order failed.")
class RiskDenial:
    code: domain.RiskCode = strawberry.field(description="The check that the order failed.")
    message: str = strawberry.field(
        description="The failure in words: what is wrong, with which value, and what would be right."
    )
    limit: Decimal | None = strawberry.field(
        description="The limit of the check, in the unit that `RiskCode` names. Null if the check has none."
    )
    actual: Decimal | None = strawberry.field(
        description="The value that the order would have, in the same unit as `limit`. Null if the check has none."
    )


@strawberry.type(description="An execution of an order, or of a part of it.")
class Fill(Node):
    is_type_of = instance_of(domain.Fill)

    venue_trade_id: str = strawberry.field(
        description="The venue's id of the trade. A fill with the same id is never counted twice."
    )
    at: datetime = strawberry.field(description="When the fill happened, by the venue's clock.")
    price: Decimal = strawberry.field(description="The price, in quote currency for one unit of the base currency.")
    quantity: Decimal = strawberry.field(description="The filled quantity, in base currency.")
    fee: Decimal = strawberry.field(
        description="The fee that the venue charged, in `feeCurrency`. It is negative if the venue paid it."
    )
    fee_currency: str = strawberry.field(description="The currency of the fee.")
    fee_rate: Decimal | None = rounded_field(
        "The price of one unit of `feeCurrency` in quote currency, when the fill was recorded. Null if the fee "
        "currency is the base or the quote currency, or if no price was known."
    )
    maker: bool | None = strawberry.field(
        description="True if the order rested in the book and another one met it. Null if the venue doesn't report it."
    )

    @strawberry.field(graphql_type=lazy("orders.types", "Order"), description="The order that was filled.")
    async def order(parent: strawberry.Parent[domain.Fill], info: Info) -> object:
        return await orders.order_by_id(info.context, parent.order_id)


FillConnection = connection(Fill, "fills")


@strawberry.type(description="The sum of the fees in one currency.")
class FeeTotal:
    currency: str = strawberry.field(description="The currency of the fees.")
    amount: Decimal = strawberry.field(
        description="The sum of the fees. It is negative if the venue paid more than it charged."
    )


@strawberry.type
class OrderFacts:
    """The fields that an order and its state at an event have in common."""

    client_order_id: str = strawberry.field(
        description="The id that the engine gave the order at the venue: a hash of what caused the order."
    )
    venue_order_id: str | None = strawberry.field(
        description="The venue's id of the order. Null until the venue has confirmed it."
    )
    side: OrderSide = strawberry.field(description="Whether the base currency is bought or sold.")
    type: domain.OrderType = strawberry.field(description="How the order is executed.")
    role: domain.OrderRole = strawberry.field(description="Why the order exists.")
    time_in_force: domain.TimeInForce | None = strawberry.field(
        description="How long the order rests in the book. Null for types without a limit price, such as MARKET."
    )
    expires_at: datetime | None = strawberry.field(description="When the order expires. Null if it is not GTD.")
    post_only: bool = strawberry.field(description="True if the order is rejected instead of taking liquidity.")
    reduce_only: bool = strawberry.field(description="True if the order may only reduce a position.")
    quantity: Decimal = strawberry.field(description="The ordered quantity, in base currency.")
    price: Decimal | None = strawberry.field(
        description=(
            "The limit price, in quote currency for one unit of the base currency. Null for order types that have no "
            "limit price."
        )
    )
    stop_price: Decimal | None = strawberry.field(
        description=(
            "The price that triggers the order, in quote currency for one unit of the base currency. That of a "
            "TRAILING_STOP moves with the market. Null for order types that have no stop price."
        )
    )
    trail_percent: Decimal | None = strawberry.field(
        description="The distance of a TRAILING_STOP, in percent of the best price. Null for other orders."
    )
    trail_absolute: Decimal | None = strawberry.field(
        description=(
            "The distance of a TRAILING_STOP as a difference of prices, in quote currency for one unit of the base "
            "currency. Null for other orders."
        )
    )
    status: domain.OrderStatus = strawberry.field(description="The status of the order in its life.")
    revision: Sequence = strawberry.field(
        description=(
            "A number that increases with every change of the order. Of two states of an order, keep the one with the "
            "higher revision."
        )
    )
    filled_quantity: Decimal = strawberry.field(description="The sum of the fills, in base currency.")
    remaining_quantity: Decimal = strawberry.field(description="The quantity that is not filled, in base currency.")
    average_price: Decimal | None = rounded_field(
        "The mean price of the fills, weighted by their quantities, in quote currency for one unit of the base "
        "currency. Null before the first fill."
    )
    denials: list[RiskDenial] = strawberry.field(description="All risk checks that the order failed.")
    reject_reason: str | None = strawberry.field(
        description="Why the venue rejected the order, in words. Null if it wasn't rejected."
    )
    reject_code: RejectCode | None = strawberry.field(
        description=(
            "Why the venue rejected the order, for programs. `rejectReason` has the reason in words. Null if it "
            "wasn't rejected, and in states that version 0.1 stored."
        )
    )
    cancel_code: domain.CancelCode | None = strawberry.field(
        description=(
            "Why the engine cancelled the order, or last asked the venue to, even if the venue refused. Null if it did "
            "neither, for example because the venue ended the order by itself, and for orders that were cancelled "
            "before the engine recorded it."
        )
    )
    triggered_at: datetime | None = strawberry.field(
        description=(
            "When the engine learnt that the market had reached the order's `stopPrice`. Null before, and for orders "
            "without a `stopPrice`. Also null for orders that were triggered before the engine recorded it."
        )
    )
    arrival_price: Decimal | None = strawberry.field(
        description=(
            "The price from which the order's slippage is measured, in quote currency for one unit of the base "
            "currency. It is the stop price, or else the middle of the book when the order was sent. Null until then, "
            "and for orders that were sent before the engine recorded it."
        )
    )
    created_at: datetime = strawberry.field(description="When the order was stored.")
    updated_at: datetime = strawberry.field(description="When the order last changed.")

    @strawberry.field(graphql_type=Account, description="The account of the order.")
    async def account(parent: strawberry.Parent[domain.Order], info: Info) -> object:
        return await trading.account(info.context, parent)

    @strawberry.field(graphql_type=Market, description="The market of the order.")
    def market(parent: strawberry.Parent[domain.Order], info: Info) -> object:
        return markets.market(info.context, parent.market)

    @strawberry.field(
        graphql_type=TradingSession | None,
        description="The trading session that created the order. Null if it was placed by hand.",
    )
    async def trading_session(parent: strawberry.Parent[domain.Order], info: Info) -> object:
        return await trading.trading_session(info.context, parent)

    @strawberry.field(
        graphql_type=Signal | None, description="The signal that caused the order. Null if no signal did."
    )
    async def signal(parent: strawberry.Parent[domain.Order], info: Info) -> object:
        return await orders.signal(info.context, parent)


@strawberry.type(
    description="An instruction to a venue to buy or sell, with everything that is known about its execution."
)
class Order(Node, OrderFacts):
    is_type_of = instance_of(domain.Order)

    @strawberry.field(
        graphql_type=lazy("orders.types", "Order") | None,
        description="The entry that brought what this order closes. Null if no protection made this order.",
    )
    async def parent(parent: strawberry.Parent[domain.Order], info: Info) -> object:
        return await orders.order_by_id(info.context, parent.parent_id)

    @strawberry.field(
        graphql_type=list[lazy("orders.types", "Order")],  # type: ignore[misc]  # made at run time
        description="The orders that the protection of this one has made so far, to close what it brought.",
    )
    async def protections(parent: strawberry.Parent[domain.Order], info: Info) -> object:
        return await orders.protections(info.context, parent)

    @strawberry.field(
        graphql_type=PositionProtection | None,
        description="What closes the position that this order brings. Null if the order was placed without protection.",
    )
    async def protection(parent: strawberry.Parent[domain.Order], info: Info) -> object:
        return await orders.protection(info.context, parent)

    @strawberry.field(
        graphql_type=list[lazy("orders.types", "Order")] | None,  # type: ignore[misc]  # made at run time
        description=(
            "The orders of its group, this one included, the stop-loss first: when one of them is triggered, the venue "
            "ends the other. Empty for an order that is in no group."
        ),
    )
    async def group(parent: strawberry.Parent[domain.Order], info: Info) -> object:
        return await orders.group(info.context, parent)

    @strawberry.field(
        graphql_type=lazy("orders.types", "Order") | None,
        description="The order that this one was to replace, if it came from `orderAmend`. Else null.",
    )
    async def replaces(parent: strawberry.Parent[domain.Order], info: Info) -> object:
        return await orders.order_by_id(info.context, parent.replaces_id)

    @strawberry.field(
        graphql_type=lazy("orders.types", "Order") | None,
        description=(
            "The order that took the place of this one, or is about to, by `orderAmend`. Null if this order was not "
            "amended, or if the new order was never at the venue, for example because it was DENIED."
        ),
    )
    async def replaced_by(parent: strawberry.Parent[domain.Order], info: Info) -> object:
        return await orders.replaced_by(info.context, parent)

    @strawberry.field(
        graphql_type=list[FeeTotal] | None,
        description="The sum of the order's fees so far, one item for each currency.",
    )
    async def fees(parent: strawberry.Parent[domain.Order], info: Info) -> object:
        return await orders.fees(info.context, parent)

    @connection_field(FillConnection, description="The fills of the order, newest first.")
    async def fills(
        parent: strawberry.Parent[domain.Order],
        info: Info,
        page: PageArguments,
    ) -> object:
        return await orders.fills(info.context, parent, page)

    @connection_field(
        lazy("orders.events", "OrderEventConnection"), description="All events of the order, oldest first."
    )
    async def events(
        parent: strawberry.Parent[domain.Order],
        info: Info,
        page: PageArguments,
    ) -> object:
        return await orders.events(info.context, parent, page)


OrderConnection = connection(Order, "orders")
