"""Bybit: https://bybit-exchange.github.io/docs/v5/error."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from operator import methodcaller
from typing import Any

from domain.core.clock import from_milliseconds
from domain.core.money import EXACT
from domain.model.client_order_ids import OrderIdForm
from domain.model.order_side import OrderSide
from domain.model.orders import OrderStatus, OrderType, TimeInForce
from domain.model.trading import Balance
from domain.model.venue_abilities import AmendAbility
from domain.ports.execution_client import BalanceReport, FillReport, OrderReport
from infra.venues.ccxt.conversion import CcxtValue, MarketRules, OrderReading, decimal, number, positive, required
from infra.venues.ccxt.profiles.fill_pages import BYBIT_PAGE, by_week
from infra.venues.ccxt.profiles.key_rights import KeyRightsQuery, bybit_rights
from infra.venues.ccxt.profiles.lookups import in_lists
from infra.venues.ccxt.profiles.profile import OrderFills, VenueProfile
from infra.venues.ccxt.profiles.user_streams import (
    Message,
    StreamEvent,
    StreamRefused,
    Subscribed,
    UserStreams,
    VenueNames,
)
from infra.venues.ccxt.profiles.verdicts import ErrorTable, VenueError, Verdict, same, text

RECEIVE_WINDOW_MS = 2_500
_STREAMS = 3
_STATUSES = {
    "New": OrderStatus.OPEN,
    "Untriggered": OrderStatus.OPEN,
    "Triggered": OrderStatus.OPEN,
    "PartiallyFilled": OrderStatus.PARTIALLY_FILLED,
    "Filled": OrderStatus.FILLED,
    "Cancelled": OrderStatus.CANCELED,
    "PartiallyFilledCanceled": OrderStatus.CANCELED,
    "Deactivated": OrderStatus.CANCELED,
    "Rejected": OrderStatus.REJECTED,
}


def read_errors(body: Mapping[str, Any]) -> Iterator[VenueError]:
    """Yield the error of a body such as `{"retCode":170131,"retMsg":"…"}`."""
    code = text(body.get("retCode", body.get("ret_code")))
    if code not in {"", "0"}:
        yield VenueError(code, text(body.get("retMsg", body.get("ret_msg"))))


def bybit_streams(names: VenueNames) -> UserStreams:
    """Return the reader of a new connection; a confirmation doesn't name its topic, so they are counted."""
    confirmed = 0

    def read(message: Message) -> list[StreamEvent] | None:
        nonlocal confirmed
        if message.get("success") is False:
            raise StreamRefused(str(message.get("ret_msg"))[:200])
        if message.get("op") == "subscribe":
            confirmed += 1
            return [Subscribed(str(confirmed))]
        rows = message.get("data") or []
        match message.get("topic"):
            case "order":
                return [event for data in rows for event in _order_events(data, names)]
            case "execution":
                return [event for data in rows for event in _fill_events(data, names)]
            case "wallet":
                at = from_milliseconds(int(message["creationTime"])) if message.get("creationTime") else None
                return [_balances(data, names, at) for data in rows]
            case _:
                return None

    return UserStreams(read, frozenset(str(number) for number in range(1, _STREAMS + 1)))


def _order_events(data: Mapping[str, Any], names: VenueNames) -> Iterator[OrderReport]:
    market = names.market(data["symbol"]) if data.get("category") == "spot" else None
    if market is None:
        return
    kind = OrderType.MARKET if data["orderType"] == "Market" else OrderType.LIMIT
    filled = number(data.get("cumExecQty"))
    yield OrderReport(
        market=market,
        client_order_id=names.order_id(data.get("orderLinkId")),
        venue_order_id=str(data["orderId"]),
        status=_STATUSES.get(str(data["orderStatus"]), OrderStatus.OPEN),
        side=OrderSide(data["side"].upper()),
        type=kind,
        quantity=filled if data.get("marketUnit") == "quoteCoin" else number(data["qty"]),
        filled_quantity=filled,
        price=decimal(data.get("price")) if kind.has_price else None,
        stop_price=None,
        at=from_milliseconds(int(data["updatedTime"])),
    )


def _fill_events(data: Mapping[str, Any], names: VenueNames) -> Iterator[FillReport]:
    market = names.market(data["symbol"]) if data.get("category") == "spot" else None
    if market is None or data.get("execType") != "Trade":
        return
    base, _, quote = market.symbol.partition("/")
    side = OrderSide(data["side"].upper())
    yield FillReport(
        market=market,
        venue_order_id=str(data["orderId"]),
        client_order_id=names.order_id(data.get("orderLinkId")) or None,
        venue_trade_id=str(data["execId"]),
        at=from_milliseconds(int(data["execTime"])),
        side=side,
        price=positive(data["execPrice"]),
        quantity=positive(data["execQty"]),
        fee=number(data.get("execFee")),
        # Spot fees are taken from what is received.
        fee_currency=names.currency(data.get("feeCurrency") or (base if side is OrderSide.BUY else quote)),
        maker=data.get("isMaker"),
    )


def _balances(data: Mapping[str, Any], names: VenueNames, at: datetime | None) -> BalanceReport:
    return BalanceReport(tuple(_balance(row, names, at) for row in data.get("coin") or []))


def _balance(row: Mapping[str, Any], names: VenueNames, at: datetime | None) -> Balance:
    total, locked = required(row.get("equity") or row.get("walletBalance")), decimal(row.get("locked"))
    return Balance(names.currency(row["coin"]), total, None if locked is None else EXACT.subtract(total, locked), at)


def market_rules(info: Mapping[str, Any]) -> MarketRules:
    """Return the greatest quantity of a MARKET order, which ccxt leaves out."""
    return MarketRules(decimal((info.get("lotSizeFilter") or {}).get("maxMarketOrderQty")))


def api_urls(url: str) -> dict[str, CcxtValue]:
    """Return ccxt's `urls["api"]` for a server at `url`."""
    streams = url.replace("http", "ws", 1)
    private = f"{streams}/v5/private"
    sockets = {
        "public": dict.fromkeys(("spot", "inverse", "option", "linear"), f"{streams}/v5/public/spot"),
        "private": {
            "spot": {"unified": private, "nonUnified": private},
            "contract": private,
            "usdc": private,
            "trade": f"{streams}/v5/trade",
        },
    }
    return {**dict.fromkeys(("spot", "futures", "v2", "public", "private"), url), "ws": sockets}


PROFILE = VenueProfile(
    ccxt_id="bybit",
    reading=OrderReading(OrderIdForm.PREFIXED, "orderStatus", _STATUSES),
    placing_id="clientOrderId",
    # ccxt passes `clientOrderId` on as it is, and the venue ignores it.
    cancel_id="orderLinkId",
    lookup=in_lists("orderLinkId", "fetch_open_orders", "fetch_canceled_and_closed_orders"),
    fill_pages=by_week,
    order_fills=OrderFills("orderId", BYBIT_PAGE),
    errors=ErrorTable(
        read_errors,
        {
            **same(Verdict.REFUSED, "170", "110"),
            **same(Verdict.UNKNOWN, "170146", "170147", "170001", "170007", "170032", "170149", "170234", "3400214"),
            **same(Verdict.UNKNOWN, "10000", "10016", "10019", "170141", "110072", "12141"),
            **same(Verdict.BUSY, "10006", "10018", "10403", "10429", "170222"),
            **same(Verdict.ABSENT, "170213", "170139", "170142", "170143", "110001"),
            **same(Verdict.CREDENTIALS, "10003", "10004", "33004"),
            "10002": Verdict.CLOCK,
        },
        {403: Verdict.BUSY, 429: Verdict.BUSY},
    ),
    order_types=(OrderType.MARKET, OrderType.LIMIT),
    times_in_force=(TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK, TimeInForce.GTD),
    api_urls=api_urls,
    amend=AmendAbility.IN_PLACE,
    reader=bybit_streams,
    streams=(methodcaller("watch_orders"), methodcaller("watch_my_trades"), methodcaller("watch_balance")),
    market_rules=market_rules,
    options={"recvWindow": RECEIVE_WINDOW_MS, "fetchMarkets": {"types": ["spot"]}},
    key_rights=KeyRightsQuery(methodcaller("privateGetV5UserQueryApi"), bybit_rights),
)
