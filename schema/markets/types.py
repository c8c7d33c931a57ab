"""Venues and markets."""

from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Final

import strawberry

from domain.market_data.catalogue import MarketFilter
from domain.model import depth_views as views
from domain.model import markets as domain
from domain.model import venue_abilities as domain_abilities
from domain.model.markets import FeedState, MarketSymbol
from domain.model.orders import OrderType, TimeInForce
from domain.model.trading import AccountKind
from domain.model.venue_abilities import AmendAbility, ReportSource
from resolvers import markets
from resolvers.markets import MarketOrder
from resolvers.pagination import PageArguments
from schema.analytics.market_fields import MarketAnalyticsFields
from schema.common.arguments import connection_field
from schema.common.node import Node, encode_id, instance_of
from schema.common.pagination import connection
from schema.common.public import PUBLIC
from schema.common.types import Info, lazy
from schema.markets.arguments import End, MarketOrderBy, OfTimeframe, Start, market_filter
from schema.markets.market_data import CandleConnection, CandleSeries, Ticker, TradeConnection

CANDLES_PER_OBJECT: Final = 10
"""How many candles of a series cost as much as one object: no object is made of them."""


@strawberry.type(description="The state of the feed through which all data of a market arrives.")
class MarketFeed:
    state: FeedState = strawberry.field(description="Whether the market's data can be relied on.")
    since: datetime = strawberry.field(description="When the feed entered this state.")

    @strawberry.field(graphql_type=lazy("markets.types", "Market"), description="The market of the feed.")
    def market(parent: strawberry.Parent[domain.FeedStatus], info: Info) -> object:
        return markets.market(info.context, parent.market)


@strawberry.type(description="What the engine can do at a venue beyond public data, and how it follows orders there.")
class VenueAbilities:
    is_type_of = instance_of(domain_abilities.VenueAbilities)

    live_accounts: bool = strawberry.field(
        description=(
            "True if accounts with real money can be opened at the venue: the engine knows how it treats orders. "
            "Public data is available either way."
        )
    )
    order_types: list[OrderType] = strawberry.field(description="The types of order that the engine places there.")
    times_in_force: list[TimeInForce] = strawberry.field(
        description="The times in force that the engine supports there. The engine itself cancels GTD orders."
    )
    post_only: bool = strawberry.field(description="True if a LIMIT order can be post-only.")
    orders: ReportSource = strawberry.field(description="How changes of orders arrive.")
    fills: ReportSource = strawberry.field(description="How fills arrive.")
    balances: ReportSource = strawberry.field(description="How changes of balances arrive.")
    amend: AmendAbility = strawberry.field(description="How the venue changes an order that rests.")
    order_lists: bool = strawberry.field(
        description="True if the venue links orders itself, so that one cancels the other."
    )
    trailing_stop: bool = strawberry.field(description="True if the venue lets a stop price follow the market.")
    client_order_id_length: int | None = strawberry.field(
        description=(
            "The length of the ids by which the venue knows the engine's orders. Where it is 32, the venue has an "
            "order's `clientOrderId` without its prefix `r3-`. Null if the engine places no orders there."
        )
    )


@strawberry.type(description="A trading platform that the engine can reach.")
class Venue(Node):
    is_type_of = instance_of(domain.Venue)

    name: str = strawberry.field(
        description="The name of the venue. The symbols of its markets start with it, followed by a colon."
    )
    live: bool = strawberry.field(description="True if real money is traded at the venue.")

    @strawberry.field(description="An opaque id, unique among all objects.")
    def id(parent: strawberry.Parent[domain.Venue]) -> strawberry.ID:
        return encode_id("Venue", parent.name)

    @strawberry.field(description="The kinds of account that `accountCreate` can open at the venue.")
    def account_kinds(parent: strawberry.Parent[domain.Venue], info: Info) -> list[AccountKind]:
        return markets.account_kinds(info.context, parent)

    @strawberry.field(
        description="The types of order that `orderPlace` accepts at the venue. Null if the venue is no longer "
        "configured."
    )
    async def order_types(parent: strawberry.Parent[domain.Venue], info: Info) -> list[OrderType] | None:
        abilities = await markets.abilities(info.context, parent)
        return None if abilities is None else list(abilities.order_types)

    @strawberry.field(
        description=(
            "The times in force that `orderPlace` accepts at the venue. The engine itself cancels GTD orders. Null if "
            "the venue is no longer configured."
        )
    )
    async def times_in_force(parent: strawberry.Parent[domain.Venue], info: Info) -> list[TimeInForce] | None:
        abilities = await markets.abilities(info.context, parent)
        return None if abilities is None else list(abilities.times_in_force)

    @strawberry.field(
        description="True if a LIMIT order can be post-only at the venue. Null if the venue is no longer configured."
    )
    async def post_only(parent: strawberry.Parent[domain.Venue], info: Info) -> bool | None:
        abilities = await markets.abilities(info.context, parent)
        return None if abilities is None else abilities.post_only

    @strawberry.field(
        description=(
            "The timeframes of the venue's candles. If the venue lacks one, its candles are computed from shorter "
            "ones if possible. Null if the venue is no longer configured."
        )
    )
    async def timeframes(parent: strawberry.Parent[domain.Venue], info: Info) -> list[domain.Timeframe] | None:
        abilities = await markets.abilities(info.context, parent)
        return None if abilities is None else list(abilities.timeframes)

    @strawberry.field(
        graphql_type=VenueAbilities | None,
        description=(
            "What the engine can do at the venue, and how it follows orders there. Null if the venue is no longer "
            "configured."
        ),
    )
    async def abilities(parent: strawberry.Parent[domain.Venue], info: Info) -> object:
        return await markets.abilities(info.context, parent)

    @connection_field(
        lazy("markets.types", "MarketConnection") | None,
        nested=True,
        description="The markets of the venue.",
        filter=market_filter,
    )
    def markets(
        parent: strawberry.Parent[domain.Venue],
        info: Info,
        page: PageArguments,
        filter: MarketFilter,
        order_by: MarketOrderBy = MarketOrder.SYMBOL,
    ) -> object:
        return markets.markets(info.context, page, replace(filter, venue=parent.name), order_by)


@strawberry.type(description="A tradable instrument at a venue, with the venue's rules for its orders.")
class Market(Node, MarketAnalyticsFields):
    is_type_of = instance_of(domain.Market)

    symbol: MarketSymbol = strawberry.field(
        metadata=PUBLIC, description="The symbol of the market, unique in the engine, such as sandbox:BTC/USDT."
    )
    base: str = strawberry.field(metadata=PUBLIC, description="The base currency: the one that is bought and sold.")
    quote: str = strawberry.field(metadata=PUBLIC, description="The quote currency: the one in which prices are given.")
    active: bool = strawberry.field(metadata=PUBLIC, description="True if the venue trades the market now.")
    price_increment: Decimal = strawberry.field(
        metadata=PUBLIC, description="The step of prices, in quote currency. Every price is a multiple of it."
    )
    quantity_increment: Decimal = strawberry.field(
        metadata=PUBLIC, description="The step of quantities, in base currency. Every quantity is a multiple of it."
    )
    minimum_notional: Decimal | None = strawberry.field(
        metadata=PUBLIC, description="The least value of an order, in quote currency. Null if there is no limit."
    )
    minimum_quantity: Decimal | None = strawberry.field(
        metadata=PUBLIC, description="The least quantity of an order, in base currency. Null if there is no limit."
    )
    maximum_quantity: Decimal | None = strawberry.field(
        metadata=PUBLIC,
        description="The greatest quantity of an order, in base currency. Null if the venue reports no limit.",
    )
    maximum_market_quantity: Decimal | None = strawberry.field(
        metadata=PUBLIC,
        description=(
            "The greatest quantity of a MARKET order, in base currency. Null if `maximumQuantity` applies to MARKET "
            "orders too."
        ),
    )

    @strawberry.field(
        metadata=PUBLIC,
        description=(
            "The fee for a fill of an order that rested in the book, in percent of its value, for an account without "
            "discounts. Negative if the venue pays it. Null if the venue doesn't report it."
        ),
    )
    def maker_fee_percent(parent: strawberry.Parent[domain.Market]) -> Decimal | None:
        return markets.percent(parent.maker_fee)

    @strawberry.field(
        metadata=PUBLIC,
        description=(
            "The fee for a fill of an order that met a resting one, in percent of its value, for an account without "
            "discounts. Null if the venue doesn't report it."
        ),
    )
    def taker_fee_percent(parent: strawberry.Parent[domain.Market]) -> Decimal | None:
        return markets.percent(parent.taker_fee)

    @strawberry.field(metadata=PUBLIC, description="An opaque id, unique among all objects.")
    def id(parent: strawberry.Parent[domain.Market]) -> strawberry.ID:
        return encode_id("Market", parent.symbol)

    @strawberry.field(graphql_type=Venue, description="The venue of the market.")
    def venue(parent: strawberry.Parent[domain.Market], info: Info) -> object:
        return markets.venue_of(info.context, parent)

    @strawberry.field(
        metadata=PUBLIC,
        graphql_type=Ticker | None,
        description="The current ticker. The feed is started if needed. Null if it has no ticker within 3 seconds.",
    )
    async def ticker(parent: strawberry.Parent[domain.Market], info: Info) -> object:
        return await markets.ticker(info.context, parent)

    @strawberry.field(
        metadata=PUBLIC,
        graphql_type=lazy("markets.depth", "MarketDepthSnapshot") | None,
        description="The current order book. The feed is started if needed. Null if it has no order book within 3 "
        "seconds.",
    )
    async def depth(
        parent: strawberry.Parent[domain.Market],
        info: Info,
        levels: Annotated[
            views.DepthLevels, strawberry.argument(description="How many levels to return on each side.")
        ] = views.DepthLevels.L20,
    ) -> object:
        return await markets.depth(info.context, parent, levels)

    @connection_field(
        CandleConnection | None,
        metadata=PUBLIC,
        description=(
            "Closed candles, oldest first, at most 1,000 a page. If one of the newest 10,000 candles is missing, it "
            "is fetched from the venue and waited for up to 3 seconds. Older candles are those that were imported or "
            "back-filled. The forming candle is the first event of the `candles` subscription."
        ),
    )
    async def candles(
        parent: strawberry.Parent[domain.Market],
        info: Info,
        timeframe: OfTimeframe,
        page: PageArguments,
        from_: Start = None,
        to: End = None,
    ) -> object:
        return await markets.candles(info.context, parent, timeframe, from_, to, page)

    @connection_field(
        CandleSeries | None,
        metadata={**PUBLIC, "items_per_object": CANDLES_PER_OBJECT},
        description=(
            "The page of `candles` with the same arguments, as a list for each column, which is shorter and costs the "
            "engine much less. A cursor of one of the two fields is valid for the other."
        ),
    )
    async def candle_series(
        parent: strawberry.Parent[domain.Market],
        info: Info,
        timeframe: OfTimeframe,
        page: PageArguments,
        from_: Start = None,
        to: End = None,
    ) -> object:
        return await markets.candle_series(info.context, parent, timeframe, from_, to, page)

    @connection_field(
        TradeConnection | None,
        metadata=PUBLIC,
        description="The trades that the engine has collected, oldest first, at most 1,000 a page.",
    )
    async def trades(
        parent: strawberry.Parent[domain.Market],
        info: Info,
        page: PageArguments,
        from_: Start = None,
        to: End = None,
    ) -> object:
        return await markets.trades(info.context, parent, from_, to, page)

    @strawberry.field(
        graphql_type=MarketFeed | None,
        description=(
            "The state of the market's feed. Null if the node that answers doesn't follow the market, for example "
            "because nobody has asked for its ticker or its order book."
        ),
    )
    def feed(parent: strawberry.Parent[domain.Market], info: Info) -> object:
        return markets.feed(info.context, parent)


MarketConnection = connection(Market, "markets")
