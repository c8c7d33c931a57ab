"""Every request by its address on REST, and by its method on the WebSocket API, with Binance's weights."""

from infra.sandbox.api import account, order_lists, orders
from infra.sandbox.api.market import PUBLIC
from infra.sandbox.api.routing import Endpoint

PRIVATE: dict[tuple[str, str], Endpoint] = {
    ("POST", "/api/v3/order"): Endpoint(orders.new_order, 1, signed=True, new_orders=1),
    ("POST", "/api/v3/order/test"): Endpoint(orders.test_order, 1, signed=True),
    ("GET", "/api/v3/order"): Endpoint(orders.query_order, 4, signed=True),
    ("DELETE", "/api/v3/order"): Endpoint(orders.cancel_order, 1, signed=True),
    ("POST", "/api/v3/order/cancelReplace"): Endpoint(orders.replace_order, 1, signed=True, new_orders=1),
    ("PUT", "/api/v3/order/amend/keepPriority"): Endpoint(orders.amend_order, 4, signed=True),
    ("GET", "/api/v3/order/amendments"): Endpoint(orders.amendments, 4, signed=True),
    ("GET", "/api/v3/myPreventedMatches"): Endpoint(orders.prevented_matches, 10, signed=True),
    ("GET", "/api/v3/openOrders"): Endpoint(orders.open_orders, 6, signed=True),
    ("DELETE", "/api/v3/openOrders"): Endpoint(orders.cancel_all, 1, signed=True),
    ("GET", "/api/v3/allOrders"): Endpoint(orders.all_orders, 20, signed=True),
    ("GET", "/api/v3/myTrades"): Endpoint(orders.my_trades, 20, signed=True),
    ("POST", "/api/v3/orderList/oco"): Endpoint(order_lists.new_oco, 1, signed=True, new_orders=2),
    ("POST", "/api/v3/orderList/oto"): Endpoint(order_lists.new_oto, 1, signed=True, new_orders=2),
    ("POST", "/api/v3/orderList/otoco"): Endpoint(order_lists.new_otoco, 1, signed=True, new_orders=3),
    ("POST", "/api/v3/order/oco"): Endpoint(order_lists.new_old_oco, 1, signed=True, new_orders=2),
    ("GET", "/api/v3/orderList"): Endpoint(order_lists.query, 4, signed=True),
    ("DELETE", "/api/v3/orderList"): Endpoint(order_lists.cancel, 1, signed=True),
    ("GET", "/api/v3/openOrderList"): Endpoint(order_lists.open_lists, 6, signed=True),
    ("GET", "/api/v3/allOrderList"): Endpoint(order_lists.all_lists, 20, signed=True),
    ("GET", "/api/v3/account"): Endpoint(account.account, 20, signed=True),
    ("GET", "/api/v3/account/commission"): Endpoint(account.commission, 20, signed=True),
    ("GET", "/sapi/v1/capital/config/getall"): Endpoint(account.currencies, 10, signed=True),
    ("GET", "/sapi/v1/margin/allPairs"): Endpoint(account.no_margin_markets, 1, keyed=True),
    ("GET", "/sapi/v1/margin/isolated/allPairs"): Endpoint(account.no_margin_markets, 10, signed=True),
}
ROUTES: dict[tuple[str, str], Endpoint] = {
    ("GET", f"/api/v3/{name}"): endpoint for name, endpoint in PUBLIC.items()
} | PRIVATE
METHODS: dict[str, Endpoint] = {
    method: ROUTES[verb, f"/api/v3/{path}"]
    for method, verb, path in (
        ("ping", "GET", "ping"),
        ("time", "GET", "time"),
        ("exchangeInfo", "GET", "exchangeInfo"),
        ("depth", "GET", "depth"),
        ("trades.recent", "GET", "trades"),
        ("trades.aggregate", "GET", "aggTrades"),
        ("klines", "GET", "klines"),
        ("avgPrice", "GET", "avgPrice"),
        ("ticker.24hr", "GET", "ticker/24hr"),
        ("ticker.price", "GET", "ticker/price"),
        ("ticker.book", "GET", "ticker/bookTicker"),
        ("order.place", "POST", "order"),
        ("order.test", "POST", "order/test"),
        ("order.status", "GET", "order"),
        ("order.cancel", "DELETE", "order"),
        ("order.cancelReplace", "POST", "order/cancelReplace"),
        ("order.amend.keepPriority", "PUT", "order/amend/keepPriority"),
        ("order.amendments", "GET", "order/amendments"),
        ("myPreventedMatches", "GET", "myPreventedMatches"),
        ("openOrders.status", "GET", "openOrders"),
        ("openOrders.cancelAll", "DELETE", "openOrders"),
        ("orderList.place", "POST", "order/oco"),
        ("orderList.place.oco", "POST", "orderList/oco"),
        ("orderList.place.oto", "POST", "orderList/oto"),
        ("orderList.place.otoco", "POST", "orderList/otoco"),
        ("orderList.status", "GET", "orderList"),
        ("orderList.cancel", "DELETE", "orderList"),
        ("openOrderLists.status", "GET", "openOrderList"),
        ("allOrders", "GET", "allOrders"),
        ("allOrderLists", "GET", "allOrderList"),
        ("myTrades", "GET", "myTrades"),
        ("account.status", "GET", "account"),
        ("account.commission", "GET", "account/commission"),
    )
}
