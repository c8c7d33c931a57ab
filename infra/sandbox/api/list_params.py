"""Reads new lists of orders: OCO, OTO and OTOCO, whose orders' parameters have prefixes.

Source: developers.binance.com/docs/binance-spot-api-docs/rest-api/trading-endpoints, "Order lists".
"""

from infra.sandbox.api.order_params import read_order
from infra.sandbox.api.params import Params
from infra.sandbox.errors import ExchangeError
from infra.sandbox.order_lists import NewOrderList
from infra.sandbox.orders import STOP_LOSSES, NewOrder, OrderType, Side

OCO_TYPES = frozenset(OrderType) - {OrderType.LIMIT, OrderType.MARKET}
WORKING_TYPES = frozenset({OrderType.LIMIT, OrderType.LIMIT_MAKER})
OWN_NAMES = ("type", "price", "stopPrice", "trailingDelta", "icebergQty", "timeInForce", "strategyId", "strategyType")
"""What each order of a list has of its own, under the name of a single order."""
STOP_LOSS_MISPLACED = {
    Side.BUY: (-1196, "A stop loss order in a buy OCO must be above."),
    Side.SELL: (-1197, "A stop loss order in a sell OCO must be below."),
}
LIMIT_MISPLACED = {
    Side.BUY: (-1165, "A limit order in a buy OCO must be below."),
    Side.SELL: (-1166, "A limit order in a sell OCO must be above."),
}
TAKE_PROFIT_MISPLACED = {
    Side.BUY: (-1198, "A take profit order in a buy OCO must be below."),
    Side.SELL: (-1199, "A take profit order in a sell OCO must be above."),
}


def read_oco(params: Params) -> NewOrderList:
    """Return the list of `orderList/oco`."""
    above, below = (read_order(_part(params, prefix)) for prefix in ("above", "below"))
    return _list(params, None, _pair(above, below))


def read_oto(params: Params) -> NewOrderList:
    """Return the list of `orderList/oto`."""
    pending = read_order(_part(params, "pending", side="pendingSide", quantity="pendingQuantity"))
    return _list(params, _working(params), (pending,))


def read_otoco(params: Params) -> NewOrderList:
    """Return the list of `orderList/otoco`."""
    above, below = (
        read_order(_part(params, prefix, side="pendingSide", quantity="pendingQuantity"))
        for prefix in ("pendingAbove", "pendingBelow")
    )
    return _list(params, _working(params), _pair(above, below))


def read_old_oco(params: Params) -> NewOrderList:
    """Return the list of `order/oco`, which Binance keeps for old clients."""
    limit = params.renamed({
        "newClientOrderId": "limitClientOrderId", "icebergQty": "limitIcebergQty", "strategyId": "limitStrategyId",
        "strategyType": "limitStrategyType", "stopPrice": "", "trailingDelta": "", "timeInForce": "",
        "quoteOrderQty": "",
    })  # fmt: skip
    stop = params.renamed({
        "newClientOrderId": "stopClientOrderId", "icebergQty": "stopIcebergQty", "strategyId": "stopStrategyId",
        "strategyType": "stopStrategyType", "price": "stopLimitPrice", "timeInForce": "stopLimitTimeInForce",
        "quoteOrderQty": "",
    })  # fmt: skip
    kind = OrderType.STOP_LOSS_LIMIT if params.get("stopLimitPrice") else OrderType.STOP_LOSS
    return _list(params, None, (read_order(stop, kind), read_order(limit, OrderType.LIMIT_MAKER)))


def _list(params: Params, working: NewOrder | None, rest: tuple[NewOrder, ...]) -> NewOrderList:
    return NewOrderList(params.required("symbol"), params.client_id("listClientOrderId"), working, rest)


def _part(params: Params, prefix: str, *, side: str = "side", quantity: str = "quantity") -> Params:
    names = {name: prefix + name[0].upper() + name[1:] for name in OWN_NAMES}
    names |= {"newClientOrderId": f"{prefix}ClientOrderId", "side": side, "quantity": quantity, "quoteOrderQty": ""}
    return params.renamed(names)


def _working(params: Params) -> NewOrder:
    order = read_order(_part(params, "working", side="workingSide", quantity="workingQuantity"))
    if order.type not in WORKING_TYPES:
        raise ExchangeError(-1116, "Invalid orderType.")
    return order


def _pair(above: NewOrder, below: NewOrder) -> tuple[NewOrder, NewOrder]:
    """Return the two orders of an OCO, the stop first; raise for types that aren't one on each side of the price."""
    if not {above.type, below.type} <= OCO_TYPES:
        raise ExchangeError(-1158, "Order type not supported in OCO.")
    if above.type is below.type is OrderType.LIMIT_MAKER:
        raise ExchangeError(-1168, "At least one OCO order must be contingent.")
    stop, other = (above, below) if above.side is Side.BUY else (below, above)
    for is_misplaced, errors in (
        (stop.type is OrderType.LIMIT_MAKER, LIMIT_MISPLACED),
        (other.type in STOP_LOSSES, STOP_LOSS_MISPLACED),
        (stop.type not in STOP_LOSSES, TAKE_PROFIT_MISPLACED),
    ):
        if is_misplaced:
            raise ExchangeError(*errors[above.side])
    return stop, other
