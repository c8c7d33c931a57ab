"""The domain's orders as arguments of ccxt's `create_order`."""

from dataclasses import dataclass
from typing import Any

from domain.core.money import plain
from domain.model.orders import Order, OrderType, RejectCode, TimeInForce
from domain.ports.execution_client import VenueRefused

_TRIGGERS = {
    OrderType.STOP: "stopLossPrice",
    OrderType.STOP_LIMIT: "stopLossPrice",
    OrderType.TAKE_PROFIT: "takeProfitPrice",
    OrderType.TAKE_PROFIT_LIMIT: "takeProfitPrice",
}
_SENT_TYPES = frozenset({OrderType.MARKET, OrderType.TRAILING_STOP, OrderType.LIMIT, *_TRIGGERS})


@dataclass(frozen=True, slots=True)
class OrderArguments:
    """The arguments of ccxt's `create_order`; numbers are strings, which ccxt passes on digit by digit."""

    symbol: str
    type: str
    side: str
    amount: str
    price: str | None
    params: dict[str, Any]


def order_arguments(order: Order, client_order_id: str, id_parameter: str = "clientOrderId") -> OrderArguments:
    """Return the arguments that place `order`, with its id as the venue takes it in the venue's parameter.

    Raises `VenueRefused` for a type that can't be sent.

    GTD is sent as GTC, because the engine cancels the order in time. A TRAILING_STOP is sent as a market order, because
    the engine sends it when it is triggered. Post-only has no time in force (LIMIT_MAKER).
    """
    if order.type not in _SENT_TYPES:
        raise VenueRefused(f"{order.type.value} can't be placed at this venue.", RejectCode.UNSUPPORTED)
    params: dict[str, Any] = {id_parameter: client_order_id}
    if order.type in _TRIGGERS and order.stop_price is not None:
        params[_TRIGGERS[order.type]] = plain(order.stop_price)
    if order.post_only:
        params["postOnly"] = True
    elif order.type.has_price:
        params["timeInForce"] = _time_in_force(order)
    price = plain(order.price) if order.type.has_price and order.price is not None else None
    ccxt_type = "limit" if order.type.has_price else "market"
    return OrderArguments(
        order.market.symbol, ccxt_type, order.side.value.lower(), plain(order.quantity), price, params
    )


def _time_in_force(order: Order) -> str:
    time_in_force = order.time_in_force or TimeInForce.GTC
    return "GTC" if time_in_force is TimeInForce.GTD else time_in_force.value
