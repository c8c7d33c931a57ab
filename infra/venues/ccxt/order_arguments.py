"""An order of the domain as ccxt's `create_order` takes it."""

from dataclasses import dataclass

from domain.core.money import plain
from domain.model.orders import Order, OrderType, TimeInForce
from domain.model.reject_codes import RejectCode
from domain.ports.execution_client import VenueRefused

_KINDS = {
    OrderType.MARKET: "market",
    OrderType.LIMIT: "limit",
    OrderType.STOP: "market",
    OrderType.STOP_LIMIT: "limit",
    OrderType.TAKE_PROFIT: "market",
    OrderType.TAKE_PROFIT_LIMIT: "limit",
}
_TRIGGERS = {
    OrderType.STOP: "stopLossPrice",
    OrderType.STOP_LIMIT: "stopLossPrice",
    OrderType.TAKE_PROFIT: "takeProfitPrice",
    OrderType.TAKE_PROFIT_LIMIT: "takeProfitPrice",
}


@dataclass(frozen=True, slots=True)
class Placing:
    """The arguments of `create_order`; numbers are strings, which ccxt passes on digit by digit."""

    symbol: str
    type: str
    side: str
    amount: str
    price: str | None
    params: dict[str, str | bool]


def placing(order: Order) -> Placing:
    """Return the arguments that place `order`; raises `VenueRefused` where no venue call can.

    GTD goes out as GTC, for the engine cancels it in time. Post-only has no time in force of its own (LIMIT_MAKER).
    """
    if order.type not in _KINDS:
        raise VenueRefused(f"{order.type.value} can't be placed at this venue.", RejectCode.UNSUPPORTED)
    params: dict[str, str | bool] = {"clientOrderId": order.client_order_id}
    if order.type in _TRIGGERS and order.stop_price is not None:
        params[_TRIGGERS[order.type]] = plain(order.stop_price)
    if order.post_only:
        params["postOnly"] = True
    elif order.type.has_price:
        params["timeInForce"] = _time_in_force(order)
    price = plain(order.price) if order.type.has_price and order.price is not None else None
    return Placing(
        order.market.symbol, _KINDS[order.type], order.side.value.lower(), plain(order.quantity), price, params
    )


def _time_in_force(order: Order) -> str:
    wanted = order.time_in_force or TimeInForce.GTC
    return "GTC" if wanted is TimeInForce.GTD else wanted.value
