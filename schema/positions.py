"""Positions as the API shows them."""

from datetime import datetime
from decimal import Decimal

import strawberry

from domain.core.money import rounded
from domain.model import trading as domain
from resolvers import markets, trading
from schema.context import Info
from schema.lazy import lazy
from schema.node import Node, serves
from schema.owned_lists import OrderLists
from schema.pagination import CountedConnection, Edge
from schema.rounded import rounded_field


@strawberry.type
class PositionFacts:
    """What is told of a position as it is now and as it once stood."""

    quantity: Decimal = strawberry.field(
        description=(
            "The quantity that is held, in base currency, after fees in the base currency. It is negative for a short "
            "position."
        )
    )
    dust: Decimal = strawberry.field(
        description=(
            "The quantity that was left when the position closed, in base currency: less than the market's least "
            "quantity or least value."
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

    @strawberry.field(graphql_type=lazy("accounts", "Account"), description="The account of the position.")
    async def account(parent: strawberry.Parent[domain.Position], info: Info) -> object:
        """Return the account."""
        return await trading.account_of(info.context, parent)

    @strawberry.field(
        graphql_type=lazy("markets", "Market"),
        description="The market of the position. The quantity is in its base currency.",
    )
    def market(parent: strawberry.Parent[domain.Position], info: Info) -> object:
        """Return the market."""
        return markets.market(info.context, parent.market)

    @strawberry.field(
        graphql_type=lazy("trading", "TradingSession") | None,
        description="The trading session that opened the position. Null if orders that were placed by hand opened it.",
    )
    async def trading_session(parent: strawberry.Parent[domain.Position], info: Info) -> object:
        """Return the trading session."""
        return await trading.session_of(info.context, parent)


@strawberry.type(
    description=(
        "The sum of fills on one account and market, for one trading session or for orders by hand. A position lasts "
        "from its first fill until it is closed."
    )
)
class Position(Node, PositionFacts, OrderLists):
    """The schema's face of `domain.model.trading.Position`."""

    is_type_of = serves(domain.Position)

    @strawberry.field(
        description=(
            "The current price of the market, in quote currency for one unit of the base currency. `unrealizedProfit` "
            "is computed with it. Null if no price is known."
        )
    )
    def market_price(parent: strawberry.Parent[domain.Position], info: Info) -> Decimal | None:
        """Return the price."""
        return trading.market_price(info.context, parent)

    @strawberry.field(
        description=(
            "The profit that closing the position at the current price would add, before fees, in quote currency. "
            "Null if no price is known."
        )
    )
    def unrealized_profit(parent: strawberry.Parent[domain.Position], info: Info) -> Decimal | None:
        """Return the profit on paper."""
        profit = trading.unrealized_profit(info.context, parent)
        return None if profit is None else rounded(profit)


@strawberry.type(description="A position in a list, with its cursor.")
class PositionEdge(Edge[Position]):
    """See `Edge`."""


@strawberry.type(description="One page of a list of positions.")
class PositionConnection(CountedConnection[Position, PositionEdge]):
    """See `Connection`."""
