"""Markets and their live data as the API shows them."""

from collections.abc import AsyncGenerator
from datetime import datetime
from decimal import Decimal
from typing import Annotated

import strawberry

from domain.model import depth_views as views
from domain.model import markets as domain
from domain.model.markets import MarketSymbol
from domain.model.order_side import OrderSide
from domain.model.orders import OrderType, TimeInForce
from domain.model.trading import AccountKind
from resolvers import markets
from resolvers.pagination import PageArguments
from schema.context import Info
from schema.lazy import lazy
from schema.market_analytics import MarketAnalyticsFields
from schema.market_lists import MarketFeedField, VenueMarkets
from schema.node import Node, encode_id, serves
from schema.pagination import After, Before, Connection, CountedConnection, Edge, First, Last

SHARED = {"shared": True}
OfMarket = Annotated[
    MarketSymbol, strawberry.argument(description="The symbol of the market, such as sandbox:BTC/USDT.")
]
OfTimeframe = Annotated[domain.Timeframe, strawberry.argument(description="The length of the candles.")]
START = Annotated[
    datetime | None,
    strawberry.argument(
        name="from", description="The start of the period, inclusive. By default the list starts with the oldest item."
    ),
]
END = Annotated[
    datetime | None,
    strawberry.argument(description="The end of the period, exclusive. By default the list ends with the newest item."),
]


@strawberry.type(description="A trading platform that the engine can reach.")
class Venue(Node, VenueMarkets):
    """The schema's face of `domain.model.markets.Venue`."""

    is_type_of = serves(domain.Venue)

    name: str = strawberry.field(
        description="The name of the venue. The symbols of its markets start with it, followed by a colon."
    )
    live: bool = strawberry.field(description="True if real money is traded at the venue.")

    @strawberry.field(description="An opaque id, unique among all objects.")
    def id(parent: strawberry.Parent[domain.Venue]) -> strawberry.ID:
        """Return the global id."""
        return encode_id("Venue", parent.name)

    @strawberry.field(description="The kinds of account that `accountCreate` can open at the venue.")
    def account_kinds(parent: strawberry.Parent[domain.Venue], info: Info) -> list[AccountKind]:
        """Return the kinds."""
        return markets.account_kinds(info.context, parent)

    @strawberry.field(
        description="The types of order that `orderPlace` accepts at the venue. Null if the venue is no longer "
        "configured."
    )
    async def order_types(parent: strawberry.Parent[domain.Venue], info: Info) -> list[OrderType] | None:
        """Return the types."""
        abilities = await markets.abilities(info.context, parent)
        return None if abilities is None else list(abilities.order_types)

    @strawberry.field(
        description=(
            "The times in force that `orderPlace` accepts at the venue. The engine itself cancels GTD orders. Null if "
            "the venue is no longer configured."
        )
    )
    async def times_in_force(parent: strawberry.Parent[domain.Venue], info: Info) -> list[TimeInForce] | None:
        """Return the times in force."""
        abilities = await markets.abilities(info.context, parent)
        return None if abilities is None else list(abilities.times_in_force)

    @strawberry.field(
        description="True if a LIMIT order can be post-only at the venue. Null if the venue is no longer configured."
    )
    async def post_only(parent: strawberry.Parent[domain.Venue], info: Info) -> bool | None:
        """Tell whether it can."""
        abilities = await markets.abilities(info.context, parent)
        return None if abilities is None else abilities.post_only

    @strawberry.field(
        description=(
            "The timeframes of the venue's candles. If the venue lacks one, its candles are computed from shorter "
            "ones where that is possible. Null if the venue is no longer configured."
        )
    )
    async def timeframes(parent: strawberry.Parent[domain.Venue], info: Info) -> list[domain.Timeframe] | None:
        """Return the timeframes."""
        abilities = await markets.abilities(info.context, parent)
        return None if abilities is None else list(abilities.timeframes)


@strawberry.type(description="The best prices and the last trade of a market, and its last 24 hours.")
class Ticker:
    """The schema's face of `domain.model.markets.Ticker`."""

    at: datetime = strawberry.field(description="The time of the ticker, by the venue's clock.")
    bid: Decimal | None = strawberry.field(
        description=(
            "The highest price at which somebody buys, in quote currency for one unit of the base currency. Null if "
            "it isn't known."
        )
    )
    ask: Decimal | None = strawberry.field(
        description=(
            "The lowest price at which somebody sells, in quote currency for one unit of the base currency. Null if "
            "it isn't known."
        )
    )
    last: Decimal | None = strawberry.field(
        description=(
            "The price of the last trade, in quote currency for one unit of the base currency. Null if it isn't known."
        )
    )

    @strawberry.field(graphql_type=lazy("markets", "Market"), description="The market of the ticker.")
    def market(parent: strawberry.Parent[domain.Ticker], info: Info) -> object:
        """Return the market."""
        return markets.market(info.context, parent.market)

    @strawberry.field(
        name="volume24h",
        description="The volume of the last 24 hours, in base currency. Null if the venue doesn't report it.",
    )
    def volume(parent: strawberry.Parent[domain.Ticker]) -> Decimal | None:
        """Return the volume."""
        return parent.volume_24h

    @strawberry.field(
        name="changePercent24h",
        description="The change of the price in the last 24 hours, in percent. Null if the venue doesn't report it.",
    )
    def change(parent: strawberry.Parent[domain.Ticker]) -> Decimal | None:
        """Return the change."""
        return parent.change_percent_24h

    @strawberry.field(
        name="high24h",
        description=(
            "The highest price of the last 24 hours, in quote currency for one unit of the base currency. Null if the "
            "venue doesn't report it."
        ),
    )
    def high(parent: strawberry.Parent[domain.Ticker]) -> Decimal | None:
        """Return the highest price."""
        return parent.high_24h

    @strawberry.field(
        name="low24h",
        description=(
            "The lowest price of the last 24 hours, in quote currency for one unit of the base currency. Null if the "
            "venue doesn't report it."
        ),
    )
    def low(parent: strawberry.Parent[domain.Ticker]) -> Decimal | None:
        """Return the lowest price."""
        return parent.low_24h

    @strawberry.field(
        name="quoteVolume24h",
        description="The volume of the last 24 hours, in quote currency. Null if the venue doesn't report it.",
    )
    def quote_volume(parent: strawberry.Parent[domain.Ticker]) -> Decimal | None:
        """Return the volume in quote."""
        return parent.quote_volume_24h


@strawberry.type(description="A trade at the venue between any two of its clients.")
class Trade:
    """The schema's face of `domain.model.markets.Trade`."""

    venue_trade_id: str = strawberry.field(description="The venue's id of the trade.")
    at: datetime = strawberry.field(description="When the trade happened, by the venue's clock.")
    price: Decimal = strawberry.field(description="The price, in quote currency for one unit of the base currency.")
    quantity: Decimal = strawberry.field(description="The quantity, in base currency.")
    side: OrderSide = strawberry.field(
        description="The side of the taker: BUY if the order that met a resting one was a buy."
    )

    @strawberry.field(graphql_type=lazy("markets", "Market"), description="The market of the trade.")
    def market(parent: strawberry.Parent[domain.Trade], info: Info) -> object:
        """Return the market."""
        return markets.market(info.context, parent.market)


@strawberry.type(description="A trade in a list, with its cursor.")
class TradeEdge(Edge[Trade]):
    """See `Edge`."""


@strawberry.type(description="One page of a list of trades.")
class TradeConnection(Connection[Trade, TradeEdge]):
    """See `Connection`."""


@strawberry.type(description="The trades since the previous event.")
class TradeBatch:
    """The schema's face of `domain.model.depth_views.TradeBatch`."""

    trades: list[Trade] = strawberry.field(description="The trades, oldest first.")
    dropped: int = strawberry.field(
        description="The number of trades before these that a slow client missed. It is 0 for a client that keeps up."
    )


@strawberry.type(description="The prices and the volume of a market in one period of time.")
class Candle:
    """The schema's face of `domain.model.markets.Candle`."""

    timeframe: domain.Timeframe = strawberry.field(description="The length of the candle.")
    open_time: datetime = strawberry.field(description="The start of the candle's period.")
    open: Decimal = strawberry.field(
        description="The first price, in quote currency for one unit of the base currency."
    )
    high: Decimal = strawberry.field(
        description="The highest price, in quote currency for one unit of the base currency."
    )
    low: Decimal = strawberry.field(
        description="The lowest price, in quote currency for one unit of the base currency."
    )
    close: Decimal = strawberry.field(
        description="The last price, in quote currency for one unit of the base currency."
    )
    volume: Decimal = strawberry.field(description="The volume, in base currency.")
    closed: bool = strawberry.field(
        description="True if the candle's period is over and the candle doesn't change any more."
    )

    @strawberry.field(graphql_type=lazy("markets", "Market"), description="The market of the candle.")
    def market(parent: strawberry.Parent[domain.Candle], info: Info) -> object:
        """Return the market."""
        return markets.market(info.context, parent.market)


@strawberry.type(description="A candle in a list, with its cursor.")
class CandleEdge(Edge[Candle]):
    """See `Edge`."""


@strawberry.type(description="One page of a list of candles.")
class CandleConnection(Connection[Candle, CandleEdge]):
    """See `Connection`."""


@strawberry.type(description="A tradable instrument at a venue, with the venue's rules for its orders.")
class Market(Node, MarketFeedField, MarketAnalyticsFields):
    """The schema's face of `domain.model.markets.Market`."""

    is_type_of = serves(domain.Market)

    symbol: MarketSymbol = strawberry.field(
        description="The symbol of the market, unique in the engine, such as sandbox:BTC/USDT."
    )
    base: str = strawberry.field(description="The base currency: the one that is bought and sold.")
    quote: str = strawberry.field(description="The quote currency: the one in which prices are given.")
    active: bool = strawberry.field(description="True if the venue trades the market now.")
    price_increment: Decimal = strawberry.field(
        description="The step of prices, in quote currency. Every price is a multiple of it."
    )
    quantity_increment: Decimal = strawberry.field(
        description="The step of quantities, in base currency. Every quantity is a multiple of it."
    )
    minimum_notional: Decimal | None = strawberry.field(
        description="The least value of an order, in quote currency. Null if there is no limit."
    )
    minimum_quantity: Decimal | None = strawberry.field(
        description="The least quantity of an order, in base currency. Null if there is no limit."
    )
    maximum_quantity: Decimal | None = strawberry.field(
        description="The greatest quantity of an order, in base currency. Null if the venue reports no limit."
    )
    maximum_market_quantity: Decimal | None = strawberry.field(
        description=(
            "The greatest quantity of a MARKET order, in base currency. Null if `maximumQuantity` applies to MARKET "
            "orders too."
        )
    )

    @strawberry.field(
        description=(
            "The fee for a fill of an order that rested in the book, in percent of its value, for an account without "
            "discounts. Negative if the venue pays it. Null if the venue doesn't report it."
        )
    )
    def maker_fee_percent(parent: strawberry.Parent[domain.Market]) -> Decimal | None:
        """Return the fee in percent."""
        return markets.percent(parent.maker_fee)

    @strawberry.field(
        description=(
            "The fee for a fill of an order that met a resting one, in percent of its value, for an account without "
            "discounts. Null if the venue doesn't report it."
        )
    )
    def taker_fee_percent(parent: strawberry.Parent[domain.Market]) -> Decimal | None:
        """Return the fee in percent."""
        return markets.percent(parent.taker_fee)

    @strawberry.field(description="An opaque id, unique among all objects.")
    def id(parent: strawberry.Parent[domain.Market]) -> strawberry.ID:
        """Return the global id."""
        return encode_id("Market", parent.symbol)

    @strawberry.field(graphql_type=Venue, description="The venue of the market.")
    def venue(parent: strawberry.Parent[domain.Market], info: Info) -> object:
        """Return the venue."""
        return markets.venue_of(info.context, parent)

    @strawberry.field(
        graphql_type=Ticker | None,
        description="The current ticker. The feed is started if needed. Null if it has no ticker within 3 seconds.",
    )
    async def ticker(parent: strawberry.Parent[domain.Market], info: Info) -> object:
        """Return the ticker."""
        return await markets.ticker(info.context, parent)

    @strawberry.field(
        graphql_type=lazy("depth", "MarketDepthSnapshot") | None,
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
        """Return the book."""
        return await markets.depth(info.context, parent, levels)

    @strawberry.field(
        graphql_type=CandleConnection | None,
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
        from_: START = None,
        to: END = None,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> object:
        """Return the page."""
        page = PageArguments(first, after, last, before)
        return await markets.candles(info.context, parent, timeframe, from_, to, page)

    @strawberry.field(
        graphql_type=TradeConnection | None,
        description="The trades that the engine has collected, oldest first, at most 1,000 a page.",
    )
    async def trades(
        parent: strawberry.Parent[domain.Market],
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        from_: START = None,
        to: END = None,
    ) -> object:
        """Return the page."""
        page = PageArguments(first, after, last, before)
        return await markets.trades(info.context, parent, from_, to, page)


@strawberry.type(description="A market in a list, with its cursor.")
class MarketEdge(Edge[Market]):
    """See `Edge`."""


@strawberry.type(description="One page of a list of markets.")
class MarketConnection(CountedConnection[Market, MarketEdge]):
    """See `Connection`."""


@strawberry.type
class MarketQuery:
    """The markets' part of the query root."""

    @strawberry.field(graphql_type=list[Venue], description="All venues that this engine can reach.")
    def venues(self, info: Info) -> object:
        """Return the venues."""
        return markets.venues(info.context)

    @strawberry.field(graphql_type=Market | None, description="The market with this symbol. Null if there is none.")
    def market(self, info: Info, symbol: OfMarket) -> object:
        """Return the market."""
        return markets.market(info.context, symbol)


@strawberry.type
class MarketSubscription:
    """The markets' part of the subscription root; what it streams is the same for everyone."""

    @strawberry.subscription(
        graphql_type=Ticker,
        metadata=SHARED,
        description=(
            "The ticker of a market. It starts with the current ticker, if one is known. A slow client receives the "
            "newest ticker. All subscribers receive the same data."
        ),
    )
    async def ticker(self, info: Info, market: OfMarket) -> AsyncGenerator[object]:
        """Stream the ticker."""
        return markets.ticker_source(info.context, market)  # type: ignore[return-value]  # a SharedSource

    @strawberry.subscription(
        graphql_type=TradeBatch,
        metadata=SHARED,
        description=(
            "The trades of a market. An event contains the trades since the previous event. Trades are never merged. "
            "If a slow client misses some, `dropped` counts them. All subscribers receive the same data."
        ),
    )
    async def trades(self, info: Info, market: OfMarket) -> AsyncGenerator[object]:
        """Stream the trades."""
        return markets.trades_source(info.context, market)  # type: ignore[return-value]  # a SharedSource

    @strawberry.subscription(
        graphql_type=Candle,
        metadata=SHARED,
        description=(
            "The candles of a market. It starts with the forming candle and sends it again after changes. A slow "
            "client receives its newest state. When the candle closes, the closed candle is sent, and no client "
            "misses it. All subscribers receive the same data."
        ),
    )
    async def candles(self, info: Info, market: OfMarket, timeframe: OfTimeframe) -> AsyncGenerator[object]:
        """Stream the candles."""
        return markets.candles_source(info.context, market, timeframe)  # type: ignore[return-value]  # a SharedSource
