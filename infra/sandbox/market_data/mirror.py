"""Mirrors a live venue's public prices: its books and trades as they come, with paper orders on top.

The live venue is only read: no account, key or order ever reaches it. While a market's prices are unknown the market is
closed: it shows no book, accepts no order, and its open orders wait.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from datetime import timedelta

from domain.core.background import TaskGroup, cancel_and_wait
from domain.core.backoff import Backoff
from domain.core.clock import from_milliseconds, to_milliseconds
from domain.market_data.trade_dedup import TradeDeduplicator
from domain.model.markets import Candle as LiveCandle
from domain.model.markets import Depth, MarketSymbol, PriceLevel, Timeframe, Trade
from domain.model.order_side import OrderSide
from domain.ports.market_data import MarketDataSource, VenueGap, VenueUnreachable
from infra.sandbox.candles import Candle
from infra.sandbox.clock import monotonic_seconds
from infra.sandbox.errors import ExchangeError
from infra.sandbox.fixed_point import notional
from infra.sandbox.market_data import mirror_markets
from infra.sandbox.market_data.external_book import ExternalBook
from infra.sandbox.market_data.mirror_markets import CannotMirror, units
from infra.sandbox.matching.exchange import Exchange
from infra.sandbox.matching.market_specs import MarketSpec
from infra.sandbox.orders import Side
from infra.sandbox.state.store import Store
from infra.sandbox.streams.hub import StreamHub
from infra.sandbox.streams.publisher import MarketPublisher

VENUE_KEY = "mirror.venue"
RECENT_TRADES = 1_000
PAGE = 1_000
DAY = timedelta(days=1)
STEADY_SECONDS = 10.0
"""How long a stream must have lasted for its back-off to be reset."""
CLOCK_EVERY_SECONDS = 10.0
SERVICE_UNAVAILABLE = 503
NUMBERED = frozenset({"binance", "binanceus"})
"""Venues whose trade ids are consecutive for each market, as Binance's clients expect; others' trades are counted."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LiveVenue:
    """What is mirrored: the venue's name, its public data, and the unified symbols requested (none: the usual ones)."""

    name: str
    source: MarketDataSource
    symbols: tuple[str, ...] = ()


def bind_folder_to_venue(store: Store, name: str | None) -> None:
    """Reserve the folder for a mirror of `name`, or for an exchange with synthetic prices (None).

    Raises `CannotMirror` if it holds another exchange's state.
    """
    mirrored = store.meta(VENUE_KEY)
    if mirrored != (name or "") and (mirrored or store.meta("seed")):
        raise CannotMirror(f"the folder holds the state of {_describe(mirrored)}; give {_describe(name)} another one")
    if name is not None:
        store.set_meta(VENUE_KEY, name)


class Mirror:
    """All mirrored markets of an exchange; `open_market` starts one and returns its publisher."""

    def __init__(
        self, live: LiveVenue, exchange: Exchange, hub: StreamHub, open_market: Callable[[MarketSpec], MarketPublisher]
    ) -> None:
        self._live = live
        self._exchange = exchange
        self._hub = hub
        self._open_market = open_market
        self._markets: dict[str, MirroredMarket] = {}
        for symbol, spec in mirror_markets.load_specs(exchange.store).items():
            self._open(symbol, spec)

    async def run(self) -> None:
        """Follow the live venue until cancelled; raises `CannotMirror` if it has no market that can be shown.

        The markets of the last run are followed at once; on the first start there are none until the venue answers.
        """
        async with TaskGroup() as group:
            for market in self._markets.values():
                group.create_task(market.run())
            group.create_task(self._follow_clock())
            for symbol, spec in (await self._load_listed_markets()).items():
                if symbol not in self._markets:
                    group.create_task(self._open(symbol, spec).run())

    def save(self) -> None:
        """Save how far each market's trades were applied."""
        for market in self._markets.values():
            market.save()

    def _open(self, symbol: str, spec: MarketSpec) -> "MirroredMarket":
        publisher = self._open_market(spec)
        market = MirroredMarket(
            MarketSymbol(self._live.name, symbol), self._live.source, self._exchange, self._hub, publisher
        )
        self._markets[symbol] = market
        return market

    async def _load_listed_markets(self) -> dict[str, MarketSpec]:
        """Return the markets as the live venue lists them now; retries until it answers."""
        backoff, store = Backoff(cap_seconds=30.0), self._exchange.store
        while True:
            try:
                listed = mirror_markets.select_markets(await self._live.source.load_markets(), self._live.symbols)
            except VenueUnreachable as error:
                log.warning("%s can't be reached yet: %s", self._live.name, error)
                await asyncio.sleep(backoff.next_delay(error.retry_after_seconds))
            else:
                specs = {market.symbol.symbol: mirror_markets.to_spec(market) for market in listed}
                # Markets of earlier runs stay: an account may hold their currencies.
                mirror_markets.save_specs(store, mirror_markets.load_specs(store) | specs)
                return specs

    async def _follow_clock(self) -> None:
        """Follow the live venue's clock, so that trades and candles fall in the same minutes here and there."""
        clock = self._exchange.clock
        while True:
            await asyncio.sleep(CLOCK_EVERY_SECONDS)
            clock.ahead_ms += to_milliseconds(self._live.source.venue_now()) - clock.now_ms() + clock.drift_ms


class MirroredMarket:
    """One market: its book and its trades follow the live ones."""

    def __init__(
        self,
        symbol: MarketSymbol,
        source: MarketDataSource,
        exchange: Exchange,
        hub: StreamHub,
        publisher: MarketPublisher,
    ) -> None:
        self._symbol = symbol
        self._source = source
        self._exchange = exchange
        self._hub = hub
        self._publisher = publisher
        self._market = exchange.markets[symbol.symbol.replace("/", "").upper()]
        self._market.live_candles = self.candles
        self._external_book = ExternalBook(exchange, self._market)
        self._last_levels: dict[Side, dict[int, int]] = {side: {} for side in Side}
        self._key = f"{self._market.spec.symbol}.live_trade_ms"
        self._last_ms = self._restored_until_ms = int(exchange.store.meta(self._key, "0"))
        self._known = TradeDeduplicator()
        self._unavailable = {"book", "trades"}

    async def run(self) -> None:
        """Follow until cancelled."""
        async with TaskGroup() as group:
            group.create_task(self._keep_following("book", self._follow_book))
            group.create_task(self._keep_following("trades", self._follow_trades))

    async def candles(self, span_ms: int, start_ms: int | None, limit: int) -> list[Candle]:
        """Return the live venue's own candles, oldest first; raises `ExchangeError` if there are none."""
        timeframe = next((candidate for candidate in Timeframe if candidate.seconds * 1000 == span_ms), None)
        if timeframe is None:
            offered = ", ".join(offer.venue_name for offer in Timeframe)
            raise ExchangeError(-1120, f"Invalid interval: a mirror has {offered}.")
        start = None if start_ms is None else from_milliseconds(start_ms)
        with _as_unavailable():
            candles = await self._source.fetch_candles(self._symbol, timeframe, start, limit)
        return [_candle(candle) for candle in candles[:limit]]

    def save(self) -> None:
        """Save how far the trades were applied."""
        self._exchange.store.set_meta(self._key, str(self._last_ms))

    async def _keep_following(self, what: str, follow: Callable[[], Awaitable[None]]) -> None:
        backoff = Backoff()
        while True:
            started, retry_after = monotonic_seconds(), None
            try:
                await follow()
                reason = "the stream ended"
            except VenueUnreachable as error:
                retry_after, reason = error.retry_after_seconds, str(error)
            except VenueGap as gap:
                reason = str(gap)
            self._close(what, reason)
            if monotonic_seconds() - started > STEADY_SECONDS:
                backoff.reset()
            await asyncio.sleep(backoff.next_delay(retry_after))

    def _close(self, what: str, reason: str) -> None:
        """Show no book and accept no order until `what` is back, and disconnect the market's subscribers."""
        if not self._unavailable:
            log.warning("%s is closed, since its live %s broke: %s", self._symbol, what, reason)
            self._hub.drop(f"{self._market.spec.symbol.lower()}@")
        self._unavailable.add(what)
        self._market.closed_because = f"the live {what} of {self._symbol} can't be seen now"

    def _mark_available(self, what: str) -> None:
        """Open the market once its book and its trades are known."""
        self._unavailable.discard(what)
        if not self._unavailable and self._market.closed_because is not None:
            self._market.closed_because = None
            log.warning("%s is open", self._symbol)

    async def _follow_book(self) -> None:
        self._last_levels = {side: {} for side in Side}
        async with aclosing(self._source.depth(self._symbol)) as books:  # type: ignore[type-var]
            async for book in books:
                self._apply_book(book)

    def _apply_book(self, book: Depth) -> None:
        self._set_side(Side.BUY, book.bids)
        self._set_side(Side.SELL, book.asks)
        self._external_book.uncross()
        self._mark_available("book")
        self._exchange.flush()
        if not self._unavailable:
            self._publisher.depth()

    def _set_side(self, side: Side, levels: Sequence[PriceLevel]) -> None:
        """Set only the levels that have changed, so that what users took from the others stays taken."""
        book = self._market.book
        new = {units(level.price): units(level.quantity) for level in levels}
        before = self._last_levels[side] or {price: -1 for price, level in book.side(side) if level.liquidity}
        for price in before.keys() - new.keys():
            book.set_liquidity(side, price, 0)
        for price, quantity in new.items():
            if before.get(price) != quantity:
                book.set_liquidity(side, price, quantity)
        self._last_levels[side] = new

    async def _follow_trades(self) -> None:
        async with aclosing(self._source.trades(self._symbol)) as batches:  # type: ignore[type-var]
            first = asyncio.ensure_future(anext(batches))
            try:
                await self._catch_up()
                self._mark_available("trades")
                batch = await first
                # Only now is the stream known to be open, so the trades just before that are fetched.
                self._apply_trades(await self._source.fetch_trades(self._symbol, RECENT_TRADES), are_late=True)
                self._apply_trades(batch)
            finally:
                await cancel_and_wait(first)
            async for batch in batches:
                self._apply_trades(batch)

    async def _catch_up(self) -> None:
        """Load the day's minutes for the tickers, and the newest trades, which may fill open orders."""
        recent = await self._source.fetch_trades(self._symbol, RECENT_TRADES)
        now = self._source.venue_now()
        start = now - DAY
        while start < now:
            page = await self._source.fetch_candles(self._symbol, Timeframe.M1, start, PAGE)
            for candle in page:
                if candle.closed:
                    self._exchange.store.save_candle(self._market.spec.symbol, _candle(candle))
            if not page or page[-1].close_time <= start:
                break
            start = page[-1].close_time
            self._market.reopen(units(page[-1].close))
        self._apply_trades(recent, are_late=True)

    def _apply_trades(self, batch: Sequence[Trade], *, are_late: bool = False) -> None:
        for trade in batch:
            if self._known.add(trade):
                self._apply_trade(trade, to_milliseconds(trade.at), is_late=are_late)
        self._exchange.flush()

    def _apply_trade(self, trade: Trade, at_ms: int, *, is_late: bool) -> None:
        price, quantity = units(trade.price), units(trade.quantity)
        taker = Side.BUY if trade.side is OrderSide.BUY else Side.SELL
        number = int(trade.venue_trade_id) if self._symbol.venue in NUMBERED else None
        if at_ms <= self._restored_until_ms:
            # The last run has applied it already: it is shown again, but fills no order twice.
            self._market.restore_trade(price, quantity, at_ms, buyer_is_maker=taker is Side.SELL, number=number)
            return
        self._last_ms = max(self._last_ms, at_ms)
        if self._external_book.trade(taker, price, quantity, at_ms, number, at_ms if is_late else None):
            # In the transaction of the fills, so that no trade fills an order twice after a crash.
            self.save()
        if self._market.closed_because is None:
            # The next trade of the batch may be back on the other side of a stop.
            self._exchange.matcher.trigger_stops(self._market)


def _describe(mirrored: str | None) -> str:
    return f"a mirror of {mirrored}" if mirrored else "a sandbox with prices of its own"


@contextmanager
def _as_unavailable() -> Iterator[None]:
    try:
        yield
    except VenueUnreachable as error:
        raise ExchangeError(-1000, f"The live venue doesn't answer: {error}", SERVICE_UNAVAILABLE) from None


def _candle(candle: LiveCandle) -> Candle:
    """Return a live candle in the sandbox's form.

    The quote volume, which ccxt lacks, is estimated: the volume at the mean of the four prices. The count of trades and
    the takers' share are unknown and left at 0.
    """
    opened, high, low, close = (units(price) for price in (candle.open, candle.high, candle.low, candle.close))
    volume = units(candle.volume)
    quote = notional((opened + high + low + close) // 4, volume)
    return Candle(to_milliseconds(candle.open_time), opened, high, low, close, volume, quote)
