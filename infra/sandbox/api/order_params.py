"""Reads new orders from a request; missing and unneeded parameters raise Binance's errors."""

from infra.sandbox.api.params import Params
from infra.sandbox.errors import (
    ExchangeError,
    FilterFailureError,
    MissingParameterError,
    OrderRejectedError,
    UnneededParameterError,
)
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

LEAST_STRATEGY_TYPE = 1_000_000


def read_order(params: Params, kind: OrderType | None = None) -> NewOrder:
    """Return the requested order, of type `kind` if that isn't a parameter; raises for a missing or unneeded one."""
    symbol = params.required("symbol")
    side = params.choice("side", Side, -1117, "Invalid side.")
    kind = kind or params.choice("type", OrderType, -1116, "Invalid orderType.")
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
        trailing_delta=_trailing_delta(params),
        iceberg=params.amount("icebergQty"),
        strategy_id=_or_none(params.number("strategyId")),
        strategy_type=_or_none(params.number("strategyType")),
    )
    if request.iceberg:
        _check_iceberg(params, request)
    if 0 <= request.strategy_type < LEAST_STRATEGY_TYPE:
        raise ExchangeError(-1134, "strategyType was less than 1000000.")
    if kind in PRICED_TYPES and request.price == 0:
        raise ExchangeError(-1013, "Invalid price.")
    if params.get("quoteOrderQty") and request.quote_quantity == 0:
        raise ExchangeError(-1013, "Invalid quote order qty.")
    return request


def _check_names(params: Params, kind: OrderType) -> None:
    """Require what this type of order needs, and reject what it doesn't accept."""
    is_stop = kind in STOP_TYPES
    if kind is OrderType.MARKET:
        if bool(params.get("quantity")) == bool(params.get("quoteOrderQty")):
            raise MissingParameterError(params.name_of("quantity"))
    else:
        params.required("quantity")
        if params.get("quoteOrderQty"):
            raise UnneededParameterError("quoteOrderQty")
    for name, applies in (("price", kind in PRICED_TYPES), ("stopPrice", is_stop), ("trailingDelta", is_stop)):
        if not applies and params.get(name):
            raise UnneededParameterError(params.name_of(name))
    if kind in PRICED_TYPES:
        params.required("price")
    if is_stop and not (params.get("stopPrice") or params.get("trailingDelta")):
        names = f"'{params.name_of('stopPrice')}' or '{params.name_of('trailingDelta')}'"
        raise ExchangeError(-1102, f"Param {names} must be sent, but both were empty/null!")
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


def _trailing_delta(params: Params) -> int:
    delta = params.number("trailingDelta")
    if delta == 0:
        raise FilterFailureError("TRAILING_DELTA")
    return delta or 0


def _check_iceberg(params: Params, request: NewOrder) -> None:
    """Raise unless an order of this type, quantity and time in force may be shown in pieces."""
    name = params.name_of("icebergQty")
    if request.type not in PRICED_TYPES:
        raise UnneededParameterError(name)
    if request.time_in_force is not TimeInForce.GTC:
        if params.name_of("timeInForce") == "timeInForce":
            raise ExchangeError(-1014, "Unsupported order combination.")
        text = f"Parameter '{name}' is not supported if '{params.name_of('timeInForce')}' is not GTC."
        raise ExchangeError(-1160, text)
    if request.iceberg > request.quantity:
        raise OrderRejectedError("IcebergQty exceeds QTY.")


def _or_none(number: int | None) -> int:
    """Return a number as an order keeps it: -1 if none was sent."""
    return -1 if number is None else number
