"""A venue's public data by ccxt.pro."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from domain.core.background import cancel_and_wait
from domain.core.clock import Clock, to_milliseconds
from domain.model.markets import Candle, Depth, Market, MarketSymbol, Ticker, Timeframe, Trade
from domain.ports.market_data import VenueGap, VenueUnreachable
from infra.venues.ccxt import conversion as convert
from infra.venues.ccxt.connection import VenueConnection
from infra.venues.ccxt.conversion import CcxtValue
from infra.venues.ccxt.depth_reader import DepthReader
from infra.venues.ccxt.errors import query_error, stream_error
from infra.venues.ccxt.longer_candles import (
    build_longer_candles,
    is_on_grid,
    missing_timeframe_error,
    source_timeframe,
)
from infra.venues.rate_limit.rate_limiter import Priority, request_priority

MAX_CANDLES_A_CALL = 1_000

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class StreamTimings:
    """When a stream of books is checked and given up.

    A subscription must bring its first book within `first_book_seconds`. After `confirm_seconds` without a change the
    venue is asked whether the book is still its present one, and after `stall_seconds` without either the connection
    counts as dead although it is open. An unsubscription is waited for `unsubscribe_seconds`.
    """

    first_book_seconds: float = 15.0
    confirm_seconds: float = 5.0
    stall_seconds: float = 30.0
    unsubscribe_seconds: float = 2.0


class CcxtMarketData:
    """`domain.ports.market_data.MarketDataSource` over one venue's connection, which it shares and doesn't close."""

    def __init__(self, connection: VenueConnection, clock: Clock, timings: StreamTimings | None = None) -> None:
        self._connection = connection
        self._clock = clock
        self._timings = timings or StreamTimings()
        self._off_grid: set[Timeframe] = set()

    @property
    def venue(self) -> str:
        """The venue's name."""
        return self._connection.settings.name

    async def load_markets(self) -> list[Market]:
        """Return the venue's spot markets with their filters."""
        return await self._connection.load_markets()

    def venue_now(self) -> datetime:
        """Return the venue's time by the measured offset."""
        return self._connection.clock.now()

    async def close(self) -> None:
        """Do nothing: the connection belongs to the caller."""

    async def depth(self, market: MarketSymbol) -> AsyncIterator[Depth]:
        """Yield the whole book after each update, or after several that arrived together; the epoch is left empty.

        An unchanged book is yielded again when the venue has confirmed it.
        """
        await self._connection.ensure_connected()
        grid, exchange = self._connection.market(market), self._connection.public
        reader = DepthReader(grid, self._clock)
        try:
            while True:
                depth = reader.read(await _next_book(exchange, market.symbol, reader, self._timings))
                if depth is not None:
                    yield depth
        except (VenueGap, VenueUnreachable):
            # Discarded first, so that no unsubscription delays the error.
            _discard_book(exchange, market.symbol)
            raise
        finally:
            await self._unsubscribe("un_watch_order_book", "orderbook", market.symbol)
            _discard_book(exchange, market.symbol)

    async def trades(self, market: MarketSymbol) -> AsyncIterator[list[Trade]]:
        """Yield new trades, oldest first.

        A task of its own does nothing but read, so that no trade waits in ccxt's cache until the next one.
        """
        await self._connection.ensure_connected()
        batches: asyncio.Queue[list[Trade] | Exception] = asyncio.Queue()
        reader = asyncio.create_task(self._read_trades(market, batches), name=f"trades:{market}")
        try:
            while True:
                batch = await batches.get()
                if isinstance(batch, Exception):
                    raise batch
                yield batch
        finally:
            await cancel_and_wait(reader)
            await self._unsubscribe("un_watch_trades", "trade", market.symbol)

    async def tickers(self, market: MarketSymbol) -> AsyncIterator[Ticker]:
        """Yield the day's figures as the venue sends them."""
        await self._connection.ensure_connected()
        exchange = self._connection.public
        try:
            while True:
                yield self._ticker(market, await _streamed(exchange.watch_ticker(market.symbol)))
        finally:
            await self._unsubscribe("un_watch_ticker", "ticker", market.symbol)

    async def fetch_candles(
        self, market: MarketSymbol, timeframe: Timeframe, start: datetime | None, limit: int
    ) -> list[Candle]:
        """Return at most `limit` candles, oldest first, the newest if `start` is None; the last may be forming.

        Timeframes that the venue lacks are built from shorter ones.
        """
        # A feed starts with the newest candles and strategies wait for them, so no back-fill may go first.
        with request_priority(Priority.LIVE if start is None else Priority.HISTORY):
            await self._connection.ensure_connected()
            if self._source_timeframe(timeframe) is timeframe:
                page = await self._fetch_candles(market, timeframe, start, limit)
                if timeframe is Timeframe.M1 or is_on_grid(page):
                    return page
                self._off_grid.add(timeframe)

            def fetch(parts: Timeframe, since: datetime, count: int) -> Awaitable[list[Candle]]:
                return self._fetch_candles(market, parts, since, count)

            parts = self._source_timeframe(timeframe)
            return await build_longer_candles(fetch, parts, timeframe, start, limit, self.venue_now())

    def _source_timeframe(self, timeframe: Timeframe) -> Timeframe:
        offered = self._connection.public.timeframes or {}
        parts = source_timeframe(timeframe, offered, self._off_grid)
        if parts is None:
            raise missing_timeframe_error(self.venue, timeframe, offered)
        return parts

    async def _fetch_candles(
        self, market: MarketSymbol, timeframe: Timeframe, start: datetime | None, limit: int
    ) -> list[Candle]:
        since = None if start is None else to_milliseconds(start)
        count = min(limit, MAX_CANDLES_A_CALL)
        now = self.venue_now()

        return await self._fetch(
            lambda exchange: exchange.fetch_ohlcv(market.symbol, timeframe.venue_name, since, count),
            lambda rows: [convert.candle(market, timeframe, row, now) for row in rows],
        )

    async def fetch_trades(self, market: MarketSymbol, limit: int) -> list[Trade]:
        """Return the newest trades, oldest first."""
        return await self._fetch(
            lambda exchange: exchange.fetch_trades(market.symbol, None, limit),
            lambda rows: convert.sort_trades(convert.trade(market, row) for row in rows),
        )

    def _ticker(self, market: MarketSymbol, data: CcxtValue) -> Ticker:
        try:
            return convert.ticker(market, data, self.venue_now())
        except (ArithmeticError, LookupError, TypeError, ValueError) as error:
            raise VenueGap(f"a ticker of {market} can't be read: {error}") from None

    async def _read_trades(self, market: MarketSymbol, batches: asyncio.Queue[list[Trade] | Exception]) -> None:
        exchange = self._connection.public
        ids = TradeIdSequence() if self._connection.settings.is_binance else None
        try:
            while True:
                rows = await _streamed(exchange.watch_trades(market.symbol))
                trades = [convert.trade(market, row) for row in rows]
                if trades:
                    self._connection.clock.notice(trades[-1].at)
                if ids is not None:
                    ids.check(trades)
                batches.put_nowait(trades)
        except (VenueGap, VenueUnreachable) as error:
            batches.put_nowait(error)
        except Exception as error:  # noqa: BLE001  # a trade that can't be read
            batches.put_nowait(stream_error(error))

    async def _unsubscribe(self, method: str, topic: str, symbol: str) -> None:
        """Unsubscribe if the venue still sends; without its answer in time the connection's end does the same."""
        exchange = self._connection.public
        subscribed = (key for client in _open_clients(exchange) for key in client.subscriptions if key is not None)
        if not any(key.startswith(topic) and _ends_with(key, symbol) for key in subscribed):
            return
        with suppress(Exception):
            async with asyncio.timeout(self._timings.unsubscribe_seconds):
                await getattr(exchange, method)(symbol)

    async def _fetch(
        self, request: Callable[[CcxtValue], Awaitable[CcxtValue]], read: Callable[[CcxtValue], list[T]]
    ) -> list[T]:
        await self._connection.ensure_connected()
        try:
            answer = await request(self._connection.public)
        except VenueUnreachable:
            raise
        except Exception as error:  # noqa: BLE001  # whatever ccxt raises, there is no answer
            raise query_error(error) from None
        try:
            return read(answer)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise VenueUnreachable(f"an answer of {self.venue} can't be read: {error}"[:200]) from None


class TradeIdSequence:
    """The trade ids of one stream of Binance's trades, which are consecutive numbers for each market.

    Source: `historicalTrades` pages through all trades of a market by `fromId`
    (https://developers.binance.com/docs/binance-spot-api-docs/rest-api/market-data-endpoints); the recordings that the
    tests use have no gap.
    """

    def __init__(self) -> None:
        self._last: int | None = None

    def check(self, trades: Iterable[Trade]) -> None:
        """Raise `VenueGap` if an id is skipped; a repeated one is no gap."""
        for trade in trades:
            number = int(trade.venue_trade_id)
            if self._last is not None and number > self._last + 1:
                raise VenueGap(f"trades {self._last + 1} to {number - 1} of {trade.market} are missing")
            self._last = max(number, self._last or number)


async def _next_book(exchange: CcxtValue, symbol: str, reader: DepthReader, timings: StreamTimings) -> CcxtValue:
    """Return the book once it has changed, or once the venue has confirmed that it hasn't."""
    timeout_seconds = timings.first_book_seconds if reader.is_new else timings.stall_seconds
    try:
        async with asyncio.timeout(timeout_seconds):
            while (book := reader.take_changed()) is None:
                with suppress(TimeoutError):
                    async with asyncio.timeout(timings.confirm_seconds):
                        return await _streamed(exchange.watch_order_book(symbol))
                if (book := await reader.fetch_confirmed(exchange)) is not None:
                    break
            return book
    except TimeoutError:
        stalled = VenueUnreachable(f"nothing came for {timeout_seconds:g} s")
        for client in _open_clients(exchange):
            if f"orderbook::{symbol}" in client.subscriptions:
                client.on_error(stalled)
        raise stalled from None


async def _streamed(watching: Awaitable[CcxtValue]) -> CcxtValue:
    try:
        return await watching
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        # ccxt cancels what waits for a connection that it closes.
        raise VenueUnreachable("the connection was closed") from None
    except Exception as error:  # noqa: BLE001  # whatever ccxt raises, the stream is broken
        raise stream_error(error) from None


def _discard_book(exchange: CcxtValue, symbol: str) -> None:
    """Make the next `watch_order_book` start from a snapshot, whatever the state of the book."""
    exchange.orderbooks.pop(symbol, None)
    for client in _open_clients(exchange):
        client.subscriptions.pop(f"orderbook::{symbol}", None)
        client.rejections.pop(f"orderbook::{symbol}", None)


def _ends_with(key: str, symbol: str) -> bool:
    """Return whether ccxt's name of a subscription is of this market: WBTC/USDT also ends with BTC/USDT."""
    before = key.removesuffix(symbol)
    return before != key and not before[-1:].isalnum()


def _open_clients(exchange: CcxtValue) -> list[CcxtValue]:
    return [client for client in (exchange.clients or {}).values() if client.error is None and not client.closed()]
