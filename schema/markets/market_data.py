"""Tickers, trades and candles."""

from datetime import datetime
from decimal import Decimal

import strawberry

from domain.model import markets as domain
from domain.model.order_side import OrderSide
from resolvers import markets
from schema.common.pagination import PageInfo, connection
from schema.common.public import PUBLIC
from schema.common.types import Info, lazy


@strawberry.type(description="The best prices and the last trade of a market, and its last 24 hours.")
class Ticker:
    at: datetime = strawberry.field(metadata=PUBLIC, description="The time of the ticker, by the venue's clock.")
    bid: Decimal | None = strawberry.field(
        metadata=PUBLIC,
        description=(
            "The highest price at which somebody buys, in quote currency for one unit of the base currency. Null if "
            "it isn't known."
        ),
    )
    ask: Decimal | None = strawberry.field(
        metadata=PUBLIC,
        description=(
            "The lowest price at which somebody sells, in quote currency for one unit of the base currency. Null if "
            "it isn't known."
        ),
    )
    last: Decimal | None = strawberry.field(
        metadata=PUBLIC,
        description=(
            "The price of the last trade, in quote currency for one unit of the base currency. Null if it isn't known."
        ),
    )

    @strawberry.field(
        metadata=PUBLIC, graphql_type=lazy("markets.types", "Market"), description="The market of the ticker."
    )
    def market(parent: strawberry.Parent[domain.Ticker], info: Info) -> object:
        return markets.market(info.context, parent.market)

    @strawberry.field(
        metadata=PUBLIC,
        name="volume24h",
        description="The volume of the last 24 hours, in base currency. Null if the venue doesn't report it.",
    )
    def volume(parent: strawberry.Parent[domain.Ticker]) -> Decimal | None:
        return parent.volume_24h

    @strawberry.field(
        metadata=PUBLIC,
        name="changePercent24h",
        description="The change of the price in the last 24 hours, in percent. Null if the venue doesn't report it.",
    )
    def change(parent: strawberry.Parent[domain.Ticker]) -> Decimal | None:
        return parent.change_percent_24h

    @strawberry.field(
        metadata=PUBLIC,
        name="high24h",
        description=(
            "The highest price of the last 24 hours, in quote currency for one unit of the base currency. Null if the "
            "venue doesn't report it."
        ),
    )
    def high(parent: strawberry.Parent[domain.Ticker]) -> Decimal | None:
        return parent.high_24h

    @strawberry.field(
        metadata=PUBLIC,
        name="low24h",
        description=(
            "The lowest price of the last 24 hours, in quote currency for one unit of the base currency. Null if the "
            "venue doesn't report it."
        ),
    )
    def low(parent: strawberry.Parent[domain.Ticker]) -> Decimal | None:
        return parent.low_24h

    @strawberry.field(
        metadata=PUBLIC,
        name="quoteVolume24h",
        description="The volume of the last 24 hours, in quote currency. Null if the venue doesn't report it.",
    )
    def quote_volume(parent: strawberry.Parent[domain.Ticker]) -> Decimal | None:
        return parent.quote_volume_24h


@strawberry.type(description="A trade at the venue between any two of its clients.")
class Trade:
    venue_trade_id: str = strawberry.field(metadata=PUBLIC, description="The venue's id of the trade.")
    at: datetime = strawberry.field(metadata=PUBLIC, description="When the trade happened, by the venue's clock.")
    price: Decimal = strawberry.field(
        metadata=PUBLIC, description="The price, in quote currency for one unit of the base currency."
    )
    quantity: Decimal = strawberry.field(metadata=PUBLIC, description="The quantity, in base currency.")
    side: OrderSide = strawberry.field(
        metadata=PUBLIC, description="The side of the taker: BUY if the order that met a resting one was a buy."
    )

    @strawberry.field(
        metadata=PUBLIC, graphql_type=lazy("markets.types", "Market"), description="The market of the trade."
    )
    def market(parent: strawberry.Parent[domain.Trade], info: Info) -> object:
        return markets.market(info.context, parent.market)


TradeConnection = connection(Trade, "trades", counted=False)


@strawberry.type(description="The trades since the previous event.")
class TradeBatch:
    trades: list[Trade] = strawberry.field(description="The trades, oldest first.")
    dropped: int = strawberry.field(
        description="The number of trades before these that a slow client missed. It is 0 for a client that keeps up."
    )


@strawberry.type(description="The prices and the volume of a market in one period of time.")
class Candle:
    timeframe: domain.Timeframe = strawberry.field(metadata=PUBLIC, description="The length of the candle.")
    open_time: datetime = strawberry.field(metadata=PUBLIC, description="The start of the candle's period.")
    open: Decimal = strawberry.field(
        metadata=PUBLIC, description="The first price, in quote currency for one unit of the base currency."
    )
    high: Decimal = strawberry.field(
        metadata=PUBLIC, description="The highest price, in quote currency for one unit of the base currency."
    )
    low: Decimal = strawberry.field(
        metadata=PUBLIC, description="The lowest price, in quote currency for one unit of the base currency."
    )
    close: Decimal = strawberry.field(
        metadata=PUBLIC, description="The last price, in quote currency for one unit of the base currency."
    )
    volume: Decimal = strawberry.field(metadata=PUBLIC, description="The volume, in base currency.")
    closed: bool = strawberry.field(
        metadata=PUBLIC, description="True if the candle's period is over and the candle doesn't change any more."
    )

    @strawberry.field(
        metadata=PUBLIC, graphql_type=lazy("markets.types", "Market"), description="The market of the candle."
    )
    def market(parent: strawberry.Parent[domain.Candle], info: Info) -> object:
        return markets.market(info.context, parent.market)


CandleConnection = connection(Candle, "candles", counted=False)


@strawberry.type(
    description=(
        "A page of the closed candles of a market as lists of equal length, oldest first: the item at a place of each "
        "list is of the same candle."
    )
)
class CandleSeries:
    timeframe: domain.Timeframe = strawberry.field(metadata=PUBLIC, description="The length of the candles.")
    open_times: list[datetime] = strawberry.field(
        metadata=PUBLIC, description="The starts of the candles' periods. A period without a candle has no item."
    )
    opens: list[Decimal] = strawberry.field(
        metadata=PUBLIC, description="The first prices, in quote currency for one unit of the base currency."
    )
    highs: list[Decimal] = strawberry.field(
        metadata=PUBLIC, description="The highest prices, in quote currency for one unit of the base currency."
    )
    lows: list[Decimal] = strawberry.field(
        metadata=PUBLIC, description="The lowest prices, in quote currency for one unit of the base currency."
    )
    closes: list[Decimal] = strawberry.field(
        metadata=PUBLIC, description="The last prices, in quote currency for one unit of the base currency."
    )
    volumes: list[Decimal] = strawberry.field(metadata=PUBLIC, description="The volumes, in base currency.")
    market: lazy("markets.types", "Market") = strawberry.field(  # type: ignore[valid-type]  # made at run time
        metadata=PUBLIC, description="The market of the candles."
    )
    page_info: PageInfo = strawberry.field(metadata=PUBLIC, description="The position of the page in the list.")
