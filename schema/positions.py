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
        description="Signed: negative is short. Net of fees paid in the base currency."
    )
    dust: Decimal = strawberry.field(
        description="What is left below the lot or the minimum notional when it closed, in base currency."
    )
    average_price: Decimal | None = rounded_field("What it was opened at, in quote currency per base.")
    realized_profit: Decimal = rounded_field(
        "What was gained or lost by closing parts of it, after fees, in quote currency."
    )
    fees: Decimal = rounded_field(
        "In quote currency; one paid in base is valued at its fill's price, one in a third currency by the "
        "fill's `feeRate`."
    )
    unpriced_fees: list[str] = strawberry.field(
        description="The currencies of fees that `fees` and `realizedProfit` leave out, since no price of them was "
        "known when their fills were recorded."
    )
    opened_at: datetime = strawberry.field(description="When its first fill was.")
    closed_at: datetime | None = strawberry.field(description="When it became flat; null while it is open.")

    @strawberry.field(graphql_type=lazy("accounts", "Account"), description="The account that it is on.")
    async def account(parent: strawberry.Parent[domain.Position], info: Info) -> object:
        """Return the account."""
        return await trading.account_of(info.context, parent)

    @strawberry.field(graphql_type=lazy("markets", "Market"), description="The market whose base currency is held.")
    def market(parent: strawberry.Parent[domain.Position], info: Info) -> object:
        """Return the market."""
        return markets.market(info.context, parent.market)

    @strawberry.field(
        graphql_type=lazy("trading", "TradingSession") | None,
        description="The session that opened it; null where orders by hand did.",
    )
    async def trading_session(parent: strawberry.Parent[domain.Position], info: Info) -> object:
        """Return the trading session."""
        return await trading.session_of(info.context, parent)


@strawberry.type(description="What fills add up to, by account, market and trading session; one from opening to flat.")
class Position(Node, PositionFacts, OrderLists):
    """The schema's face of `domain.model.trading.Position`."""

    is_type_of = serves(domain.Position)

    @strawberry.field(
        description="The present price of its market, by which `unrealizedProfit` is counted, in quote currency per "
        "base. Null where no price is known."
    )
    def market_price(parent: strawberry.Parent[domain.Position], info: Info) -> Decimal | None:
        """Return the price."""
        return trading.market_price(info.context, parent)

    @strawberry.field(
        description="What closing it at the present price would add, before fees, in quote currency; null where no "
        "price is known."
    )
    def unrealized_profit(parent: strawberry.Parent[domain.Position], info: Info) -> Decimal | None:
        """Return the profit on paper."""
        profit = trading.unrealized_profit(info.context, parent)
        return None if profit is None else rounded(profit)


@strawberry.type(description="A position in a list.")
class PositionEdge(Edge[Position]):
    """See `Edge`."""


@strawberry.type(description="Positions, a page at a time.")
class PositionConnection(CountedConnection[Position, PositionEdge]):
    """See `Connection`."""
