"""The public requests: market data."""

from infra.sandbox.api.binance_json import Json, aggregate_json, levels
from infra.sandbox.api.params import NUMBER, Params
from infra.sandbox.api.rate_limits import exchange_limits
from infra.sandbox.api.routing import RequestContext
from infra.sandbox.errors import ExchangeError
from infra.sandbox.fixed_point import format_units, notional
from infra.sandbox.matching.market import AVERAGE_MINUTES, SimulatedMarket
from infra.sandbox.matching.market_filters import symbol_json
from infra.sandbox.trades import PublicTrade

MAX_DEPTH = 5000
DEPTH_WEIGHTS = ((100, 5), (500, 25), (1000, 50), (MAX_DEPTH, 250))
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
        "symbols": [symbol_json(market.spec) for market in context.chosen_markets()],
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


def weigh_depth(params: Params) -> int:
    """Return the weight of `depth`, by how many levels are asked for."""
    text = params.get("limit")
    levels_asked = int(text) if NUMBER.match(text) else 0
    return next((weight for most, weight in DEPTH_WEIGHTS if levels_asked <= most), DEPTH_WEIGHTS[-1][1])


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


def average_price(context: RequestContext) -> Json:
    """Return the average price of five minutes."""
    market = _market(context)
    return {
        "mins": AVERAGE_MINUTES,
        "price": format_units(market.average_price()),
        "closeTime": context.exchange.clock.now_ms(),
    }


def _market(context: RequestContext) -> SimulatedMarket:
    return context.exchange.market(context.params.required("symbol"))


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
