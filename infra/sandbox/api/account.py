"""The signed requests: orders and the account."""

import secrets

from infra.sandbox.api.binance_json import Json, ack_json, cancel_json, fill_json, full_json, order_json, result_json
from infra.sandbox.api.params import Params, read_order
from infra.sandbox.api.routing import Endpoint, RequestContext
from infra.sandbox.errors import ExchangeError, no_such_order, unknown_order
from infra.sandbox.fixed_point import format_units
from infra.sandbox.orders import Order

MAX_ROWS = 1000
END_OF_TIME_MS = 1 << 62


def new_order(context: RequestContext) -> Json:
    """Place an order and answer as fully as `newOrderRespType` requests."""
    request = read_order(context.params)
    kind = context.params.get("newOrderRespType") or ("FULL" if request.type in {"MARKET", "LIMIT"} else "ACK")
    if kind not in {"ACK", "RESULT", "FULL"}:
        raise ExchangeError(-1130, "Data sent for parameter 'newOrderRespType' is not valid.")
    placed = context.exchange.place(context.caller, request)
    if kind == "ACK":
        return ack_json(placed.order)
    return result_json(placed.order) if kind == "RESULT" else full_json(placed.order, placed.fills)


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
    """Cancel one order by number or client id."""
    order, cancel_id = _named_order(context), context.params.client_id("newClientOrderId")
    return cancel_json(context.exchange.cancel(context.caller, context.params.required("symbol"), order, cancel_id))


def cancel_all(context: RequestContext) -> list[Json]:
    """Cancel all open orders of a market."""
    symbol = context.params.required("symbol")
    context.exchange.market(symbol)
    orders = context.exchange.open_orders(context.caller.uid, symbol)
    if not orders:
        raise unknown_order()
    cancel_id = secrets.token_hex(11)
    return [cancel_json(context.exchange.cancel(context.caller, symbol, order, cancel_id)) for order in orders]


def open_orders(context: RequestContext) -> list[Json]:
    """Return the open orders of a market or of all."""
    symbol = context.params.get("symbol") or None
    if symbol:
        context.exchange.market(symbol)
    return [order_json(order) for order in context.exchange.open_orders(context.caller.uid, symbol)]


def all_orders(context: RequestContext) -> list[Json]:
    """Return orders of a market, whatever their state, oldest first."""
    symbol, params = _symbol(context), context.params
    start, end = _period(params)
    limit = params.limit(500, MAX_ROWS)
    found = context.exchange.store.orders(context.caller.uid, symbol, params.number("orderId"), start, end, limit)
    return [order_json(order) for order in found]


def my_trades(context: RequestContext) -> list[Json]:
    """Return the account's executions in a market, oldest first."""
    symbol, params = _symbol(context), context.params
    start, end = _period(params)
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


def account(context: RequestContext) -> Json:
    """Return the account with its balances."""
    held = context.exchange.ledger.balances_of(context.caller.uid)
    hide = context.params.get("omitZeroBalances") == "true"
    balances = [
        {"asset": asset, "free": format_units(balance.free), "locked": format_units(balance.locked)}
        for asset, balance in sorted(held.items())
        if not hide or balance.free or balance.locked
    ]
    rates = dict.fromkeys(("buyer", "seller"), "0.00000000") | dict.fromkeys(("maker", "taker"), "0.00100000")
    return {
        "makerCommission": 10,
        "takerCommission": 10,
        "buyerCommission": 0,
        "sellerCommission": 0,
        "commissionRates": rates,
        "canTrade": True,
        "canWithdraw": False,
        "canDeposit": False,
        "brokered": False,
        "requireSelfTradePrevention": False,
        "preventSor": False,
        "updateTime": context.exchange.clock.now_ms(),
        "accountType": "SPOT",
        "balances": balances,
        "permissions": ["SPOT"],
        "uid": context.caller.uid,
    }


def commission(context: RequestContext) -> Json:
    """Return the fees of a market."""
    symbol = _symbol(context)
    spec = context.exchange.markets[symbol].spec
    fees = {"maker": format_units(spec.maker_fee), "taker": format_units(spec.taker_fee)}
    rates = fees | dict.fromkeys(("buyer", "seller"), "0.00000000")
    free = dict.fromkeys(rates, "0.00000000")
    discount = {"enabledForAccount": False, "enabledForSymbol": False, "discountAsset": "BNB", "discount": "0.75"}
    return {
        "symbol": symbol,
        "standardCommission": rates,
        "specialCommission": free,
        "taxCommission": free,
        "discount": discount,
    }


def currencies(context: RequestContext) -> list[Json]:
    """Return the assets; none can be withdrawn."""
    return [{"coin": asset, "name": asset, "trading": True, "networkList": []} for asset in context.exchange.assets]


def no_margin_markets(_context: RequestContext) -> list[Json]:
    """Return no margin markets."""
    return []


PRIVATE: dict[tuple[str, str], Endpoint] = {
    ("POST", "/api/v3/order"): Endpoint(new_order, 1, signed=True, places_order=True),
    ("POST", "/api/v3/order/test"): Endpoint(test_order, 1, signed=True),
    ("GET", "/api/v3/order"): Endpoint(query_order, 4, signed=True),
    ("DELETE", "/api/v3/order"): Endpoint(cancel_order, 1, signed=True),
    ("GET", "/api/v3/openOrders"): Endpoint(open_orders, 6, signed=True),
    ("DELETE", "/api/v3/openOrders"): Endpoint(cancel_all, 1, signed=True),
    ("GET", "/api/v3/allOrders"): Endpoint(all_orders, 20, signed=True),
    ("GET", "/api/v3/myTrades"): Endpoint(my_trades, 20, signed=True),
    ("GET", "/api/v3/account"): Endpoint(account, 20, signed=True),
    ("GET", "/api/v3/account/commission"): Endpoint(commission, 20, signed=True),
    ("GET", "/sapi/v1/capital/config/getall"): Endpoint(currencies, 10, signed=True),
    ("GET", "/sapi/v1/margin/allPairs"): Endpoint(no_margin_markets, 1, keyed=True),
    ("GET", "/sapi/v1/margin/isolated/allPairs"): Endpoint(no_margin_markets, 10, signed=True),
}


def _symbol(context: RequestContext) -> str:
    return context.exchange.market(context.params.required("symbol")).spec.symbol


def _named_order(context: RequestContext) -> Order | None:
    symbol = _symbol(context)
    number, client_id = context.params.number("orderId"), context.params.get("origClientOrderId")
    if number is None and not client_id:
        raise ExchangeError(-1102, "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!")
    return context.exchange.find_order(context.caller.uid, symbol, number, client_id or None)


def _period(params: Params) -> tuple[int, int]:
    start, end = params.number("startTime") or 0, params.number("endTime")
    end = END_OF_TIME_MS if end is None else end
    if start > end:
        raise ExchangeError(-1127, "Start time is greater than end time.")
    return min(start, END_OF_TIME_MS), min(end, END_OF_TIME_MS)
