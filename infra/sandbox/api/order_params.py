"""Reads new orders from a request; missing and unneeded parameters raise Binance's errors."""

from infra.sandbox.api.params import Params
from infra.sandbox.errors import ExchangeError, MissingParameterError, OrderRejectedError, UnneededParameterError
from infra.sandbox.orders import (
    LIMIT_STOPS,
    PRICED_TYPES,
    STOP_TYPES,
    NewOrder,
    OrderType,
    SelfTrade,
    Side,
    TimeInForce,
)


def read_order(params: Params, kind: OrderType | None = None) -> NewOrder:
    """Return the requested order, of type `kind` if that isn't a parameter; raises for a missing or unneeded one."""
    symbol = params.required("symbol")
    side = params.choice("side", Side, -1117, "Invalid side.")
    kind = kind or params.choice("type", OrderType, -1116, "Invalid orderType.")
    if params.get("icebergQty"):
        raise OrderRejectedError("Iceberg orders are not supported for this symbol.")
    if params.get("trailingDelta"):
        raise OrderRejectedError("Trailing stop orders are not supported for this symbol.")
    _check_names(params, kind)
    request = NewOrder(
        symbol,
        side,
        kind,
        _time_in_force(params, kind),
        params.client_id("newClientOrderId"),
        price=params.amount("price"),
        quantity=params.amount("quantity"),
        quote_quantity=params.amount("quoteOrderQty"),
        stop_price=params.amount("stopPrice"),
        self_trade=_self_trade(params),
    )
    if kind in PRICED_TYPES and request.price == 0:
        raise ExchangeError(-1013, "Invalid price.")
    if params.get("quoteOrderQty") and request.quote_quantity == 0:
        raise ExchangeError(-1013, "Invalid quote order qty.")
    return request


def _check_names(params: Params, kind: OrderType) -> None:
    """Require what this type of order needs, and reject what it doesn't accept."""
    if kind is OrderType.MARKET:
        if bool(params.get("quantity")) == bool(params.get("quoteOrderQty")):
            raise MissingParameterError(params.name_of("quantity"))
    else:
        params.required("quantity")
        if params.get("quoteOrderQty"):
            raise UnneededParameterError("quoteOrderQty")
    for name, applies in (("price", kind in PRICED_TYPES), ("stopPrice", kind in STOP_TYPES)):
        if applies:
            params.required(name)
        elif params.get(name):
            raise UnneededParameterError(params.name_of(name))
    if params.get("timeInForce") and kind not in LIMIT_STOPS | {OrderType.LIMIT}:
        raise UnneededParameterError(params.name_of("timeInForce"))


def _time_in_force(params: Params, kind: OrderType) -> TimeInForce:
    if kind in LIMIT_STOPS or kind is OrderType.LIMIT:
        return params.choice("timeInForce", TimeInForce, -1115, "Invalid timeInForce.")
    return TimeInForce.GTC


def _self_trade(params: Params) -> SelfTrade:
    if not params.get("selfTradePreventionMode"):
        return SelfTrade.EXPIRE_MAKER
    text = "This symbol does not allow the specified self-trade prevention mode."
    return params.choice("selfTradePreventionMode", SelfTrade, -1013, text)
