"""Binance's request that cancels one order and places another, and its answers: both done, one, or neither.

https://developers.binance.com/docs/binance-spot-api-docs/rest-api/trading-endpoints#cancel-an-existing-order-and-send-a-new-order-trade
"""

import json
from collections.abc import Mapping
from typing import Any

from domain.model.orders import Order
from domain.ports.execution_client import OrderReport, ReplacementReport, VenueRefused
from infra.venues.ccxt import conversion as convert
from infra.venues.ccxt.conversion import CcxtValue
from infra.venues.ccxt.rejections import explain, reject_code

Answer = Mapping[str, Any]

_PARTLY_FAILED = frozenset({-2021, -2022})


def canceling_params(replaced: Order) -> dict[str, str]:
    """Return the parameters that cancel an order in the request that places another.

    The new order isn't tried if the cancel fails, and the cancel fails if anything of the order has filled: the new
    order's quantity, which counts no such fill, would be too much.
    """
    return {
        "cancelOrigClientOrderId": replaced.client_order_id,
        "cancelReplaceMode": "STOP_ON_FAILURE",
        "cancelRestrictions": "ONLY_NEW",
        "newOrderRespType": "FULL",
    }


def half_done_answer(error: BaseException) -> Answer | None:
    """Return what was done, in the form of an answer, of a request that failed in part or whole; else None.

    ccxt raises Binance's -2021 and -2022 as errors of several classes, by what else their text contains.
    """
    text = str(error)
    try:
        body = json.loads(text[text.index("{") :])
    except ValueError:
        return None
    data = body.get("data") if isinstance(body, Mapping) and body.get("code") in _PARTLY_FAILED else None
    return data if isinstance(data, Mapping) else None


def replacement_report(exchange: CcxtValue, answer: Answer, replaced: Order, order: Order) -> ReplacementReport:
    """Return the outcome; raises `VenueRefused` if the order wasn't cancelled, so that nothing was placed either."""
    if answer["cancelResult"] != "SUCCESS":
        refusal = _refusal(answer["cancelResponse"])
        raise VenueRefused(f"the order that it replaces could not be cancelled: {refusal.reason}", refusal.code)
    canceled = _order_report(exchange, answer["cancelResponse"], replaced)
    if answer["newOrderResult"] != "SUCCESS":
        return ReplacementReport(canceled, None, _refusal(answer["newOrderResponse"]))
    return ReplacementReport(canceled, _order_report(exchange, answer["newOrderResponse"], order))


def _order_report(exchange: CcxtValue, data: Answer, order: Order) -> OrderReport:
    parsed = exchange.parse_order(data, exchange.market(order.market.symbol))
    return convert.order(order.market, parsed, order)


def _refusal(data: Answer | None) -> VenueRefused:
    error = data or {}
    message = f"{error.get('msg', 'no reason was given')} ({error.get('code', 'no code')})"
    return VenueRefused(explain(message), reject_code(frozenset(), message))
