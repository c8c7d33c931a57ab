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
OfMarket = Annotated[MarketSymbol, strawberry.argument(description="The market's name, such as sandbox:BTC/USDT.")]
OfTimeframe = Annotated[domain.Timeframe, strawberry.argument(description="The length of the candles.")]
START = Annotated[datetime | None, strawberry.argument(name="from", description="From then on, that moment included.")]
END = Annotated[datetime | None, strawberry.argument(description="Up to then, that moment not included.")]


@strawberry.type(description="A trading platform.")
class Venue(Node, VenueMarkets):
    """The schema's face of `domain.model.markets.Venue`."""

    is_type_of = serves(domain.Venue)

    name: str = strawberry.field(
        description="The name of the venue, as it stands before the colon in the symbols of its markets."
    )
    live: bool = strawberry.field(description="Whether real money moves on it.")

    @strawberry.field(description="Opaque, and unique among all objects.")
    def id(parent: strawberry.Parent[domain.Venue]) -> strawberry.ID:
        """Return the global id."""
        return encode_id("Venue", parent.name)

    @strawberry.field(description="The kinds of account that can be opened at the venue with `accountCreate`.")
    def account_kinds(parent: strawberry.Parent[domain.Venue], info: Info) -> list[AccountKind]:
        """Return the kinds."""
        return markets.account_kinds(info.context, parent)

    @strawberry.field(
        description="The types of order that can be placed at the venue. Null where the venue is no longer configured."
    )
    async def order_types(parent: strawberry.Parent[domain.Venue], info: Info) -> list[OrderType] | None:
        """Return the types."""
        abilities = await markets.abilities(info.context, parent)
        return None if abilities is None else list(abilities.order_types)

    @strawberry.field(
        description="How long an order can rest at the venue. GTD is ended by the engine itself. Null where the venue "
        "is no longer configured."
    )
    async def times_in_force(parent: strawberry.Parent[domain.Venue], info: Info) -> list[TimeInForce] | None:
        """Return the times in force."""
        abilities = await markets.abilities(info.context, parent)
        return None if abilities is None else list(abilities.times_in_force)

    @strawberry.field(
        description="Whether a LIMIT order can be post-only at the venue. Null where the venue is no longer configured."
    )
    async def post_only(parent: strawberry.Parent[domain.Venue], info: Info) -> bool | None:
        """Tell whether it can."""
        abilities = await markets.abilities(info.context, parent)
        return None if abilities is None else abilities.post_only

    @strawberry.field(
        description="The timeframes of the venue's candles; what it lacks is made of its shorter candles where that is "
        "possible. Null where the venue is no longer configured."
    )
    async def timeframes(parent: strawberry.Parent[domain.Venue], info: Info) -> list[domain.Timeframe] | None:
        """Return the timeframes."""
        abilities = await markets.abilities(info.context, parent)
        return None if abilities is None else list(abilities.timeframes)


@strawberry.type(description="The best prices, the last trade, and the day so far.")
class Ticker:
    """The schema's face of `domain.model.markets.Ticker`."""

    at: datetime = strawberry.field(description="When it happened, by the venue's clock.")
    bid: Decimal | None = strawberry.field(description="The best price to sell at.")
    ask: Decimal | None = strawberry.field(description="The best price to buy at.")
    last: Decimal | None = strawberry.field(description="The price of the last trade.")

    @strawberry.field(graphql_type=lazy("markets", "Market"), description="The market that it is of.")
    def market(parent: strawberry.Parent[domain.Ticker], info: Info) -> object:
        """Return the market."""
        return markets.market(info.context, parent.market)

    @strawberry.field(name="volume24h", description="How much was traded in 24 hours, in base currency.")
    def volume(parent: strawberry.Parent[domain.Ticker]) -> Decimal | None:
        """Return the volume."""
        return parent.volume_24h

    @strawberry.field(name="changePercent24h", description="How much the price has changed in 24 hours, in percent.")
    def change(parent: strawberry.Parent[domain.Ticker]) -> Decimal | None:
        """Return the change."""
        return parent.change_percent_24h

    @strawberry.field(name="high24h", description="The highest price of the last 24 hours.")
    def high(parent: strawberry.Parent[domain.Ticker]) -> Decimal | None:
        """Return the highest price."""
        return parent.high_24h

    @strawberry.field(name="low24h", description="The lowest price of the last 24 hours.")
    def low(parent: strawberry.Parent[domain.Ticker]) -> Decimal | None:
        """Return the lowest price."""
        return parent.low_24h

    @strawberry.field(name="quoteVolume24h", description="What was traded in the last 24 hours, in quote currency.")
    def quote_volume(parent: strawberry.Parent[domain.Ticker]) -> Decimal | None:
        """Return the volume in quote."""
        return parent.quote_volume_24h


@strawberry.type(description="One execution on the venue, of anybody.")
class Trade:
    """The schema's face of `domain.model.markets.Trade`."""

    venue_trade_id: str = strawberry.field(description="The venue's own id.")
    at: datetime = strawberry.field(description="When it happened, by the venue's clock.")
    price: Decimal = strawberry.field(description="In quote currency for one unit of the base currency.")
    quantity: Decimal = strawberry.field(description="In base currency.")
    side: OrderSide = strawberry.field(
        description="Which way the taker went: BUY where the one who took the resting order bought."
    )

    @strawberry.field(graphql_type=lazy("markets", "Market"), description="The market that it is of.")
    def market(parent: strawberry.Parent[domain.Trade], info: Info) -> object:
        """Return the market."""
        return markets.market(info.context, parent.market)


@strawberry.type(description="A trade in a list.")
class TradeEdge(Edge[Trade]):
    """See `Edge`."""


@strawberry.type(description="Trades, a page at a time.")
class TradeConnection(Connection[Trade, TradeEdge]):
    """See `Connection`."""


@strawberry.type(description="Trades since the event before; `dropped` counts those that a slow reader missed.")
class TradeBatch:
    """The schema's face of `domain.model.depth_views.TradeBatch`."""

    trades: list[Trade] = strawberry.field(description="Oldest first.")
    dropped: int = strawberry.field(description="How many are missing before them.")


@strawberry.type(description="Open, high, low, close and volume of one bucket of time.")
class Candle:
    """The schema's face of `domain.model.markets.Candle`."""

    timeframe: domain.Timeframe = strawberry.field(description="The length of the candle.")
    open_time: datetime = strawberry.field(description="When it began.")
    open: Decimal = strawberry.field(
        description="The first price, in quote currency for one unit of the base currency."
    )
    high: Decimal = strawberry.field(description="The highest price.")
    low: Decimal = strawberry.field(description="The lowest price.")
    close: Decimal = strawberry.field(description="The last price.")
    volume: Decimal = strawberry.field(description="In base currency.")
    closed: bool = strawberry.field(description="Whether it will not change any more.")

    @strawberry.field(graphql_type=lazy("markets", "Market"), description="The market that it is of.")
    def market(parent: strawberry.Parent[domain.Candle], info: Info) -> object:
        """Return the market."""
        return markets.market(info.context, parent.market)


@strawberry.type(description="A candle in a list.")
class CandleEdge(Edge[Candle]):
    """See `Edge`."""


@strawberry.type(description="Candles, a page at a time.")
class CandleConnection(Connection[Candle, CandleEdge]):
    """See `Connection`."""


@strawberry.type(description="A tradable instrument on a venue, with its filters.")
class Market(Node, MarketFeedField, MarketAnalyticsFields):
    """The schema's face of `domain.model.markets.Market`."""

    is_type_of = serves(domain.Market)

    symbol: MarketSymbol = strawberry.field(description="Its name on all of the engine.")
    base: str = strawberry.field(description="What is bought and sold.")
    quote: str = strawberry.field(description="What it is paid in.")
    active: bool = strawberry.field(description="Whether it is traded now.")
    price_increment: Decimal = strawberry.field(description="Prices are multiples of it.")
    quantity_increment: Decimal = strawberry.field(description="Quantities are multiples of it.")
    minimum_notional: Decimal | None = strawberry.field(
        description="The least that an order may be worth, in quote currency; null where there is no limit."
    )
    minimum_quantity: Decimal | None = strawberry.field(description="The least quantity of an order, in base currency.")
    maximum_quantity: Decimal | None = strawberry.field(
        description="The greatest quantity of an order, in base currency; null where the venue tells no limit."
    )
    maximum_market_quantity: Decimal | None = strawberry.field(
        description="The greatest quantity of a MARKET order, in base currency, where the venue has another for it; "
        "null where `maximumQuantity` holds."
    )

    @strawberry.field(
        description="What the venue takes of a fill of an order that rested, in percent; of an account without "
        "discounts. Null where the venue doesn't tell, negative where it pays."
    )
    def maker_fee_percent(parent: strawberry.Parent[domain.Market]) -> Decimal | None:
        """Return the fee in percent."""
        return markets.percent(parent.maker_fee)

    @strawberry.field(
        description="What the venue takes of a fill of an order that met one that rested, in percent; of an account "
        "without discounts. Null where the venue doesn't tell."
    )
    def taker_fee_percent(parent: strawberry.Parent[domain.Market]) -> Decimal | None:
        """Return the fee in percent."""
        return markets.percent(parent.taker_fee)

    @strawberry.field(description="Opaque, and unique among all objects.")
    def id(parent: strawberry.Parent[domain.Market]) -> strawberry.ID:
        """Return the global id."""
        return encode_id("Market", parent.symbol)

    @strawberry.field(graphql_type=Venue, description="Where it is traded.")
    def venue(parent: strawberry.Parent[domain.Market], info: Info) -> object:
        """Return the venue."""
        return markets.venue_of(info.context, parent)

    @strawberry.field(graphql_type=Ticker | None, description="Null where the feed doesn't start in 3 s.")
    async def ticker(parent: strawberry.Parent[domain.Market], info: Info) -> object:
        """Return the ticker."""
        return await markets.ticker(info.context, parent)

    @strawberry.field(
        graphql_type=lazy("depth", "MarketDepthSnapshot") | None,
        description="The book; null where the feed doesn't start in 3 s.",
    )
    async def depth(
        parent: strawberry.Parent[domain.Market],
        info: Info,
        levels: Annotated[
            views.DepthLevels, strawberry.argument(description="How many levels a side.")
        ] = views.DepthLevels.L20,
    ) -> object:
        """Return the book."""
        return await markets.depth(info.context, parent, levels)

    @strawberry.field(
        graphql_type=CandleConnection | None,
        description="Closed ones, oldest first; `first` and `last` at most 1,000. What is missing of the newest 10,000 "
        "is fetched from the venue, and waited for up to 3 s; older ones are those imported or back-filled. The "
        "forming candle is the first that the subscription gives.",
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
        graphql_type=TradeConnection | None, description="Those collected, oldest first; at most 1,000 a page."
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


@strawberry.type(description="A market in a list.")
class MarketEdge(Edge[Market]):
    """See `Edge`."""


@strawberry.type(description="Markets, a page at a time.")
class MarketConnection(CountedConnection[Market, MarketEdge]):
    """See `Connection`."""


@strawberry.type
class MarketQuery:
    """The markets' part of the query root."""

    @strawberry.field(graphql_type=list[Venue], description="Every venue that this engine reaches.")
    def venues(self, info: Info) -> object:
        """Return the venues."""
        return markets.venues(info.context)

    @strawberry.field(graphql_type=Market | None, description="A market; null where there is none of that symbol.")
    def market(self, info: Info, symbol: OfMarket) -> object:
        """Return the market."""
        return markets.market(info.context, symbol)


@strawberry.type
class MarketSubscription:
    """The markets' part of the subscription root; what it streams is the same for everyone."""

    @strawberry.subscription(
        graphql_type=Ticker, metadata=SHARED, description="The same for everyone; merged for a slow reader."
    )
    async def ticker(self, info: Info, market: OfMarket) -> AsyncGenerator[object]:
        """Stream the ticker."""
        return markets.ticker_source(info.context, market)  # type: ignore[return-value]  # a SharedSource

    @strawberry.subscription(
        graphql_type=TradeBatch,
        metadata=SHARED,
        description="Trades since the event before, never merged; `dropped` counts those that a slow reader missed.",
    )
    async def trades(self, info: Info, market: OfMarket) -> AsyncGenerator[object]:
        """Stream the trades."""
        return markets.trades_source(info.context, market)  # type: ignore[return-value]  # a SharedSource

    @strawberry.subscription(
        graphql_type=Candle,
        metadata=SHARED,
        description="Changes of the forming candle, merged for a slow reader, then the closed one, which is never "
        "merged away.",
    )
    async def candles(self, info: Info, market: OfMarket, timeframe: OfTimeframe) -> AsyncGenerator[object]:
        """Stream the candles."""
        return markets.candles_source(info.context, market, timeframe)  # type: ignore[return-value]  # a SharedSource
