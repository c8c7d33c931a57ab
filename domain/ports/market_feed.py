"""The ports through which trading follows markets; `domain.market_data.hub.MarketDataHub` is both."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from domain.model.conversion import CurrencyGraph
from domain.model.markets import Candle, Depth, MarketSymbol, Timeframe, Trade
from domain.ports.messaging import BusSubscription
from domain.ports.orders import MarketView


class MarketFeed(Protocol):
    """Live market data on this node."""

    def latest_depth(self, market: MarketSymbol) -> Depth | None:
        """Return the newest book; None where the market isn't followed here (yet)."""
        ...

    async def depth(self, market: MarketSymbol, timeout_seconds: float) -> Depth | None:
        """Return a fresh book, waiting for it where it must; None after the time."""
        ...

    def price_of(self, market: MarketSymbol) -> Decimal | None:
        """Return the present price in quote per base, None where it isn't known."""
        ...

    def convert(self, venue: str, amount: Decimal, currency: str, into: str) -> Decimal | None:
        """Return an amount's worth in another currency at present prices; None where they aren't known."""
        ...

    def graph(self, venue: str) -> CurrencyGraph:
        """Return the currencies of a venue and the markets between them."""
        ...

    def trade_stream(self, market: MarketSymbol) -> AsyncIterator[tuple[Trade, ...]]:
        """Yield trades as they come, for ever."""
        ...

    async def closed_candles(
        self, market: MarketSymbol, timeframe: Timeframe, on_candle: Callable[[Candle], None]
    ) -> BusSubscription:
        """Call `on_candle` on the event loop for every candle that closes, until the subscription is closed."""
        ...

    def venue_now(self, venue: str) -> datetime:
        """Return the venue's time."""
        ...


class MarketDataProvider(MarketFeed, MarketView, Protocol):
    """All that the trading of accounts needs of markets."""

    def want(self, market: MarketSymbol) -> AbstractAsyncContextManager[object]:
        """Keep the market's feed alive, and this node listening to it, inside the block."""
        ...
