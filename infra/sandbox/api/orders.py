"""The signed requests of single orders and of their executions."""

import secrets

from infra.sandbox.api.binance_json import (
    Json,
    amend_json,
    amendment_json,
    cancelled_json,
    fill_json,
    order_json,
    placed_json,
    prevented_match_json,
)
from infra.sandbox.api.order_params import read_order
from infra.sandbox.api.params import Params
from infra.sandbox.api.routing import RequestContext
from infra.sandbox.errors import ExchangeError, ReplaceFailedError, no_such_order, unknown_order
from infra.sandbox.matching.amending import amend
from infra.sandbox.matching.replacing import Replacement, ReplaceMode, ReplaceReport, cancel_replace
from infra.sandbox.order_lists import CancelReport
from infra.sandbox.orders import Order, OrderType, PlacedOrder, Status

MAX_ROWS = 1000
RESPONSE_KINDS = ("ACK", "RESULT", "FULL")
CANCEL_RESTRICTIONS = {"ONLY_NEW": Status.NEW, "ONLY_PARTIALLY_FILLED": Status.PARTIALLY_FILLED}


def new_order(context: RequestContext) -> Json:
    """Place an order and answer as fully as `newOrderRespType` requests."""
    request = read_order(context.params)
    kind = response_kind(context.params, request.type)
    return placed_json(context.exchange.place(context.caller, request), kind)


def replace_order(context: RequestContext) -> Json:
    """Cancel an order and place another; answers with both halves, as an error unless both succeeded."""
    params = context.params
    new = read_order(params)
    kind = response_kind(params, new.type)
    mode = params.choice("cancelReplaceMode", ReplaceMode, -1130, "Invalid cancelReplaceMode.")
    old = _named_order(context, "cancelOrderId", "cancelOrigClientOrderId")
    cancel_id = params.client_id("cancelNewClientOrderId")
    request = Replacement(old, cancel_id, cancel_restriction(params), mode, new)
    report = cancel_replace(context.exchange, context.caller, request)
    data: Json = {
        "cancelResult": "SUCCESS" if isinstance(report.cancelled, CancelReport) else "FAILURE",
        "newOrderResult": _result(report),
        "cancelResponse": report.cancelled.content()
        if isinstance(report.cancelled, ExchangeError)
        else cancelled_json(report.cancelled),
        "newOrderResponse": None
        if report.placed is None
        else report.placed.content()
        if isinstance(report.placed, ExchangeError)
        else placed_json(report.placed, kind),
    }
    succeeded = [data["cancelResult"], data["newOrderResult"]].count("SUCCESS")
    if succeeded < 2:  # noqa: PLR2004 - both halves
        raise ReplaceFailedError(data, is_partial=succeeded == 1)
    return data


def test_order(context: RequestContext) -> Json:
    """Validate an order without placing it."""
    context.exchange.validate(context.caller, read_order(context.params))
    return {}


def query_order(context: RequestContext) -> Json:
    """Return one order by number or client id."""
    order = _named_order(context)
    if order is None:
        raise no_such_order()
    return order_json(order)


def cancel_order(context: RequestContext) -> Json:
    """Cancel one order by number or client id, with its list if it has one."""
    order, cancel_id = _named_order(context), context.params.client_id("newClientOrderId")
    only = cancel_restriction(context.params)
    symbol = context.params.required("symbol")
    return cancelled_json(context.exchange.cancel(context.caller, symbol, order, cancel_id, only))


def cancel_all(context: RequestContext) -> list[Json]:
    """Cancel all open orders of a market."""
    symbol = context.listed_symbol
    orders = context.exchange.open_orders(context.caller.uid, symbol)
    if not orders:
        raise unknown_order()
    cancel_id = secrets.token_hex(11)
    return [
        cancelled_json(context.exchange.cancel(context.caller, symbol, order, cancel_id))
        for order in orders
        if order.is_open
    ]


def amend_order(context: RequestContext) -> Json:
    """Reduce the quantity of an order that keeps its place."""
    order, client_id = _named_order(context), context.params.client_id("newClientOrderId")
    context.params.required("newQty")
    quantity = context.params.amount("newQty")
    return amend_json(amend(context.exchange, context.caller, order, quantity, client_id))


def amendments(context: RequestContext) -> list[Json]:
    """Return the amendments of an order, oldest first."""
    symbol, params = context.listed_symbol, context.params
    params.required("orderId")
    number, first = params.number("orderId") or 0, params.number("fromExecutionId") or 0
    history = context.exchange.store.history
    found = history.amendments(context.caller.uid, symbol, number, first, params.limit(500, MAX_ROWS))
    return [amendment_json(amendment) for amendment in found]


def prevented_matches(context: RequestContext) -> list[Json]:
    """Return the account's trades with itself that were prevented, oldest first."""
    symbol, params = context.listed_symbol, context.params
    number, order_id = params.number("preventedMatchId"), params.number("orderId")
    if number is None and order_id is None:
        raise ExchangeError(-1102, "Param 'preventedMatchId' or 'orderId' must be sent, but both were empty/null!")
    first, limit = params.number("fromPreventedMatchId") or 0, params.limit(500, MAX_ROWS)
    history = context.exchange.store.history
    found = history.prevented_matches(context.caller.uid, symbol, number, order_id, first, limit)
    return [prevented_match_json(match) for match in found]


def open_orders(context: RequestContext) -> list[Json]:
    """Return the open orders of a market or of all."""
    symbol = context.params.get("symbol") or None
    if symbol:
        context.exchange.market(symbol)
    return [order_json(order) for order in context.exchange.open_orders(context.caller.uid, symbol)]


def all_orders(context: RequestContext) -> list[Json]:
    """Return orders of a market, whatever their state, oldest first."""
    symbol, params = context.listed_symbol, context.params
    start, end = params.period()
    limit = params.limit(500, MAX_ROWS)
    found = context.exchange.store.orders(context.caller.uid, symbol, params.number("orderId"), start, end, limit)
    return [order_json(order) for order in found]


def my_trades(context: RequestContext) -> list[Json]:
    """Return the account's executions in a market, oldest first."""
    symbol, params = context.listed_symbol, context.params
    start, end = params.period()
    found = context.exchange.store.fills(
        context.caller.uid,
        symbol,
        order_id=params.number("orderId"),
        from_id=params.number("fromId"),
        start=start,
        end=end,
        limit=params.limit(500, MAX_ROWS),
    )
    return [fill_json(fill) for fill in found]


def weigh_open(params: Params) -> int:
    """Return the weight of `openOrders`."""
    return 6 if params.get("symbol") else 80


def weigh_prevented(params: Params) -> int:
    """Return the weight of `myPreventedMatches`."""
    return 1 if params.get("preventedMatchId") else 20


def response_kind(params: Params, order_type: OrderType) -> str:
    """Return how fully to answer: `newOrderRespType`, or what Binance takes for this type of order."""
    kind = params.get("newOrderRespType") or ("FULL" if order_type in {"MARKET", "LIMIT"} else "ACK")
    if kind not in RESPONSE_KINDS:
        raise ExchangeError(-1130, "Data sent for parameter 'newOrderRespType' is not valid.")
    return kind


def cancel_restriction(params: Params) -> Status | None:
    """Return the only status in which an order may be cancelled, None for any."""
    text = params.get("cancelRestrictions")
    if text and text not in CANCEL_RESTRICTIONS:
        raise ExchangeError(-1145, "Invalid cancelRestrictions")
    return CANCEL_RESTRICTIONS.get(text)


def _result(report: ReplaceReport) -> str:
    if report.placed is None:
        return "NOT_ATTEMPTED"
    return "SUCCESS" if isinstance(report.placed, PlacedOrder) else "FAILURE"


def _named_order(
    context: RequestContext, number_name: str = "orderId", client_id_name: str = "origClientOrderId"
) -> Order | None:
    symbol = context.listed_symbol
    number, client_id = context.params.number(number_name), context.params.get(client_id_name)
    if number is None and not client_id:
        raise ExchangeError(
            -1102, f"Param '{client_id_name}' or '{number_name}' must be sent, but both were empty/null!"
        )
    found = context.exchange.find_order(context.caller.uid, symbol, number, client_id or None)
    if found and number is not None and client_id not in {"", found.client_id}:
        raise ExchangeError(-2039, "Client order ID is not correct for this order ID.")
    return found
