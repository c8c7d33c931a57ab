"""Trading on request: everything that is signed."""

import secrets

from infra.sandbox.api.binance_json import Json, ack_view, cancel_view, full_view, order_view, result_view, trade_view
from infra.sandbox.api.params import Params, read_order
from infra.sandbox.api.routing import Call, Endpoint
from infra.sandbox.errors import ExchangeError, no_such_order, unknown_order
from infra.sandbox.fixed_point import format_units
from infra.sandbox.matching.orders import Order

MAX_ROWS = 1000
END_OF_TIME_MS = 1 << 62


def new_order(call: Call) -> Json:
    """Place an order and answer as fully as asked for."""
    request = read_order(call.params)
    kind = call.params.get("newOrderRespType") or ("FULL" if request.type in {"MARKET", "LIMIT"} else "ACK")
    if kind not in {"ACK", "RESULT", "FULL"}:
        raise ExchangeError(-1130, "Data sent for parameter 'newOrderRespType' is not valid.")
    placed = call.exchange.place(call.caller, request)
    if kind == "ACK":
        return ack_view(placed.order)
    return result_view(placed.order) if kind == "RESULT" else full_view(placed.order, placed.fills)


def test_order(call: Call) -> Json:
    """Check an order as if it were placed."""
    call.exchange.draft(call.caller, read_order(call.params))
    return {}


def query_order(call: Call) -> Json:
    """Return one order by number or client id."""
    order = _named_order(call)
    if order is None:
        raise no_such_order()
    return order_view(order)


def cancel_order(call: Call) -> Json:
    """Cancel one order by number or client id."""
    order, cancel_id = _named_order(call), call.params.client_id("newClientOrderId")
    return cancel_view(call.exchange.cancel(call.caller, call.params.required("symbol"), order, cancel_id))


def cancel_all(call: Call) -> list[Json]:
    """Cancel all open orders of a market."""
    symbol = call.params.required("symbol")
    call.exchange.market(symbol)
    orders = call.exchange.open_orders(call.caller.uid, symbol)
    if not orders:
        raise unknown_order()
    cancel_id = secrets.token_hex(11)
    return [cancel_view(call.exchange.cancel(call.caller, symbol, order, cancel_id)) for order in orders]


def open_orders(call: Call) -> list[Json]:
    """Return the open orders of a market or of all."""
    symbol = call.params.get("symbol") or None
    if symbol:
        call.exchange.market(symbol)
    return [order_view(order) for order in call.exchange.open_orders(call.caller.uid, symbol)]


def all_orders(call: Call) -> list[Json]:
    """Return orders of a market, whatever their state, oldest first."""
    symbol, params = _symbol(call), call.params
    start, end = _period(params)
    limit = params.limit(500, MAX_ROWS)
    found = call.exchange.store.orders(call.caller.uid, symbol, params.number("orderId"), start, end, limit)
    return [order_view(order) for order in found]


def my_trades(call: Call) -> list[Json]:
    """Return the account's executions in a market, oldest first."""
    symbol, params = _symbol(call), call.params
    start, end = _period(params)
    found = call.exchange.store.fills(
        call.caller.uid,
        symbol,
        order_id=params.number("orderId"),
        from_id=params.number("fromId"),
        start=start,
        end=end,
        limit=params.limit(500, MAX_ROWS),
    )
    return [trade_view(fill) for fill in found]


def account(call: Call) -> Json:
    """Return the account with its balances."""
    held = call.exchange.ledger.of(call.caller.uid)
    hide = call.params.get("omitZeroBalances") == "true"
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
        "updateTime": call.exchange.clock.now_ms(),
        "accountType": "SPOT",
        "balances": balances,
        "permissions": ["SPOT"],
        "uid": call.caller.uid,
    }


def commission(call: Call) -> Json:
    """Return the fees of a market."""
    symbol = _symbol(call)
    spec = call.exchange.markets[symbol].spec
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


def currencies(call: Call) -> list[Json]:
    """Return the assets, none of which can leave the sandbox."""
    return [{"coin": asset, "name": asset, "trading": True, "networkList": []} for asset in call.exchange.assets]


def nothing(_call: Call) -> list[Json]:
    """Return the margin markets: none."""
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
    ("GET", "/sapi/v1/margin/allPairs"): Endpoint(nothing, 1, keyed=True),
    ("GET", "/sapi/v1/margin/isolated/allPairs"): Endpoint(nothing, 10, signed=True),
}


def _symbol(call: Call) -> str:
    return call.exchange.market(call.params.required("symbol")).spec.symbol


def _named_order(call: Call) -> Order | None:
    symbol = _symbol(call)
    number, client_id = call.params.number("orderId"), call.params.get("origClientOrderId")
    if number is None and not client_id:
        raise ExchangeError(-1102, "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!")
    return call.exchange.find_order(call.caller.uid, symbol, number, client_id or None)


def _period(params: Params) -> tuple[int, int]:
    start, end = params.number("startTime") or 0, params.number("endTime")
    end = END_OF_TIME_MS if end is None else end
    if start > end:
        raise ExchangeError(-1127, "Start time is greater than end time.")
    return min(start, END_OF_TIME_MS), min(end, END_OF_TIME_MS)
