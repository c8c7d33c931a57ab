"""Publishes each market to its streams: depth, trades, candles, tickers, in Binance's frames.

Source: developers.binance.com/docs/binance-spot-api-docs/web-socket-streams.
"""

import re

from infra.sandbox.api.binance_json import Json, aggregate_json, levels, rest_ticker
from infra.sandbox.candles import INTERVALS, MINUTE_MS, STREAMED_INTERVALS, Candle, span_start
from infra.sandbox.clock import SandboxClock
from infra.sandbox.fixed_point import format_units
from infra.sandbox.matching.market import SimulatedMarket
from infra.sandbox.streams.hub import StreamHub
from infra.sandbox.trades import AggregateTrade, PublicTrade

STREAM_NAME = re.compile(
    r"(?P<symbol>[a-z0-9]+)@(depth(@100ms|@1000ms)?|depth(5|10|20)(@100ms|@1000ms)?|trade|aggTrade|bookTicker"
    rf"|miniTicker|ticker|kline_({'|'.join(STREAMED_INTERVALS)}))"
)
STEPS_A_SECOND = 10
Best = tuple[int, int, int, int]
"""Best bid and its size, best ask and its size."""


class MarketPublisher:
    """Publishes one market to its streams."""

    def __init__(self, market: SimulatedMarket, hub: StreamHub, clock: SandboxClock) -> None:
        self._market = market
        self._hub = hub
        self._clock = clock
        self._name = market.spec.symbol.lower()
        self._best: Best = (0, 0, 0, 0)
        self._slow_bids: dict[int, int] = {}
        self._slow_asks: dict[int, int] = {}
        self._slow_first = market.update_ids.last + 1
        self._steps = 0
        market.publish_book = self.depth
        market.on_trade.append(self._trade)
        market.on_aggregate.append(self._aggregate)
        market.on_candle.append(self._closed_minute)

    def depth(self, ids: int | None = None) -> None:
        """Publish the changes of the book, as `ids` updates (by default one for each changed level)."""
        bids, asks = self._market.book.drain_changes()
        if not bids and not asks and ids is None:
            return
        first = self._market.update_ids.last + 1
        last = self._market.update_ids.next(len(bids) + len(asks) if ids is None else ids)
        self._market.published_update_id = last
        self._slow_bids.update(bids)
        self._slow_asks.update(asks)
        self._hub.publish(f"{self._name}@depth@100ms", lambda: self._depth_frame(first, last, bids, asks))
        self._partial("@100ms")
        above, below = self._market.book.bids.top(1) or [(0, 0)], self._market.book.asks.top(1) or [(0, 0)]
        self.best((*above[0], *below[0]))

    def best(self, best: Best, ahead: int = 0) -> None:
        """Publish the best bid and ask if they changed, `ahead` updates after the last depth frame."""
        if best != self._best:
            self._best = best
            number = self._market.update_ids.last + ahead
            self._hub.publish(f"{self._name}@bookTicker", lambda: self._book_ticker(best, number))

    def step(self) -> None:
        """Publish what is sent periodically: slow depth, candles and tickers, each second."""
        self._steps += 1
        if self._steps % STEPS_A_SECOND:
            return
        self._slow_depth()
        self._partial("")
        self._partial("@1000ms")
        for stream in self._hub.streams_with_prefix(f"{self._name}@kline_"):
            self._hub.publish(stream, lambda stream=stream: self._forming(stream))  # type: ignore[misc]
        self._hub.publish(f"{self._name}@miniTicker", lambda: mini_ticker(self._market, self._clock.now_ms()))
        self._hub.publish(f"{self._name}@ticker", lambda: stream_ticker(self._market, self._clock.now_ms()))

    def _slow_depth(self) -> None:
        bids, asks = sorted(self._slow_bids.items(), reverse=True), sorted(self._slow_asks.items())
        first, last = self._slow_first, self._market.published_update_id
        self._slow_bids, self._slow_asks, self._slow_first = {}, {}, last + 1
        if last >= first:
            for suffix in ("@depth", "@depth@1000ms"):
                self._hub.publish(self._name + suffix, lambda: self._depth_frame(first, last, bids, asks))

    def _partial(self, suffix: str) -> None:
        for count in (5, 10, 20):
            self._hub.publish(f"{self._name}@depth{count}{suffix}", lambda count=count: self._top(count))  # type: ignore[misc]

    def _top(self, count: int) -> Json:
        book = self._market.book
        bids, asks = levels(book.bids.top(count)), levels(book.asks.top(count))
        return {"lastUpdateId": self._market.published_update_id, "bids": bids, "asks": asks}

    def _depth_frame(self, first: int, last: int, bids: list[tuple[int, int]], asks: list[tuple[int, int]]) -> Json:
        symbol, now = self._market.spec.symbol, self._clock.now_ms()
        return {"e": "depthUpdate", "E": now, "s": symbol, "U": first, "u": last, "b": levels(bids), "a": levels(asks)}

    def _book_ticker(self, best: Best, number: int) -> Json:
        bid, bid_size, ask, ask_size = (format_units(value) for value in best)
        return {"u": number, "s": self._market.spec.symbol, "b": bid, "B": bid_size, "a": ask, "A": ask_size}

    def _trade(self, market: SimulatedMarket, trade: PublicTrade) -> None:
        self._hub.publish(f"{self._name}@trade", lambda: _trade_frame(market, trade, self._clock.now_ms()))

    def _aggregate(self, market: SimulatedMarket, trade: AggregateTrade) -> None:
        self._hub.publish(f"{self._name}@aggTrade", lambda: _aggregate_frame(market, trade, self._clock.now_ms()))

    def _closed_minute(self, market: SimulatedMarket, closed: Candle) -> None:
        end = closed.open_ms + MINUTE_MS
        for stream in self._hub.streams_with_prefix(f"{self._name}@kline_"):
            interval = stream.rpartition("_")[2]
            span = INTERVALS[interval]
            if span_start(end, span) == end:
                (candle,) = market.candles(span, end - span, end)
                frame = _kline_frame(market, interval, candle, self._clock.now_ms(), closed=True)
                self._hub.publish(stream, lambda frame=frame: frame)  # type: ignore[misc]

    def _forming(self, stream: str) -> Json:
        interval = stream.rpartition("_")[2]
        candle = self._market.forming(INTERVALS[interval])
        return _kline_frame(self._market, interval, candle, self._clock.now_ms(), closed=False)


def _trade_frame(market: SimulatedMarket, trade: PublicTrade, now_ms: int) -> Json:
    price, quantity = format_units(trade.price), format_units(trade.quantity)
    head = {"e": "trade", "E": now_ms, "s": market.spec.symbol, "t": trade.id, "p": price, "q": quantity}
    return head | {"T": trade.time_ms, "m": trade.buyer_is_maker, "M": True}


def _aggregate_frame(market: SimulatedMarket, trade: AggregateTrade, now_ms: int) -> Json:
    return {"e": "aggTrade", "E": now_ms, "s": market.spec.symbol} | aggregate_json(trade)


def _kline_frame(market: SimulatedMarket, interval: str, candle: Candle, now_ms: int, *, closed: bool) -> Json:
    row = candle.row(INTERVALS[interval])
    last_id = market.trades[-1].id if market.trades else -1
    names = ("t", "o", "h", "l", "c", "v", "T", "q", "n", "V", "Q", "B")
    kline: Json = dict(zip(names, row, strict=True))
    first_id = last_id - candle.trades + 1 if candle.trades and last_id > 0 else -1
    kline |= {"s": market.spec.symbol, "i": interval, "f": first_id, "L": last_id, "x": closed}
    return {"e": "kline", "E": now_ms, "s": market.spec.symbol, "k": kline}


def mini_ticker(market: SimulatedMarket, now_ms: int) -> Json:
    """Return the last 24 hours in the form of the `miniTicker` stream."""
    day = market.day()
    return {
        "e": "24hrMiniTicker",
        "E": now_ms,
        "s": market.spec.symbol,
        "c": format_units(market.last_price),
        "o": format_units(day.open),
        "h": format_units(day.high),
        "l": format_units(day.low),
        "v": format_units(day.volume),
        "q": format_units(day.quote),
    }


def stream_ticker(market: SimulatedMarket, now_ms: int) -> Json:
    """Return the last 24 hours in the form of the `ticker` stream."""
    rest = rest_ticker(market, now_ms)
    names = {
        "p": "priceChange", "P": "priceChangePercent", "w": "weightedAvgPrice", "x": "prevClosePrice",
        "c": "lastPrice", "Q": "lastQty", "b": "bidPrice", "B": "bidQty", "a": "askPrice", "A": "askQty",
        "o": "openPrice", "h": "highPrice", "l": "lowPrice", "v": "volume", "q": "quoteVolume", "O": "openTime",
        "C": "closeTime", "F": "firstId", "L": "lastId", "n": "count",
    }  # fmt: skip
    head: Json = {"e": "24hrTicker", "E": now_ms, "s": market.spec.symbol}
    return head | {short: rest[long] for short, long in names.items()}
