"""A live venue's public prices on a sandbox: its books and trades as they come, paper orders laid over them.

The live venue is only listened to: no account, no key and no order of anybody ever reaches it. While its prices aren't
known a market is closed: no book is shown, no order taken, and what rests waits.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from datetime import timedelta

from domain.core.backoff import Backoff
from domain.core.clock import from_milliseconds, to_milliseconds
from domain.market_data.trade_dedup import TradeDeduplicator
from domain.model.markets import Candle as LiveCandle
from domain.model.markets import Depth, MarketSymbol, PriceLevel, Timeframe, Trade
from domain.model.order_side import OrderSide
from domain.ports.market_data import MarketDataSource, VenueGap, VenueUnreachable
from infra.sandbox.clock import monotonic_seconds
from infra.sandbox.errors import ExchangeError
from infra.sandbox.fixed_point import notional
from infra.sandbox.market_data import mirror_markets
from infra.sandbox.market_data.candles import Candle
from infra.sandbox.market_data.external_book import ExternalBook
from infra.sandbox.market_data.mirror_markets import CannotMirror, units
from infra.sandbox.matching.exchange import Exchange
from infra.sandbox.matching.markets import MarketSpec
from infra.sandbox.matching.orders import Side
from infra.sandbox.state.store import Store
from infra.sandbox.streams.hub import Hub
from infra.sandbox.streams.publisher import Feed

VENUE_KEY = "mirror.venue"
RECENT_TRADES = 1_000
PAGE = 1_000
DAY = timedelta(days=1)
STEADY_SECONDS = 10.0
"""How long a stream must have held before the next break is answered at once again."""
CLOCK_EVERY_SECONDS = 10.0
SERVICE_UNAVAILABLE = 503
NUMBERED = frozenset({"binance", "binanceus"})
"""Venues that number a market's trades without a gap, as who reads Binance's protocol expects; others' are counted."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LiveVenue:
    """What is mirrored: the venue's name, its public data, and the unified symbols wanted (none: the usual ones)."""

    name: str
    source: MarketDataSource
    symbols: tuple[str, ...] = ()


def claim(store: Store, name: str | None) -> None:
    """Make the folder that of a mirror of `name`, or of an exchange with prices of its own (None).

    Raises `CannotMirror` where it is another exchange's.
    """
    mirrored = store.meta(VENUE_KEY)
    if mirrored != (name or "") and (mirrored or store.meta("seed")):
        raise CannotMirror(f"the folder holds the state of {_called(mirrored)}; give {_called(name)} another one")
    if name is not None:
        store.set_meta(VENUE_KEY, name)


class Mirror:
    """All mirrored markets of an exchange; `open_market` starts one and returns its feed."""

    def __init__(
        self, live: LiveVenue, exchange: Exchange, hub: Hub, open_market: Callable[[MarketSpec], Feed]
    ) -> None:
        self._live = live
        self._exchange = exchange
        self._hub = hub
        self._open_market = open_market
        self._markets: dict[str, MirroredMarket] = {}
        for symbol, spec in mirror_markets.kept(exchange.store).items():
            self._open(symbol, spec)

    async def run(self) -> None:
        """Follow the live venue until cancelled; raises `CannotMirror` where it has nothing that can be shown.

        The markets of the last run are followed at once; on the first start there is none before it can be reached.
        """
        async with asyncio.TaskGroup() as group:
            for market in self._markets.values():
                group.create_task(market.run())
            group.create_task(self._follow_clock())
            for symbol, spec in (await self._listed()).items():
                if symbol not in self._markets:
                    group.create_task(self._open(symbol, spec).run())

    def save(self) -> None:
        """Keep how far each market's trades were taken."""
        for market in self._markets.values():
            market.save()

    def _open(self, symbol: str, spec: MarketSpec) -> "MirroredMarket":
        feed = self._open_market(spec)
        market = MirroredMarket(
            MarketSymbol(self._live.name, symbol), self._live.source, self._exchange, self._hub, feed
        )
        self._markets[symbol] = market
        return market

    async def _listed(self) -> dict[str, MarketSpec]:
        """Return the markets as the live venue lists them now; waits for it as long as it takes."""
        backoff, store = Backoff(cap_seconds=30.0), self._exchange.store
        while True:
            try:
                listed = mirror_markets.choose(await self._live.source.load_markets(), self._live.symbols)
            except VenueUnreachable as error:
                log.warning("%s can't be reached yet: %s", self._live.name, error)
                await asyncio.sleep(backoff.next_delay(error.retry_after_seconds))
            else:
                specs = {market.symbol.symbol: mirror_markets.spec_of(market) for market in listed}
                # A market that was shown before stays: somebody may hold what is traded on it.
                mirror_markets.keep(store, mirror_markets.kept(store) | specs)
                return specs

    async def _follow_clock(self) -> None:
        """Tell the live venue's time as ours, so that trades and candles stand in the same minutes here and there."""
        clock = self._exchange.clock
        while True:
            await asyncio.sleep(CLOCK_EVERY_SECONDS)
            clock.ahead_ms += to_milliseconds(self._live.source.venue_now()) - clock.now_ms() + clock.drift_ms


class MirroredMarket:
    """One market: its book and its trades follow the live ones."""

    def __init__(
        self, symbol: MarketSymbol, source: MarketDataSource, exchange: Exchange, hub: Hub, feed: Feed
    ) -> None:
        self._symbol = symbol
        self._source = source
        self._exchange = exchange
        self._hub = hub
        self._feed = feed
        self._market = exchange.markets[symbol.symbol.replace("/", "").upper()]
        self._market.live_candles = self.candles
        self._overlay = ExternalBook(exchange, self._market)
        self._told: dict[Side, dict[int, int]] = {side: {} for side in Side}
        self._key = f"{self._market.spec.symbol}.live_trade_ms"
        self._last_ms = self._done_ms = int(exchange.store.meta(self._key, "0"))
        self._known = TradeDeduplicator()
        self._missing = {"book", "trades"}

    async def run(self) -> None:
        """Follow until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._again("book", self._follow_book))
            group.create_task(self._again("trades", self._follow_trades))

    async def candles(self, span_ms: int, start_ms: int | None, limit: int) -> list[Candle]:
        """Return the live venue's own candles, oldest first; raises what a client is told where there are none."""
        timeframe = next((each for each in Timeframe if each.seconds * 1000 == span_ms), None)
        if timeframe is None:
            offered = ", ".join(each.venue_name for each in Timeframe)
            raise ExchangeError(-1120, f"Invalid interval: a mirror has {offered}.")
        start = None if start_ms is None else from_milliseconds(start_ms)
        with _as_unavailable():
            told = await self._source.fetch_candles(self._symbol, timeframe, start, limit)
        return [_candle(candle) for candle in told[:limit]]

    def save(self) -> None:
        """Keep how far the trades were taken."""
        self._exchange.store.set_meta(self._key, str(self._last_ms))

    async def _again(self, what: str, follow: Callable[[], Awaitable[None]]) -> None:
        backoff = Backoff()
        while True:
            began, asked = monotonic_seconds(), None
            try:
                await follow()
                reason = "the stream ended"
            except VenueUnreachable as error:
                asked, reason = error.retry_after_seconds, str(error)
            except VenueGap as gap:
                reason = str(gap)
            self._close(what, reason)
            if monotonic_seconds() - began > STEADY_SECONDS:
                backoff.reset()
            await asyncio.sleep(backoff.next_delay(asked))

    def _close(self, what: str, reason: str) -> None:
        """Show no book and take no order until `what` is back; whoever follows the market is cut off, and so knows."""
        if not self._missing:
            log.warning("%s is closed, since its live %s broke: %s", self._symbol, what, reason)
            self._hub.drop(f"{self._market.spec.symbol.lower()}@")
        self._missing.add(what)
        self._market.closed_because = f"the live {what} of {self._symbol} can't be seen now"

    def _found(self, what: str) -> None:
        """Open the market once its book and its trades are known."""
        self._missing.discard(what)
        if not self._missing and self._market.closed_because is not None:
            self._market.closed_because = None
            log.warning("%s is open", self._symbol)

    async def _follow_book(self) -> None:
        self._told = {side: {} for side in Side}
        async with aclosing(self._source.depth(self._symbol)) as books:  # type: ignore[type-var]
            async for book in books:
                self._take_book(book)

    def _take_book(self, book: Depth) -> None:
        self._set_side(Side.BUY, book.bids)
        self._set_side(Side.SELL, book.asks)
        self._overlay.uncross()
        self._found("book")
        self._exchange.flush()
        if not self._missing:
            self._feed.depth()

    def _set_side(self, side: Side, levels: Sequence[PriceLevel]) -> None:
        """Take over the levels that were told anew, so that what users took from the others stays taken."""
        book = self._market.book
        told = {units(level.price): units(level.quantity) for level in levels}
        before = self._told[side] or {price: -1 for price, level in book.side(side) if level.house}
        for price in before.keys() - told.keys():
            book.set_house(side, price, 0)
        for price, quantity in told.items():
            if before.get(price) != quantity:
                book.set_house(side, price, quantity)
        self._told[side] = told

    async def _follow_trades(self) -> None:
        async with aclosing(self._source.trades(self._symbol)) as batches:  # type: ignore[type-var]
            first = asyncio.ensure_future(anext(batches))
            try:
                await self._catch_up()
                self._found("trades")
                batch = await first
                # Only now is the stream known to be open: what was traded just before it was is asked for.
                self._take_trades(await self._source.fetch_trades(self._symbol, RECENT_TRADES), are_late=True)
                self._take_trades(batch)
            finally:
                first.cancel()
                await asyncio.gather(first, return_exceptions=True)
            async for batch in batches:
                self._take_trades(batch)

    async def _catch_up(self) -> None:
        """Take the day's minutes, for the tickers, and the newest trades: those missed meanwhile fill what rests."""
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
            self._market.resume(units(page[-1].close))
        self._take_trades(recent, are_late=True)

    def _take_trades(self, batch: Sequence[Trade], *, are_late: bool = False) -> None:
        for trade in batch:
            if self._known.add(trade):
                self._take_trade(trade, to_milliseconds(trade.at), is_late=are_late)
        self._exchange.flush()

    def _take_trade(self, trade: Trade, at_ms: int, *, is_late: bool) -> None:
        price, quantity = units(trade.price), units(trade.quantity)
        taker = Side.BUY if trade.side is OrderSide.BUY else Side.SELL
        number = int(trade.venue_trade_id) if self._symbol.venue in NUMBERED else None
        if at_ms <= self._done_ms:
            # The last run took it already: it is shown again, and fills nothing again.
            self._market.recall(price, quantity, at_ms, buyer_is_maker=taker is Side.SELL, number=number)
            return
        self._last_ms = max(self._last_ms, at_ms)
        if self._overlay.trade(taker, price, quantity, at_ms, number, at_ms if is_late else None):
            # With the fills themselves, so that a crash doesn't fill anything by the same trade again.
            self.save()
        if self._market.closed_because is None:
            # The next trade of the batch may be back on the other side of a stop.
            self._exchange.matcher.trigger_stops(self._market)


def _called(mirrored: str | None) -> str:
    return f"a mirror of {mirrored}" if mirrored else "a sandbox with prices of its own"


@contextmanager
def _as_unavailable() -> Iterator[None]:
    try:
        yield
    except VenueUnreachable as error:
        raise ExchangeError(-1000, f"The live venue doesn't answer: {error}", SERVICE_UNAVAILABLE) from None


def _candle(candle: LiveCandle) -> Candle:
    """Return a live candle as the sandbox keeps them; what a ccxt candle doesn't tell is estimated or left out.

    Turned-over quote is the volume at the mean of the four prices; trades and the takers' share aren't known.
    """
    opened, high, low, close = (units(price) for price in (candle.open, candle.high, candle.low, candle.close))
    volume = units(candle.volume)
    quote = notional((opened + high + low + close) // 4, volume)
    return Candle(to_milliseconds(candle.open_time), opened, high, low, close, volume, quote)
