"""Positions."""

from datetime import datetime
from decimal import Decimal

import strawberry

from domain.core.money import rounded
from domain.model import trading as domain
from domain.model.orders import OrderRole
from resolvers import markets, positions, profit, trading
from schema.common.node import Node, instance_of
from schema.common.pagination import connection
from schema.common.rounded import rounded_field
from schema.common.types import Info, lazy
from schema.orders.lists import OrderLists
from schema.orders.protection import PositionProtection


@strawberry.type(description="Why the engine closes a position, or a part of it, and how far that is.")
class PositionClosing:
    role: OrderRole = strawberry.field(description="The role of the orders that close it.")
    reason: str = strawberry.field(description="Why it is closed, in words.")
    since: datetime = strawberry.field(description="When the reason arose.")
    quantity: Decimal | None = strawberry.field(
        description="The part to close, in base currency. Null if all of it is closed."
    )
    tries: int = strawberry.field(description="How many orders were made for it so far.")
    next_try_at: datetime | None = strawberry.field(
        description="When the next order is made, after one that closed nothing. Null while none waits."
    )
    last_refusal: str | None = strawberry.field(
        description="Why the last order that closed nothing did so. Null if there was none."
    )
    waits_for: str | None = strawberry.field(
        description=(
            "What keeps the next order back, in words, such as another order that must end first. Null if nothing does."
        )
    )
    ended_at: datetime | None = strawberry.field(description="When that was done. Null while it goes on.")


@strawberry.type
class PositionFacts:
    """The fields that a position and its state at an event have in common."""

    quantity: Decimal = strawberry.field(
        description=(
            "The quantity that is held, in base currency, after fees in the base currency. It is negative for a short "
            "position."
        )
    )
    dust: Decimal = strawberry.field(
        description=(
            "The quantity that was left when the position closed, in base currency: less than the market's "
            "minimum quantity or minimum value."
        )
    )
    missing: Decimal = strawberry.field(
        description=(
            "The quantity that the position had and the account no longer held when it closed, in base currency: it "
            "was sold, withdrawn or spent elsewhere. `realizedProfit` doesn't count it."
        )
    )
    average_price: Decimal | None = rounded_field(
        "The mean price of the fills that opened the position, in quote currency for one unit of the base currency. "
        "Null before the first fill."
    )
    realized_profit: Decimal = rounded_field(
        "The profit of the parts that were closed, after fees, in quote currency. It is negative for a loss."
    )
    fees: Decimal = rounded_field(
        "The fees of the position, in quote currency. A fee in the base currency is valued at the price of its fill, "
        "a fee in a third currency at the fill's `feeRate`."
    )
    unpriced_fees: list[str] = strawberry.field(
        description=(
            "The currencies of fees that `fees` and `realizedProfit` leave out, because no price was known when their "
            "fills were recorded."
        )
    )
    opened_at: datetime = strawberry.field(description="When the first fill of the position happened.")
    closed_at: datetime | None = strawberry.field(description="When the position was closed. Null while it is open.")

    @strawberry.field(graphql_type=lazy("accounts.types", "Account"), description="The account of the position.")
    async def account(parent: strawberry.Parent[domain.Position], info: Info) -> object:
        return await trading.account(info.context, parent)

    @strawberry.field(
        graphql_type=lazy("markets.types", "Market"),
        description="The market of the position. The quantity is in its base currency.",
    )
    def market(parent: strawberry.Parent[domain.Position], info: Info) -> object:
        return markets.market(info.context, parent.market)

    @strawberry.field(
        graphql_type=lazy("trading.types", "TradingSession") | None,
        description="The trading session that opened the position. Null if orders that were placed by hand opened it.",
    )
    async def trading_session(parent: strawberry.Parent[domain.Position], info: Info) -> object:
        return await trading.trading_session(info.context, parent)


@strawberry.type(
    description=(
        "The sum of fills on one account and market, for one trading session or for orders by hand. A position lasts "
        "from its first fill until it is closed."
    )
)
class Position(Node, PositionFacts, OrderLists):
    is_type_of = instance_of(domain.Position)

    @strawberry.field(
        graphql_type=str | None,
        description="The tag that the user gave the position by `positionTag`. Null if it has none.",
    )
    async def tag(parent: strawberry.Parent[domain.Position], info: Info) -> object:
        return await profit.tag(info.context, parent)

    @strawberry.field(
        graphql_type=list[PositionProtection] | None,
        description="What closes the position, or did, oldest first: brackets of orders, a strategy's rules, or what "
        "`positionProtect` set.",
    )
    async def protections(parent: strawberry.Parent[domain.Position], info: Info) -> object:
        return await positions.protections(info.context, parent)

    @strawberry.field(
        description=(
            "The current price of the market, in quote currency for one unit of the base currency. `unrealizedProfit` "
            "is computed with it. Null if no price is known."
        )
    )
    def market_price(parent: strawberry.Parent[domain.Position], info: Info) -> Decimal | None:
        return trading.market_price(info.context, parent)

    @strawberry.field(
        description=(
            "The profit that closing the position at the current price would add, before fees, in quote currency. "
            "Null if no price is known."
        )
    )
    def unrealized_profit(parent: strawberry.Parent[domain.Position], info: Info) -> Decimal | None:
        profit = trading.unrealized_profit(info.context, parent)
        return None if profit is None else rounded(profit)

    @strawberry.field(
        graphql_type=PositionClosing | None,
        description=(
            "Why the engine closes the position, or a part of it, and how far that is; of several reasons the newest. "
            "Null if it has had none so far."
        ),
    )
    async def closing(parent: strawberry.Parent[domain.Position], info: Info) -> object:
        return await positions.closing(info.context, parent)


PositionConnection = connection(Position, "positions")
