"""Orders, their fills and the steps of their lives, as the API shows them."""

from datetime import datetime
from decimal import Decimal

import strawberry

from domain.model import orders as domain
from domain.model.order_side import OrderSide
from domain.model.reject_codes import RejectCode
from resolvers import markets, orders, trading
from resolvers.pagination import PageArguments
from schema.context import Info
from schema.lazy import lazy
from schema.node import Node, serves
from schema.pagination import After, Before, CountedConnection, Edge, First, Last
from schema.rounded import rounded_field
from schema.scalars import Sequence

Account = lazy("accounts", "Account")
Market = lazy("markets", "Market")
TradingSession = lazy("trading", "TradingSession")
Signal = lazy("trading", "Signal")


@strawberry.type(description="A risk check that an order failed.")
class RiskDenial:
    """The schema's face of `domain.model.orders.RiskDenial`."""

    code: domain.RiskCode = strawberry.field(description="Which check the order failed.")
    message: str = strawberry.field(description="What was wrong, with which value, and what would be right.")
    limit: Decimal | None = strawberry.field(description="What was allowed, in the check's own unit.")
    actual: Decimal | None = strawberry.field(description="What was asked for, in the check's own unit.")


@strawberry.type(description="One execution of part of an order.")
class Fill(Node):
    """The schema's face of `domain.model.orders.Fill`."""

    is_type_of = serves(domain.Fill)

    venue_trade_id: str = strawberry.field(description="The venue's own id of it; it counts once.")
    at: datetime = strawberry.field(description="When it was executed, by the venue's clock.")
    price: Decimal = strawberry.field(description="The price in quote currency for one unit of the base currency.")
    quantity: Decimal = strawberry.field(description="How much was filled, in base currency.")
    fee: Decimal = strawberry.field(description="What the venue took, in `feeCurrency`; negative where it gave.")
    fee_currency: str = strawberry.field(description="What the fee was paid in.")
    fee_rate: Decimal | None = rounded_field(
        "What one unit of a `feeCurrency` that is neither base nor quote was worth in quote. Null where it "
        "is one of them, and where no price was known when the fill was recorded."
    )
    maker: bool | None = strawberry.field(description="Whether the order rested; null where the venue doesn't say.")

    @strawberry.field(graphql_type=lazy("orders", "Order"), description="The order that was filled.")
    async def order(parent: strawberry.Parent[domain.Fill], info: Info) -> object:
        """Return the order."""
        return await orders.order_by_id(info.context, parent.order_id)


@strawberry.type(description="A fill in a list.")
class FillEdge(Edge[Fill]):
    """See `Edge`."""


@strawberry.type(description="Fills, a page at a time.")
class FillConnection(CountedConnection[Fill, FillEdge]):
    """See `Connection`."""


@strawberry.type(description="What was paid in fees in one currency.")
class FeeTotal:
    """The schema's face of `resolvers.orders.FeeTotal`."""

    currency: str = strawberry.field(description="The currency that the fees were paid in.")
    amount: Decimal = strawberry.field(
        description="The sum of the fees; negative where the venue gave more than it took."
    )


@strawberry.type
class OrderFacts:
    """What is told of an order as it is now and as it once stood."""

    client_order_id: str = strawberry.field(description="The engine's id of it at the venue: a hash of its cause.")
    venue_order_id: str | None = strawberry.field(description="The venue's id of it; null until it has answered.")
    side: OrderSide = strawberry.field(description="BUY or SELL, of the base currency.")
    type: domain.OrderType = strawberry.field(description="How it is executed.")
    role: domain.OrderRole = strawberry.field(description="Why it exists.")
    time_in_force: domain.TimeInForce | None = strawberry.field(
        description="Null where it has no meaning, as for a market order."
    )
    expires_at: datetime | None = strawberry.field(description="When the order is given up; null where it is not GTD.")
    post_only: bool = strawberry.field(description="Whether it is refused where it would be filled at once.")
    reduce_only: bool = strawberry.field(description="Whether it may only make a position smaller.")
    quantity: Decimal = strawberry.field(description="What was asked for, in base currency.")
    price: Decimal | None = strawberry.field(description="The limit, in quote currency per base.")
    stop_price: Decimal | None = strawberry.field(description="The price that it waits for.")
    status: domain.OrderStatus = strawberry.field(description="Where it is in its life.")
    revision: Sequence = strawberry.field(
        description="Grows with every change: a client keeps the state with the highest."
    )
    filled_quantity: Decimal = strawberry.field(description="What the fills add up to, in base currency.")
    remaining_quantity: Decimal = strawberry.field(description="What isn't filled, in base currency.")
    average_price: Decimal | None = rounded_field(
        "The mean price of the fills, weighted by their quantities; null before the first."
    )
    denials: list[RiskDenial] = strawberry.field(description="All risk checks that it failed.")
    reject_reason: str | None = strawberry.field(
        description="Why the venue rejected the order, in words; null where it did not."
    )
    reject_code: RejectCode | None = strawberry.field(
        description="The kind of reason for which the venue rejected the order, for programs; `rejectReason` says it "
        "in words. Null where the order was not rejected, and in states that version 0.1 stored."
    )
    arrival_price: Decimal | None = strawberry.field(
        description="What its slippage is measured from: the price that it waits for, or else the middle of the book "
        "when it was sent. Null until then, and for orders that were sent before it was recorded."
    )
    created_at: datetime = strawberry.field(description="When it was taken in.")
    updated_at: datetime = strawberry.field(description="When it last changed.")

    @strawberry.field(graphql_type=Account, description="The account that it is on.")
    async def account(parent: strawberry.Parent[domain.Order], info: Info) -> object:
        """Return the account."""
        return await trading.account_of(info.context, parent)

    @strawberry.field(graphql_type=Market, description="What is bought or sold.")
    def market(parent: strawberry.Parent[domain.Order], info: Info) -> object:
        """Return the market."""
        return markets.market(info.context, parent.market)

    @strawberry.field(graphql_type=TradingSession | None, description="The session that made it; null where none did.")
    async def trading_session(parent: strawberry.Parent[domain.Order], info: Info) -> object:
        """Return the trading session."""
        return await trading.session_of(info.context, parent)

    @strawberry.field(graphql_type=Signal | None, description="The signal that caused it.")
    async def signal(parent: strawberry.Parent[domain.Order], info: Info) -> object:
        """Return the signal."""
        return await orders.signal(info.context, parent)


@strawberry.type(description="An instruction to a venue and all that is known of its fate.")
class Order(Node, OrderFacts):
    """The schema's face of `domain.model.orders.Order`."""

    is_type_of = serves(domain.Order)

    @strawberry.field(
        graphql_type=lazy("orders", "Order") | None,
        description="The entry that this order protects. Null for every order, as none protects another yet.",
    )
    async def parent(parent: strawberry.Parent[domain.Order], info: Info) -> object:
        """Return the entry."""
        return await orders.order_by_id(info.context, parent.parent_id)

    @strawberry.field(
        graphql_type=list[lazy("orders", "Order")],  # type: ignore[misc]  # made at run time
        description="The orders that protect this one. Empty for every order, as none protects another yet.",
    )
    async def protections(parent: strawberry.Parent[domain.Order], info: Info) -> object:
        """Return the protecting orders."""
        return await orders.protections(info.context, parent)

    @strawberry.field(
        graphql_type=lazy("orders", "Order") | None,
        description="The order whose place this one has taken. Null for every order, as none can be amended yet.",
    )
    async def replaces(parent: strawberry.Parent[domain.Order], info: Info) -> object:
        """Return the order that this one replaces."""
        return await orders.order_by_id(info.context, parent.replaces_id)

    @strawberry.field(
        graphql_type=lazy("orders", "Order") | None,
        description="The order that has taken the place of this one. Null for every order, as none can be amended yet.",
    )
    async def replaced_by(parent: strawberry.Parent[domain.Order], info: Info) -> object:
        """Return the order that replaces this one."""
        return await orders.replaced_by(info.context, parent)

    @strawberry.field(graphql_type=list[FeeTotal] | None, description="The sum of its fees so far, by currency.")
    async def fees(parent: strawberry.Parent[domain.Order], info: Info) -> object:
        """Return the sums."""
        return await orders.fees(info.context, parent)

    @strawberry.field(graphql_type=FillConnection, description="Its fills, newest first.")
    async def fills(
        parent: strawberry.Parent[domain.Order],
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> object:
        """Return the page."""
        return await orders.fills(info.context, parent, PageArguments(first, after, last, before))

    @strawberry.field(
        graphql_type=lazy("order_events", "OrderEventConnection"), description="Its whole life, oldest first."
    )
    async def events(
        parent: strawberry.Parent[domain.Order],
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> object:
        """Return the page."""
        return await orders.events(info.context, parent, PageArguments(first, after, last, before))


@strawberry.type(description="An order in a list.")
class OrderEdge(Edge[Order]):
    """See `Edge`."""


@strawberry.type(description="Orders, a page at a time.")
class OrderConnection(CountedConnection[Order, OrderEdge]):
    """See `Connection`."""
