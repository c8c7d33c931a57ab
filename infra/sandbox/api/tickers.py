"""The public requests of prices and of statistics over a window of time."""

import re

from infra.sandbox.api.binance_json import Json, best_price_json, rest_ticker, window_ticker
from infra.sandbox.api.params import Params
from infra.sandbox.api.routing import RequestContext
from infra.sandbox.candles import DAY_MS, HOUR_MS, MINUTE_MS
from infra.sandbox.errors import ExchangeError, IllegalParameterError
from infra.sandbox.fixed_point import format_units

WINDOW = re.compile(r"^([1-9][0-9]?)([mhd])$")
WINDOW_UNITS = {"m": (MINUTE_MS, 59), "h": (HOUR_MS, 23), "d": (DAY_MS, 7)}
TIME_ZONE = re.compile(r"^([+-]?)([0-9]{1,2})(?::([0-9]{2}))?$")
EASTERNMOST, WESTERNMOST = 14 * HOUR_MS, -12 * HOUR_MS
MINUTES_IN_HOUR = 60
MAX_SYMBOLS = 100
MINI = ("symbol", "openPrice", "highPrice", "lowPrice", "lastPrice", "volume", "quoteVolume", "openTime", "closeTime",
        "firstId", "lastId", "count")  # fmt: skip


def day(context: RequestContext) -> object:
    """Return the last 24 hours of one market or several."""
    now, mini = context.exchange.clock.now_ms(), _is_mini(context)
    return _one_or_all(context, [_shown(rest_ticker(market, now), mini=mini) for market in context.chosen_markets()])


def price(context: RequestContext) -> object:
    """Return the last price of one market or several."""
    views: list[Json] = [
        {"symbol": market.spec.symbol, "price": format_units(market.last_price)} for market in context.chosen_markets()
    ]
    return _one_or_all(context, views)


def book(context: RequestContext) -> object:
    """Return best bid and ask of one market or several."""
    views: list[Json] = [
        {"symbol": market.spec.symbol} | best_price_json(market) for market in context.chosen_markets()
    ]
    return _one_or_all(context, views)


def window(context: RequestContext) -> object:
    """Return the last minutes, hours or days of the markets that are named."""
    text, now = context.params.get("windowSize") or "1d", context.exchange.clock.now_ms()
    found = WINDOW.match(text)
    unit, most = WINDOW_UNITS[found[2]] if found else (0, 0)
    if not found or int(found[1]) > most:
        raise IllegalParameterError("windowSize", "1m to 59m, 1h to 23h or 1d to 7d")
    start = now - now % MINUTE_MS + MINUTE_MS - int(found[1]) * unit
    return _windows(context, start, now + 1, now)


def trading_day(context: RequestContext) -> object:
    """Return the present day, of a time zone, of the markets that are named."""
    zone, now = _zone_ms(context.params), context.exchange.clock.now_ms()
    start = now - (now + zone) % DAY_MS
    return _windows(context, start, now + 1, start + DAY_MS - 1)


def weigh_day(params: Params) -> int:
    """Return the weight of `ticker/24hr`."""
    count = _symbol_count(params)
    return 2 if 0 < count <= 20 else 40 if 0 < count <= MAX_SYMBOLS else 80  # noqa: PLR2004 - Binance's table


def weigh_price(params: Params) -> int:
    """Return the weight of `ticker/price` and `ticker/bookTicker`."""
    return 2 if params.get("symbol") else 4


def weigh_window(params: Params) -> int:
    """Return the weight of `ticker` and `ticker/tradingDay`."""
    return min(200, 4 * max(1, _symbol_count(params)))


def _windows(context: RequestContext, start: int, end: int, close_ms: int) -> object:
    names = context.params.symbols()
    if not names:
        raise ExchangeError(-1128, "Combination of optional parameters invalid.")
    if len(names) > MAX_SYMBOLS:
        raise ExchangeError(-1130, f"Data sent for parameter 'symbols' is not valid: at most {MAX_SYMBOLS}.")
    mini = _is_mini(context)
    views = []
    for market in context.chosen_markets():
        market.roll_candle(end - 1)
        views.append(_shown(window_ticker(market, market.window(start, end), close_ms), mini=mini))
    return _one_or_all(context, views)


def _zone_ms(params: Params) -> int:
    text = params.get("timeZone") or "0"
    found = TIME_ZONE.match(text)
    minutes = int(found[3] or 0) if found else MINUTES_IN_HOUR
    offset = (int(found[2]) * HOUR_MS + minutes * MINUTE_MS) * (-1 if found[1] == "-" else 1) if found else 0
    if minutes >= MINUTES_IN_HOUR or not WESTERNMOST <= offset <= EASTERNMOST:
        raise IllegalParameterError("timeZone", "-12:00 to +14:00")
    return offset


def _is_mini(context: RequestContext) -> bool:
    kind = context.params.get("type") or "FULL"
    if kind not in {"FULL", "MINI"}:
        raise ExchangeError(-1139, "Invalid ticker type.")
    return kind == "MINI"


def _shown(ticker: Json, *, mini: bool) -> Json:
    return {name: ticker[name] for name in MINI} if mini else ticker


def _one_or_all(context: RequestContext, views: list[Json]) -> object:
    return views[0] if context.params.get("symbol") else views


def _symbol_count(params: Params) -> int:
    """Return how many markets are named, 0 for all of them; what can't be read counts as one."""
    return 1 if params.get("symbol") else params.get("symbols").count(",") + bool(params.get("symbols"))
