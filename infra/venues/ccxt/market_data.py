"""A venue's public data by ccxt.pro."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from datetime import datetime
from typing import TypeVar

from domain.core.clock import Clock, to_milliseconds
from domain.model.markets import Candle, Depth, Market, MarketSymbol, Ticker, Timeframe, Trade
from domain.ports.market_data import VenueGap, VenueUnreachable
from infra.venues.ccxt import conversion as convert
from infra.venues.ccxt.connection import VenueConnection
from infra.venues.ccxt.depth_reader import BookReader
from infra.venues.ccxt.errors import question_error, stream_error
from infra.venues.ccxt.longer_candles import is_on_grid, lacks, longer_candles, parts_of
from infra.venues.ccxt.trade_ids import TradeNumbers
from infra.venues.ccxt.types import Ccxt
from infra.venues.rate_limit.rate_limiter import Priority, urgency

MAX_CANDLES_A_CALL = 1_000
UNSUBSCRIBE_SECONDS = 2.0
QUIET_SECONDS = 5.0
"""After how long without a change the venue is asked whether there was none."""

FIRST_SECONDS = 15.0
"""How long a subscription may take to give its first book."""

SILENT_SECONDS = 30.0
"""How long a stream of books may say nothing before its connection is taken for dead, open as it may be."""

T = TypeVar("T")


class CcxtMarketData:
    """`domain.ports.market_data.MarketDataSource` over one venue's connection, which it shares and doesn't close."""

    def __init__(self, connection: VenueConnection, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock
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
        """Do nothing: the connection is closed by who made it."""

    async def depth(self, market: MarketSymbol) -> AsyncIterator[Depth]:
        """Yield the whole book after every update that was read together; the epoch is left empty.

        A book that has not changed is yielded again when the venue has confirmed it.
        """
        await self._connection.ready()
        grid, exchange = self._connection.market(market), self._connection.public
        reader = BookReader(grid, self._clock)
        try:
            while True:
                depth = reader.read(await _next_book(exchange, market.symbol, reader))
                if depth is not None:
                    yield depth
        except (VenueGap, VenueUnreachable):
            # A broken stream must be known as such at once: there is no time to take leave of the venue.
            _forget_book(exchange, market.symbol)
            raise
        finally:
            await _unsubscribe(exchange, "un_watch_order_book", "orderbook", market.symbol)
            _forget_book(exchange, market.symbol)

    async def trades(self, market: MarketSymbol) -> AsyncIterator[list[Trade]]:
        """Yield new trades, oldest first.

        A task of its own does nothing but read, so that no trade waits in ccxt's cache for the next one.
        """
        await self._connection.ready()
        exchange = self._connection.public
        batches: asyncio.Queue[list[Trade] | Exception] = asyncio.Queue()
        reading = asyncio.create_task(self._read_trades(market, batches), name=f"trades:{market}")
        try:
            while True:
                batch = await batches.get()
                if isinstance(batch, Exception):
                    raise batch
                yield batch
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
            await _unsubscribe(exchange, "un_watch_trades", "trade", market.symbol)

    async def tickers(self, market: MarketSymbol) -> AsyncIterator[Ticker]:
        """Yield the day's figures as the venue sends them."""
        await self._connection.ready()
        exchange = self._connection.public
        try:
            while True:
                yield self._ticker(market, await _streamed(exchange.watch_ticker(market.symbol)))
        finally:
            await _unsubscribe(exchange, "un_watch_ticker", "ticker", market.symbol)

    async def fetch_candles(
        self, market: MarketSymbol, timeframe: Timeframe, start: datetime | None, limit: int
    ) -> list[Candle]:
        """Return at most `limit` candles, oldest first, the newest where `start` is None; the last may be forming.

        Those that the venue lacks are made of shorter ones.
        """
        # The newest candles are what a feed begins with: strategies wait for them, and no back-fill may be before them.
        with urgency(Priority.LIVE if start is None else Priority.HISTORY):
            await self._connection.ready()
            if self._parts_of(timeframe) is timeframe:
                page = await self._candles(market, timeframe, start, limit)
                if timeframe is Timeframe.M1 or is_on_grid(page):
                    return page
                self._off_grid.add(timeframe)

            def ask(parts: Timeframe, since: datetime, count: int) -> Awaitable[list[Candle]]:
                return self._candles(market, parts, since, count)

            return await longer_candles(ask, self._parts_of(timeframe), timeframe, start, limit, self.venue_now())

    def _parts_of(self, timeframe: Timeframe) -> Timeframe:
        offered = self._connection.public.timeframes or {}
        parts = parts_of(timeframe, offered, self._off_grid)
        if parts is None:
            raise lacks(self.venue, timeframe, offered)
        return parts

    async def _candles(
        self, market: MarketSymbol, timeframe: Timeframe, start: datetime | None, limit: int
    ) -> list[Candle]:
        since = None if start is None else to_milliseconds(start)
        wanted = min(limit, MAX_CANDLES_A_CALL)
        now = self.venue_now()

        def ask(exchange: Ccxt) -> Awaitable[list[list[Ccxt]]]:
            answer: Awaitable[list[list[Ccxt]]] = exchange.fetch_ohlcv(
                market.symbol, timeframe.venue_name, since, wanted
            )
            return answer

        return await self._asked(ask, lambda told: [convert.candle(market, timeframe, row, now) for row in told])

    async def fetch_trades(self, market: MarketSymbol, limit: int) -> list[Trade]:
        """Return the newest trades, oldest first."""

        def ask(exchange: Ccxt) -> Awaitable[list[dict[str, Ccxt]]]:
            answer: Awaitable[list[dict[str, Ccxt]]] = exchange.fetch_trades(market.symbol, None, limit)
            return answer

        return await self._asked(ask, lambda told: convert.in_order(convert.trade(market, row) for row in told))

    def _ticker(self, market: MarketSymbol, told: Ccxt) -> Ticker:
        try:
            return convert.ticker(market, told, self.venue_now())
        except (ArithmeticError, LookupError, TypeError, ValueError) as error:
            raise VenueGap(f"a ticker of {market} can't be read: {error}") from None

    async def _read_trades(self, market: MarketSymbol, batches: asyncio.Queue[list[Trade] | Exception]) -> None:
        exchange = self._connection.public
        numbers = TradeNumbers() if self._connection.settings.is_binance else None
        try:
            while True:
                told = await _streamed(exchange.watch_trades(market.symbol))
                trades = [convert.trade(market, row) for row in told]
                if numbers is not None:
                    numbers.check(trades)
                batches.put_nowait(trades)
        except (VenueGap, VenueUnreachable) as error:
            batches.put_nowait(error)
        except Exception as error:  # noqa: BLE001  # a trade that can't be read
            batches.put_nowait(stream_error(error))

    async def _asked(self, ask: Callable[[Ccxt], Awaitable[Ccxt]], read: Callable[[Ccxt], list[T]]) -> list[T]:
        await self._connection.ready()
        try:
            answer = await ask(self._connection.public)
        except VenueUnreachable:
            raise
        except Exception as error:  # noqa: BLE001  # whatever ccxt raises, there is no answer
            raise question_error(error) from None
        try:
            return read(answer)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise VenueUnreachable(f"an answer of {self.venue} can't be read: {error}"[:200]) from None


async def _next_book(exchange: Ccxt, symbol: str, reader: BookReader) -> Ccxt:
    """Return the book once it has changed, or once the venue has confirmed that it hasn't."""
    patience = FIRST_SECONDS if reader.is_new else SILENT_SECONDS
    try:
        async with asyncio.timeout(patience):
            while (told := reader.newer()) is None:
                with suppress(TimeoutError):
                    async with asyncio.timeout(QUIET_SECONDS):
                        return await _streamed(exchange.watch_order_book(symbol))
                if (told := await reader.confirmed(exchange)) is not None:
                    break
            return told
    except TimeoutError:
        silent = VenueUnreachable(f"nothing came for {patience:g} s")
        for client in _open_clients(exchange):
            if f"orderbook::{symbol}" in client.subscriptions:
                client.on_error(silent)
        raise silent from None


async def _streamed(watching: Awaitable[Ccxt]) -> Ccxt:
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


def _forget_book(exchange: Ccxt, symbol: str) -> None:
    """Make the next `watch_order_book` begin from a snapshot, whatever state the book is in."""
    exchange.orderbooks.pop(symbol, None)
    for client in _open_clients(exchange):
        client.subscriptions.pop(f"orderbook::{symbol}", None)
        client.rejections.pop(f"orderbook::{symbol}", None)


async def _unsubscribe(exchange: Ccxt, method: str, topic: str, symbol: str) -> None:
    """Tell the venue to send no more, where it still does; where it doesn't answer, the connection's end will do."""
    subscribed = (key for client in _open_clients(exchange) for key in client.subscriptions if key is not None)
    if not any(key.startswith(topic) and _ends_with(key, symbol) for key in subscribed):
        return
    with suppress(Exception):
        async with asyncio.timeout(UNSUBSCRIBE_SECONDS):
            await getattr(exchange, method)(symbol)


def _ends_with(key: str, symbol: str) -> bool:
    """Tell whether ccxt's name of a subscription is of this market: WBTC/USDT ends with BTC/USDT too."""
    before = key.removesuffix(symbol)
    return before != key and not before[-1:].isalnum()


def _open_clients(exchange: Ccxt) -> list[Ccxt]:
    return [each for each in (exchange.clients or {}).values() if each.error is None and not each.closed()]
