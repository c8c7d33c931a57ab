"""Binance's list of two orders of which one ends the other (OCO), and its answers.

https://developers.binance.com/docs/binance-spot-api-docs/rest-api/trading-endpoints#new-order-list---oco-trade
"""

from collections.abc import Mapping
from typing import Any

from domain.core.money import plain
from domain.model.order_side import OrderSide
from domain.model.orders import Order, OrderType, RejectCode
from domain.ports.execution_client import OrderPair, OrderReport, VenueRefused
from infra.venues.ccxt import conversion as convert
from infra.venues.ccxt.conversion import CcxtStructure, CcxtValue

Answer = Mapping[str, Any]

_TYPES = {OrderType.STOP: "STOP_LOSS", OrderType.TAKE_PROFIT: "TAKE_PROFIT"}
"""The types that trade at the market once they are triggered.

A LIMIT_MAKER to take the profit would end the stop-loss with its first partial fill, and leave the rest without one.
"""


def list_params(exchange: CcxtValue, orders: OrderPair) -> dict[str, str]:
    """Return the parameters of `orderList/oco`; raises `VenueRefused` for other types than a list can have."""
    stop, profit = orders
    above, below = (profit, stop) if stop.side is OrderSide.SELL else (stop, profit)
    return {
        "symbol": exchange.market(stop.market.symbol)["id"],
        "side": stop.side.value,
        "quantity": plain(stop.quantity),
        "listClientOrderId": list_client_order_id(stop),
        **_leg("above", above),
        **_leg("below", below),
        "newOrderRespType": "FULL",
    }


def list_client_order_id(stop: Order) -> str:
    """Return the list's own client order id, which follows from that of its stop-loss."""
    return f"l{stop.client_order_id}"


def list_reports(exchange: CcxtValue, answer: Answer, orders: OrderPair) -> tuple[OrderReport, ...]:
    """Return the reports of both orders; raises KeyError for an answer without one of them."""
    found = {str(data["clientOrderId"]): data for data in answer["orderReports"]}
    return tuple(_report(exchange, found[order.client_order_id], order) for order in orders)


def report_of_canceled(exchange: CcxtValue, data: CcxtStructure, order: Order) -> OrderReport | None:
    """Return the report of `order` in the answer to its cancel, which is that of its list; None if it isn't one."""
    for each in (data.get("info") or {}).get("orderReports") or ():
        if order.client_order_id in {each.get("origClientOrderId"), each.get("clientOrderId")}:
            return _report(exchange, each, order)
    return None


def _leg(prefix: str, order: Order) -> dict[str, str]:
    type_ = _TYPES.get(order.type)
    if type_ is None or order.stop_price is None:
        raise VenueRefused(f"{order.type.value} can't be in a group at this venue.", RejectCode.UNSUPPORTED)
    return {
        f"{prefix}Type": type_,
        f"{prefix}StopPrice": plain(order.stop_price),
        f"{prefix}ClientOrderId": order.client_order_id,
    }


def _report(exchange: CcxtValue, data: Answer, order: Order) -> OrderReport:
    parsed = exchange.parse_order(data, exchange.market(order.market.symbol))
    return convert.order(order.market, parsed, order)
