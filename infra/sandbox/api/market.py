"""Market data on request: everything that needs no account."""

from collections.abc import Awaitable

import msgspec

from infra.sandbox.api.binance_json import Json
from infra.sandbox.api.rate_limits import exchange_limits
from infra.sandbox.api.routing import Call, Endpoint
from infra.sandbox.errors import ExchangeError, bad_symbol
from infra.sandbox.fixed_point import format_units, notional
from infra.sandbox.market_data.candles import INTERVALS, MINUTE_MS, Candle, span_start
from infra.sandbox.simulation.market import Market, PublicTrade
from infra.sandbox.streams.publisher import aggregate_view, best_view, levels, rest_ticker

MAX_DEPTH = 5000
MAX_ROWS = 1000


def ping(_call: Call) -> Json:
    """Answer that the exchange is there."""
    return {}


def server_time(call: Call) -> Json:
    """Return the venue's time."""
    return {"serverTime": call.exchange.clock.now_ms()}


def exchange_info(call: Call) -> Json:
    """Return the rules of the exchange and of the markets asked for; a mirror may not know any yet."""
    if not call.exchange.markets:
        raise ExchangeError(-1000, "The live venue's markets aren't known yet.", 503)
    return {
        "timezone": "UTC",
        "serverTime": call.exchange.clock.now_ms(),
        "rateLimits": exchange_limits() if call.exchange.has_limits else [],
        "exchangeFilters": [],
        "symbols": [market.spec.exchange_info() for market in _chosen(call)],
    }


def depth(call: Call) -> Json:
    """Return the order book as it is at its update id: what has changed since the last update is published first."""
    market = _market(call)
    if market.closed_because is not None:
        raise ExchangeError(-1000, f"The book isn't known: {market.closed_because}.", 503)
    market.publish_book()
    count = call.params.limit(100, MAX_DEPTH)
    return {
        "lastUpdateId": market.published_update_id,
        "bids": levels(market.book.bids.top(count)),
        "asks": levels(market.book.asks.top(count)),
    }


def trades(call: Call) -> list[Json]:
    """Return the newest trades, oldest first."""
    market = _market(call)
    return [_trade_view(trade) for trade in list(market.trades)[-call.params.limit(500, MAX_ROWS) :]]


def historical_trades(call: Call) -> list[Json]:
    """Return trades from an id on, as far as they are still kept."""
    market, first = _market(call), call.params.number("fromId")
    if first is None:
        return trades(call)
    kept = [trade for trade in market.trades if trade.id >= first]
    return [_trade_view(trade) for trade in kept[: call.params.limit(500, MAX_ROWS)]]


def aggregate_trades(call: Call) -> list[Json]:
    """Return aggregate trades, by id or time, else the newest."""
    market, params = _market(call), call.params
    limit, first = params.limit(500, MAX_ROWS), params.number("fromId")
    start, end = params.number("startTime"), params.number("endTime")
    kept = [t for t in market.aggregates if (start or 0) <= t.time_ms <= (end or t.time_ms)]
    if first is not None:
        kept = [trade for trade in kept if trade.id >= first]
    chosen = kept[:limit] if first is not None or start is not None else kept[-limit:]
    return [aggregate_view(trade) for trade in chosen]


def live_klines(call: Call) -> Awaitable[object] | None:
    """Return what a mirrored venue will answer to a request for candles; None where the exchange has its own."""
    market, params = _market(call), call.params
    if market.live_candles is None:
        return None
    span, limit = _span(call), params.limit(500, MAX_ROWS)
    start, end = params.number("startTime"), params.number("endTime")
    if start is None and end is not None:
        start = span_start(end, span) - (limit - 1) * span
    return _rows(market.live_candles(span, start, limit), span, end)


def klines(call: Call) -> list[list[int | str]]:
    """Return candles: from `startTime` on, or the newest up to `endTime`."""
    market, params, span = _market(call), call.params, _span(call)
    limit, start, end = params.limit(500, MAX_ROWS), params.number("startTime"), params.number("endTime")
    now = call.exchange.clock.now_ms()
    market.roll(now)
    last = min(now if end is None else end, now) + 1
    if start is None:
        start = span_start(last, span) - (limit - 1) * span
    found: list[Candle] = market.candles(
        span, start, min(last, max(start, market.history_start()) + (limit + 1) * span)
    )
    hidden = market.misreports.hidden_ms if span == MINUTE_MS else ()
    return [candle.row(span) for candle in found if candle.open_ms not in hidden][:limit]


def average_price(call: Call) -> Json:
    """Return the average price of five minutes."""
    market = _market(call)
    return {"mins": 5, "price": format_units(market.average_price()), "closeTime": call.exchange.clock.now_ms()}


def ticker_day(call: Call) -> object:
    """Return the last 24 hours of one market or several."""
    now = call.exchange.clock.now_ms()
    return _one_or_all(call, [rest_ticker(market, now) for market in _chosen(call)])


def ticker_price(call: Call) -> object:
    """Return the last price of one market or several."""
    views: list[Json] = [
        {"symbol": market.spec.symbol, "price": format_units(market.last_price)} for market in _chosen(call)
    ]
    return _one_or_all(call, views)


def ticker_book(call: Call) -> object:
    """Return best bid and ask of one market or several."""
    views: list[Json] = [{"symbol": market.spec.symbol} | best_view(market) for market in _chosen(call)]
    return _one_or_all(call, views)


PUBLIC: dict[str, Endpoint] = {
    "ping": Endpoint(ping),
    "time": Endpoint(server_time),
    "exchangeInfo": Endpoint(exchange_info, 20),
    "depth": Endpoint(depth, 5),
    "trades": Endpoint(trades, 25),
    "historicalTrades": Endpoint(historical_trades, 25),
    "aggTrades": Endpoint(aggregate_trades, 4),
    "klines": Endpoint(klines, 2, ask_live=live_klines),
    "uiKlines": Endpoint(klines, 2, ask_live=live_klines),
    "avgPrice": Endpoint(average_price, 2),
    "ticker/24hr": Endpoint(ticker_day, 2),
    "ticker/price": Endpoint(ticker_price, 2),
    "ticker/bookTicker": Endpoint(ticker_book, 2),
}


def _span(call: Call) -> int:
    span = INTERVALS.get(call.params.required("interval"))
    if span is None:
        raise ExchangeError(-1120, "Invalid interval.")
    return span


async def _rows(candles: Awaitable[list[Candle]], span: int, end: int | None) -> list[list[int | str]]:
    return [candle.row(span) for candle in await candles if end is None or candle.open_ms <= end]


def _market(call: Call) -> Market:
    return call.exchange.market(call.params.required("symbol"))


def _chosen(call: Call) -> list[Market]:
    """Return the markets that `symbol` or `symbols` name, or all."""
    if symbol := call.params.get("symbol"):
        return [call.exchange.market(symbol)]
    if listed := call.params.get("symbols"):
        try:
            names = msgspec.json.decode(listed, type=list[str])
        except msgspec.DecodeError:
            raise bad_symbol() from None
        return [call.exchange.market(name) for name in names]
    return list(call.exchange.markets.values())


def _one_or_all(call: Call, views: list[Json]) -> object:
    return views[0] if call.params.get("symbol") else views


def _trade_view(trade: PublicTrade) -> Json:
    return {
        "id": trade.id,
        "price": format_units(trade.price),
        "qty": format_units(trade.quantity),
        "quoteQty": format_units(notional(trade.price, trade.quantity)),
        "time": trade.time_ms,
        "isBuyerMaker": trade.buyer_is_maker,
        "isBestMatch": True,
    }
