"""Binance: https://developers.binance.com/docs/binance-spot-api-docs/errors."""

from collections.abc import Iterator, Mapping
from operator import methodcaller
from typing import Any

from domain.model.orders import OrderType, TimeInForce
from domain.model.venue_abilities import AmendAbility
from infra.venues.ccxt.conversion import CcxtValue, MarketRules, OrderReading
from infra.venues.ccxt.profiles.fill_pages import BINANCE_PAGE, by_time
from infra.venues.ccxt.profiles.key_rights import KeyRightsQuery, binance_rights
from infra.venues.ccxt.profiles.lookups import by_request
from infra.venues.ccxt.profiles.profile import OrderFills, VenueProfile
from infra.venues.ccxt.profiles.verdicts import ErrorTable, VenueError, Verdict, same, text

RECEIVE_WINDOW_MS = 2_500


def read_errors(body: Mapping[str, Any]) -> Iterator[VenueError]:
    """Yield the error of a body such as `{"code":-2010,"msg":"…"}`."""
    code = body.get("code")
    if isinstance(code, int) and code < 0:
        yield VenueError(text(code), text(body.get("msg")))


def market_rules(info: Mapping[str, Any]) -> MarketRules:
    """Return whether the least value applies to MARKET orders, which ccxt takes for granted."""
    filters = {each.get("filterType"): each for each in info.get("filters") or []}
    least = filters.get("NOTIONAL") or filters.get("MIN_NOTIONAL") or {}
    return MarketRules(notional_at_market=least.get("applyMinToMarket", least.get("applyToMarket", True)) is not False)


def api_urls(url: str) -> dict[str, CcxtValue]:
    """Return ccxt's `urls["api"]` for a server at `url`."""
    streams = url.replace("http", "ws", 1)
    return {
        "public": f"{url}/api/v3",
        "private": f"{url}/api/v3",
        "v1": f"{url}/api/v1",
        "sapi": f"{url}/sapi/v1",
        "ws": {"spot": f"{streams}/ws", "ws-api": {"spot": f"{streams}/ws-api/v3"}},
    }


PROFILE = VenueProfile(
    ccxt_id="binance",
    reading=OrderReading(),
    placing_id="clientOrderId",
    cancel_id="clientOrderId",
    lookup=by_request("clientOrderId"),
    fill_pages=by_time,
    order_fills=OrderFills("orderId", BINANCE_PAGE),
    errors=ErrorTable(
        read_errors,
        {
            **same(Verdict.UNKNOWN, "-1000", "-1001", "-1006", "-1007", "-1008"),
            "-1003": Verdict.BUSY,
            "-1015": Verdict.REFUSED,
            "-1021": Verdict.CLOCK,
            # ccxt takes a revoked key for a ban once a request has succeeded.
            "-2015": Verdict.CREDENTIALS,
        },
        {403: Verdict.REFUSED, 418: Verdict.BUSY, 429: Verdict.BUSY},
    ),
    order_types=(
        OrderType.MARKET,
        OrderType.LIMIT,
        OrderType.STOP,
        OrderType.STOP_LIMIT,
        OrderType.TAKE_PROFIT,
        OrderType.TAKE_PROFIT_LIMIT,
    ),
    times_in_force=(TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK, TimeInForce.GTD),
    api_urls=api_urls,
    answers_with_fills=True,
    amend=AmendAbility.REPLACE,
    order_lists=True,
    trailing_stop=True,
    market_rules=market_rules,
    options={
        "fetchCurrencies": False,
        "fetchMargins": False,
        "fetchMarkets": {"types": ["spot"]},
        # Plain trades have the ids that the stream has; ccxt's default, aggregated ones, have others.
        "fetchTradesMethod": "publicGetTrades",
        "recvWindow": RECEIVE_WINDOW_MS,
        "warnOnFetchOpenOrdersWithoutSymbol": False,
    },
    key_rights=KeyRightsQuery(methodcaller("sapiGetAccountApiRestrictions"), binance_rights),
)
