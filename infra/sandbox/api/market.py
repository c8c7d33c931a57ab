"""The public requests: market data."""

from collections.abc import Awaitable

import msgspec

from infra.sandbox.api.binance_json import Json, aggregate_json, best_price_json, levels, rest_ticker
from infra.sandbox.api.rate_limits import exchange_limits
from infra.sandbox.api.routing import Endpoint, RequestContext
from infra.sandbox.candles import INTERVALS, MINUTE_MS, Candle, span_start
from infra.sandbox.errors import ExchangeError, bad_symbol
from infra.sandbox.fixed_point import format_units, notional
from infra.sandbox.matching.market import PublicTrade, SimulatedMarket
from infra.sandbox.matching.market_filters import symbol_json

MAX_DEPTH = 5000
MAX_ROWS = 1000


def ping(_context: RequestContext) -> Json:
    """Return an empty object."""
    return {}


def server_time(context: RequestContext) -> Json:
    """Return the venue's time."""
    return {"serverTime": context.exchange.clock.now_ms()}


def exchange_info(context: RequestContext) -> Json:
    """Return the rules of the exchange and of the requested markets; a mirror may not know any yet."""
    if not context.exchange.markets:
        raise ExchangeError(-1000, "The live venue's markets aren't known yet.", 503)
    return {
        "timezone": "UTC",
        "serverTime": context.exchange.clock.now_ms(),
        "rateLimits": exchange_limits() if context.exchange.has_limits else [],
        "exchangeFilters": [],
        "symbols": [symbol_json(market.spec) for market in _chosen(context)],
    }


def depth(context: RequestContext) -> Json:
    """Return the order book; pending changes are published first, so that it matches its update id."""
    market = _market(context)
    if market.closed_because is not None:
        raise ExchangeError(-1000, f"The book isn't known: {market.closed_because}.", 503)
    market.publish_book()
    count = context.params.limit(100, MAX_DEPTH)
    return {
        "lastUpdateId": market.published_update_id,
        "bids": levels(market.book.bids.top(count)),
        "asks": levels(market.book.asks.top(count)),
    }


def trades(context: RequestContext) -> list[Json]:
    """Return the newest trades, oldest first."""
    market = _market(context)
    return [_trade_json(trade) for trade in list(market.trades)[-context.params.limit(500, MAX_ROWS) :]]


def historical_trades(context: RequestContext) -> list[Json]:
    """Return trades from an id on, as far as they are still in memory."""
    market, first = _market(context), context.params.number("fromId")
    if first is None:
        return trades(context)
    kept = [trade for trade in market.trades if trade.id >= first]
    return [_trade_json(trade) for trade in kept[: context.params.limit(500, MAX_ROWS)]]


def aggregate_trades(context: RequestContext) -> list[Json]:
    """Return aggregate trades, by id or time, else the newest."""
    market, params = _market(context), context.params
    limit, first = params.limit(500, MAX_ROWS), params.number("fromId")
    start, end = params.number("startTime"), params.number("endTime")
    kept = [t for t in market.aggregates if (start or 0) <= t.time_ms <= (end or t.time_ms)]
    if first is not None:
        kept = [trade for trade in kept if trade.id >= first]
    chosen = kept[:limit] if first is not None or start is not None else kept[-limit:]
    return [aggregate_json(trade) for trade in chosen]


def live_klines(context: RequestContext) -> Awaitable[object] | None:
    """Fetch candles of a mirrored venue; None if the exchange has its own."""
    market, params = _market(context), context.params
    if market.live_candles is None:
        return None
    span, limit = _span(context), params.limit(500, MAX_ROWS)
    start, end = params.number("startTime"), params.number("endTime")
    if start is None and end is not None:
        start = span_start(end, span) - (limit - 1) * span
    return _rows(market.live_candles(span, start, limit), span, end)


def klines(context: RequestContext) -> list[list[int | str]]:
    """Return candles: from `startTime` on, or the newest up to `endTime`."""
    market, params, span = _market(context), context.params, _span(context)
    limit, start, end = params.limit(500, MAX_ROWS), params.number("startTime"), params.number("endTime")
    now = context.exchange.clock.now_ms()
    market.roll_candle(now)
    last = min(now if end is None else end, now) + 1
    if start is None:
        start = span_start(last, span) - (limit - 1) * span
    found: list[Candle] = market.candles(
        span, start, min(last, max(start, market.history_start()) + (limit + 1) * span)
    )
    hidden = market.candle_faults.hidden_ms if span == MINUTE_MS else ()
    return [candle.row(span) for candle in found if candle.open_ms not in hidden][:limit]


def average_price(context: RequestContext) -> Json:
    """Return the average price of five minutes."""
    market = _market(context)
    return {"mins": 5, "price": format_units(market.average_price()), "closeTime": context.exchange.clock.now_ms()}


def ticker_day(context: RequestContext) -> object:
    """Return the last 24 hours of one market or several."""
    now = context.exchange.clock.now_ms()
    return _one_or_all(context, [rest_ticker(market, now) for market in _chosen(context)])


def ticker_price(context: RequestContext) -> object:
    """Return the last price of one market or several."""
    views: list[Json] = [
        {"symbol": market.spec.symbol, "price": format_units(market.last_price)} for market in _chosen(context)
    ]
    return _one_or_all(context, views)


def ticker_book(context: RequestContext) -> object:
    """Return best bid and ask of one market or several."""
    views: list[Json] = [{"symbol": market.spec.symbol} | best_price_json(market) for market in _chosen(context)]
    return _one_or_all(context, views)


PUBLIC: dict[str, Endpoint] = {
    "ping": Endpoint(ping),
    "time": Endpoint(server_time),
    "exchangeInfo": Endpoint(exchange_info, 20),
    "depth": Endpoint(depth, 5),
    "trades": Endpoint(trades, 25),
    "historicalTrades": Endpoint(historical_trades, 25),
    "aggTrades": Endpoint(aggregate_trades, 4),
    "klines": Endpoint(klines, 2, live_handler=live_klines),
    "uiKlines": Endpoint(klines, 2, live_handler=live_klines),
    "avgPrice": Endpoint(average_price, 2),
    "ticker/24hr": Endpoint(ticker_day, 2),
    "ticker/price": Endpoint(ticker_price, 2),
    "ticker/bookTicker": Endpoint(ticker_book, 2),
}


def _span(context: RequestContext) -> int:
    span = INTERVALS.get(context.params.required("interval"))
    if span is None:
        raise ExchangeError(-1120, "Invalid interval.")
    return span


async def _rows(candles: Awaitable[list[Candle]], span: int, end: int | None) -> list[list[int | str]]:
    return [candle.row(span) for candle in await candles if end is None or candle.open_ms <= end]


def _market(context: RequestContext) -> SimulatedMarket:
    return context.exchange.market(context.params.required("symbol"))


def _chosen(context: RequestContext) -> list[SimulatedMarket]:
    """Return the markets in `symbol` or `symbols`, or all."""
    if symbol := context.params.get("symbol"):
        return [context.exchange.market(symbol)]
    if listed := context.params.get("symbols"):
        try:
            names = msgspec.json.decode(listed, type=list[str])
        except msgspec.DecodeError:
            raise bad_symbol() from None
        return [context.exchange.market(name) for name in names]
    return list(context.exchange.markets.values())


def _one_or_all(context: RequestContext, views: list[Json]) -> object:
    return views[0] if context.params.get("symbol") else views


def _trade_json(trade: PublicTrade) -> Json:
    return {
        "id": trade.id,
        "price": format_units(trade.price),
        "qty": format_units(trade.quantity),
        "quoteQty": format_units(notional(trade.price, trade.quantity)),
        "time": trade.time_ms,
        "isBuyerMaker": trade.buyer_is_maker,
        "isBestMatch": True,
    }
