"""The streams of market data. All subscribers receive the same events."""

from collections.abc import AsyncGenerator
from typing import Annotated, Final

import strawberry

from domain.model import depth_views as views
from domain.model.markets import MarketSymbol
from resolvers import markets
from resolvers.markets import feeds_stream, tickers_stream
from schema.common.types import Info
from schema.markets.arguments import Markets, OfMarket, OfTimeframe
from schema.markets.depth import MarketDepthEvent
from schema.markets.market_data import Candle, Ticker, TradeBatch
from schema.markets.types import MarketFeed

SHARED: Final = {"shared": True}
"""One execution of a selection serves all subscribers that have the same document and arguments."""


@strawberry.type
class MarketSubscription:
    @strawberry.subscription(
        graphql_type=MarketDepthEvent,
        metadata=SHARED,
        description=(
            "The order book of a market. The first event is a snapshot. Another snapshot follows every gap, every "
            "reconnect to the venue, and every time a slow client missed events. In mode DELTAS the events in between "
            "are deltas of the best `levels`: a level that moves into them is sent, and a level that leaves them is "
            "sent with quantity 0. All subscribers receive the same data."
        ),
    )
    async def market_depth(
        self,
        info: Info,
        market: Annotated[MarketSymbol, strawberry.argument(description="The market of the order book.")],
        levels: Annotated[
            views.DepthLevels, strawberry.argument(description="How many levels to send on each side.")
        ] = views.DepthLevels.L20,
        cadence: Annotated[
            views.DepthCadence,
            strawberry.argument(
                description="The shortest time between two events. A venue may send updates less often."
            ),
        ] = views.DepthCadence.MS100,
        mode: Annotated[
            views.DepthMode,
            strawberry.argument(description="Whether every event holds all levels, or only those that changed."),
        ] = views.DepthMode.SNAPSHOTS,
    ) -> AsyncGenerator[object]:
        return markets.depth_stream(  # type: ignore[return-value]  # a SharedStream
            info.context, market, levels, cadence, mode
        )

    @strawberry.subscription(
        graphql_type=Ticker,
        metadata=SHARED,
        description=(
            "The ticker of a market. It starts with the current ticker, if one is known. A slow client receives the "
            "newest ticker. All subscribers receive the same data."
        ),
    )
    async def ticker(self, info: Info, market: OfMarket) -> AsyncGenerator[object]:
        return markets.ticker_stream(info.context, market)  # type: ignore[return-value]  # a SharedStream

    @strawberry.subscription(
        graphql_type=TradeBatch,
        metadata=SHARED,
        description=(
            "The trades of a market. An event contains the trades since the previous event. Trades are never merged. "
            "If a slow client misses some, `dropped` counts them. All subscribers receive the same data."
        ),
    )
    async def trades(self, info: Info, market: OfMarket) -> AsyncGenerator[object]:
        return markets.trades_stream(info.context, market)  # type: ignore[return-value]  # a SharedStream

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
        return markets.candles_stream(info.context, market, timeframe)  # type: ignore[return-value]  # a SharedStream

    @strawberry.subscription(
        graphql_type=Ticker,
        metadata=SHARED,
        description=(
            "The tickers of several markets in one stream. It starts with all tickers that are known, and then sends "
            "one event for each change. A slow client receives the newest ticker of each market. All subscribers to "
            "the same markets, in the same order, receive the same data."
        ),
    )
    async def tickers(self, info: Info, markets: Markets) -> AsyncGenerator[object]:
        return tickers_stream(info.context, markets)  # type: ignore[return-value]  # a SharedStream

    @strawberry.subscription(
        graphql_type=MarketFeed,
        metadata=SHARED,
        description=(
            "The states of the feeds of several markets. It starts with all states that are known, and then sends one "
            "event for each change. Use it to notice that tickers, trades or candles have stopped."
        ),
    )
    async def market_feeds(self, info: Info, markets: Markets) -> AsyncGenerator[object]:
        return feeds_stream(info.context, markets)  # type: ignore[return-value]  # a SharedStream
