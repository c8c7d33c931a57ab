"""Coinbase Advanced Trade: https://docs.cdp.coinbase.com/api-reference/advanced-trade-api/rest-api."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from operator import methodcaller
from typing import Any

from domain.core.money import EXACT
from domain.model.client_order_ids import OrderIdForm
from domain.model.order_side import OrderSide
from domain.model.orders import Order, OrderStatus, OrderType, TimeInForce
from domain.model.venue_abilities import AmendAbility, ReportSource
from domain.ports.execution_client import OrderReport
from infra.venues.ccxt.conversion import CcxtValue, OrderReading, decimal, number
from infra.venues.ccxt.order_arguments import OrderArguments
from infra.venues.ccxt.profiles.fill_pages import COINBASE_PAGE, by_cursor
from infra.venues.ccxt.profiles.key_rights import KeyRightsQuery, coinbase_rights
from infra.venues.ccxt.profiles.lookups import by_paging
from infra.venues.ccxt.profiles.profile import OrderFills, VenueProfile
from infra.venues.ccxt.profiles.user_streams import (
    BalancesChanged,
    Message,
    StreamEvent,
    StreamRefused,
    Subscribed,
    UserStreams,
    VenueNames,
)
from infra.venues.ccxt.profiles.verdicts import ErrorTable, VenueError, Verdict, same, text

TOKEN_SECONDS = 120.0
"""How long the token of a request is valid, and so how late the venue may still act on one."""

_REASONS = ("preview_failure_reason", "new_order_failure_reason", "error")
_UNSPECIFIC = frozenset({"", "UNKNOWN_FAILURE_REASON", "UNKNOWN_PREVIEW_FAILURE_REASON"})
_FAILURE = "failure:"
_STATUSES = {
    "FILLED": OrderStatus.FILLED,
    "CANCELLED": OrderStatus.CANCELED,
    "EXPIRED": OrderStatus.EXPIRED,
    "FAILED": OrderStatus.REJECTED,
}
_TYPES = {"MARKET": OrderType.MARKET, "LIMIT": OrderType.LIMIT, "STOP LIMIT": OrderType.STOP_LIMIT}


def read_errors(body: Mapping[str, Any]) -> Iterator[VenueError]:
    """Yield why an order failed, by its most special reason; ccxt drops the reason. Other errors have a code."""
    failure = body.get("error_response")
    if body.get("success") is False and isinstance(failure, Mapping):
        reasons = [text(failure.get(name)) for name in _REASONS]
        reason = next((reason for reason in reasons if reason not in _UNSPECIFIC), "UNKNOWN")
        yield VenueError(reason, text(failure.get("message")), _FAILURE)
    elif isinstance(code := body.get("error"), str):
        yield VenueError(code, text(body.get("message") or body.get("error_details")))


def coinbase_streams(names: VenueNames) -> UserStreams:
    """Return the reader of a new connection: the venue has a stream of orders, none of fills and balances."""

    def read(message: Message) -> list[StreamEvent] | None:
        if message.get("type") == "error":
            raise StreamRefused(str(message.get("message"))[:200])
        events = message.get("events") or []
        if message.get("channel") == "subscriptions":
            return [Subscribed(str(topic)) for event in events for topic in event.get("subscriptions") or {}]
        if message.get("channel") != "user":
            return None
        orders = [data for event in events for data in event.get("orders") or []]
        reports: list[StreamEvent] = [report for data in orders for report in _order_reports(data, names)]
        return [*reports, BalancesChanged()] if reports else []

    return UserStreams(read, frozenset({"user", "heartbeats"}))


def _order_reports(data: Mapping[str, Any], names: VenueNames) -> Iterator[OrderReport]:
    market = names.market(data["product_id"])
    if market is None:
        return
    filled = number(data.get("cumulative_quantity"))
    status = _STATUSES.get(str(data["status"]), OrderStatus.PARTIALLY_FILLED if filled else OrderStatus.OPEN)
    kind = _TYPES.get(str(data.get("order_type")).upper().replace("_", " "), OrderType.LIMIT)
    yield OrderReport(
        market=market,
        client_order_id=names.order_id(data.get("client_order_id")),
        venue_order_id=str(data["order_id"]),
        status=status,
        side=OrderSide(data["order_side"]),
        type=kind,
        quantity=EXACT.add(filled, number(data.get("leaves_quantity"))),
        filled_quantity=filled,
        price=decimal(data.get("limit_price")) if kind.has_price else None,
        stop_price=decimal(data.get("stop_price")) if kind.has_stop_price else None,
        at=datetime.fromisoformat(data["creation_time"]) if data.get("creation_time") else None,
    )


def _market_buy_in_base(order: Order, arguments: OrderArguments, _venue_now: datetime) -> OrderArguments:
    """Size a market order to buy in base, which ccxt would take for the amount of quote to spend."""
    if arguments.type != "market" or order.side is not OrderSide.BUY:
        return arguments
    configuration = {"market_market_ioc": {"base_size": arguments.amount}}
    in_base = {"order_configuration": configuration, "createMarketBuyOrderRequiresPrice": False}
    return replace(arguments, params=arguments.params | in_base)


def api_urls(url: str) -> dict[str, CcxtValue]:
    """Return ccxt's `urls["api"]` for a server at `url`."""
    return {"rest": url, "ws": url.replace("http", "ws", 1)}


PROFILE = VenueProfile(
    ccxt_id="coinbase",
    reading=OrderReading(OrderIdForm.PREFIXED, "status", _STATUSES),
    # ccxt drops `clientOrderId` and sends an id of its own making.
    placing_id="client_order_id",
    cancel_id=None,
    lookup=by_paging,
    fill_pages=by_cursor,
    order_fills=OrderFills("order_ids", COINBASE_PAGE),
    errors=ErrorTable(
        read_errors,
        {
            _FAILURE: Verdict.REFUSED,
            **same(Verdict.UNKNOWN, f"{_FAILURE}UNKNOWN", f"{_FAILURE}INTERNAL", "INTERNAL", "UNKNOWN"),
            **same(Verdict.REFUSED, "INVALID_ARGUMENT", "invalid_request", "PERMISSION_DENIED"),
            **same(Verdict.ABSENT, "NOT_FOUND", "not_found"),
            **same(Verdict.BUSY, "rate_limit_exceeded", "RESOURCE_EXHAUSTED"),
        },
        {401: Verdict.CREDENTIALS, 429: Verdict.BUSY},
    ),
    order_types=(OrderType.MARKET, OrderType.LIMIT, OrderType.STOP_LIMIT, OrderType.TAKE_PROFIT_LIMIT),
    times_in_force=(TimeInForce.GTC, TimeInForce.IOC, TimeInForce.GTD),
    api_urls=api_urls,
    fills=ReportSource.POLL,
    balances=ReportSource.POLL,
    amend=AmendAbility.IN_PLACE,
    absent_after_seconds=TOKEN_SECONDS + 5,
    reader=coinbase_streams,
    streams=(methodcaller("watch_orders"), methodcaller("subscribe", "heartbeats", isPrivate=False)),
    placing=_market_buy_in_base,
    # ccxt's default lists wallets, without what orders hold.
    options={"fetchBalance": "v3PrivateGetBrokerageAccounts"},
    key_rights=KeyRightsQuery(methodcaller("v3PrivateGetBrokerageKeyPermissions"), coinbase_rights),
)
