"""Ports of market data: its repositories, the venues that it comes from, and the live feed of a node."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from domain.core.pagination import TimeKeysetPage
from domain.model.conversion import CurrencyGraph
from domain.model.markets import Candle, CandleColumns, Depth, Market, MarketSymbol, Ticker, Timeframe, Trade
from domain.model.volume import Bins, BinVolume, PriceRange, PriceVolume
from domain.ports.orders import MarketView


class MarketDataRepository(Protocol):
    """Markets, and their stored candles, trades and books."""

    async def save_markets(self, markets: Sequence[Market]) -> None:
        """Store the markets of a venue; stored ones of the same venue that are absent become inactive."""
        ...

    async def markets(self) -> list[Market]:
        """Return every market of every venue, in the order of their symbols."""
        ...

    async def upsert_candles(self, candles: Sequence[Candle]) -> None:
        """Store closed candles; one that is stored already is replaced (a correction by the venue's own)."""
        ...

    async def insert_candles(self, candles: Sequence[Candle]) -> None:
        """Store closed candles that were built here; one that is stored already stays as it is."""
        ...

    async def candles(self, market: MarketSymbol, timeframe: Timeframe, page: TimeKeysetPage) -> list[Candle]:
        """Return a page of the closed candles of a market and timeframe, oldest first."""
        ...

    async def candle_columns(self, market: MarketSymbol, timeframe: Timeframe, page: TimeKeysetPage) -> CandleColumns:
        """Return the page of `candles` as columns."""
        ...

    async def candle_gaps(
        self, market: MarketSymbol, timeframe: Timeframe, start: datetime, end: datetime
    ) -> list[tuple[datetime, datetime]]:
        """Return the stretches from `start` to before `end` that no stored candle covers, oldest first.

        Each is the open time of its first candle and the end of its last; the whole period if nothing is stored.
        """
        ...

    async def save_trades(self, trades: Sequence[Trade]) -> None:
        """Store trades; one that is stored already stays as it is."""
        ...

    async def trades(self, market: MarketSymbol, page: TimeKeysetPage) -> list[Trade]:
        """Return a page of the market's trades, oldest first."""
        ...

    async def save_depth(self, depths: Sequence[Depth]) -> None:
        """Store snapshots of the book."""
        ...

    async def ensure_partitions(self, months_ahead: int) -> list[str]:
        """Create missing monthly partitions from this month on, and return the names of the new ones."""
        ...

    async def ensure_candle_partitions(self, start: datetime, end: datetime) -> list[str]:
        """Create the monthly partitions of past candles that an import or a back-fill needs."""
        ...

    async def ensure_trade_partitions(self, start: datetime, end: datetime) -> list[str]:
        """Create the monthly partitions of past trades and of their sums that a back-fill needs."""
        ...


class MarketHistoryRepository(Protocol):
    """Computations in the database over stored trades, candles and snapshots; a period excludes its `end`.

    Trades are summed by minute and price, cut to five significant digits, so that a profile of a day of a million
    trades needn't read them one by one. A period that begins or ends within a minute is still exact.
    """

    async def summed_prices(self, market: MarketSymbol, start: datetime, end: datetime) -> list[PriceVolume]:
        """Return the volume at each price, cut to the step of the sums, by the takers' sides; in no order."""
        ...

    async def traded_range(self, market: MarketSymbol, start: datetime, end: datetime) -> PriceRange | None:
        """Return the price range and volume of the trades; None if there are none."""
        ...

    async def candle_range(self, market: MarketSymbol, start: datetime, end: datetime) -> PriceRange | None:
        """Return the price range and volume of the minute candles within the period; None without volume."""
        ...

    async def traded_volumes(self, market: MarketSymbol, start: datetime, end: datetime, bins: Bins) -> list[BinVolume]:
        """Return the volumes of `bins` out of the trades themselves, by the takers' sides."""
        ...

    async def candle_volumes(self, market: MarketSymbol, start: datetime, end: datetime, bins: Bins) -> list[BinVolume]:
        """Return the volumes of `bins` out of the minute candles that `candle_range` counts.

        A candle's volume is divided evenly among the bins from its low to its high. It counts as bought if the candle
        rose, as sold if it fell, and as half of each otherwise.
        """
        ...

    async def minutes(self, market: MarketSymbol, start: datetime, end: datetime) -> int:
        """Return the number of stored minute candles of the period, those without volume included."""
        ...

    async def depth_history(
        self, market: MarketSymbol, start: datetime, end: datetime, every_seconds: int, levels: int
    ) -> list[Depth]:
        """Return the first stored snapshot of each interval, counted from `start`, oldest first, with its top."""
        ...


class VenueGap(Exception):
    """A stream of a venue broke or skipped data."""


class CrossedBook(VenueGap):
    """The best bid of a book is not below its best ask, so the book is wrong."""


class VenueUnreachable(Exception):
    """A request to a venue failed: a network error, a time-out, a 5xx, or a rate limit.

    `retry_after_seconds` is what the venue asked for, if it did.
    """

    def __init__(self, message: str, retry_after_seconds: float | None = None) -> None:
        self.retry_after_seconds = retry_after_seconds
        super().__init__(message)


class RequestRejected(VenueUnreachable):
    """The venue rejects the request, and would again; the message is the venue's reason."""


class MarketDataSource(Protocol):
    """A venue's public data. Streams raise `VenueGap` or `VenueUnreachable`; iterating again subscribes again."""

    @property
    def venue(self) -> str:
        """The name by which the engine knows the venue."""
        ...

    async def load_markets(self) -> list[Market]:
        """Return the venue's markets with their filters; raises `VenueUnreachable`."""
        ...

    def depth(self, market: MarketSymbol) -> AsyncIterator[Depth]:
        """Yield the whole book (up to 100 levels per side) after every batch of updates.

        If nothing changes, the same book may be yielded again: the venue has confirmed it.
        """
        ...

    def trades(self, market: MarketSymbol) -> AsyncIterator[list[Trade]]:
        """Yield new trades, oldest first."""
        ...

    def tickers(self, market: MarketSymbol) -> AsyncIterator[Ticker]:
        """Yield tickers as the venue sends them."""
        ...

    async def fetch_candles(
        self, market: MarketSymbol, timeframe: Timeframe, start: datetime | None, limit: int
    ) -> list[Candle]:
        """Return at most `limit` candles from `start` on (None: the newest), oldest first; the last may be forming."""
        ...

    async def fetch_trades(self, market: MarketSymbol, limit: int) -> list[Trade]:
        """Return the newest trades, oldest first."""
        ...

    def venue_now(self) -> datetime:
        """Return the venue's time, by the measured offset of its clock."""
        ...

    async def close(self) -> None:
        """Close all connections."""
        ...


class CandleSubscription(Protocol):
    """The candles of one market and timeframe that close: each once, oldest first, none left out."""

    def __aiter__(self) -> AsyncIterator[Candle]: ...

    async def __anext__(self) -> Candle: ...

    def is_latest(self, candle: Candle) -> bool:
        """Return whether no later candle has arrived yet."""
        ...


class MarketFeed(Protocol):
    """Live market data on this node."""

    def latest_depth(self, market: MarketSymbol) -> Depth | None:
        """Return the latest book if it is fresh, else None."""
        ...

    async def depth(self, market: MarketSymbol, timeout_seconds: float) -> Depth | None:
        """Return a fresh book, waiting for it if it must; None after the time."""
        ...

    def price_of(self, market: MarketSymbol) -> Decimal | None:
        """Return the present price in quote per base; None if it isn't known."""
        ...

    def convert(self, venue: str, amount: Decimal, currency: str, into: str) -> Decimal | None:
        """Return an amount's worth in another currency at present prices; None if they aren't known."""
        ...

    def graph(self, venue: str) -> CurrencyGraph:
        """Return the currencies of a venue and the markets between them."""
        ...

    def trade_stream(self, market: MarketSymbol) -> AsyncGenerator[tuple[Trade, ...], None]:
        """Yield trades in batches, for ever."""
        ...

    def closed_candles(
        self, market: MarketSymbol, timeframe: Timeframe
    ) -> AbstractAsyncContextManager[CandleSubscription]:
        """Provide the candles that close inside the block, each stored before it is published."""
        ...

    def venue_now(self, venue: str) -> datetime:
        """Return the venue's time."""
        ...


class MarketDataProvider(MarketFeed, MarketView, Protocol):
    """Everything that trading needs of markets."""

    def subscribe(self, market: MarketSymbol) -> AbstractAsyncContextManager[object]:
        """Keep the market's feed running, and this node listening to it, inside the block."""
        ...
