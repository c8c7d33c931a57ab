"""Places and cancels lists of orders: all of a list's orders are accepted, or none."""

from infra.sandbox.errors import OrderRejectedError, unknown_order
from infra.sandbox.matching.admission import (
    check_client_id,
    check_funds,
    check_pair_prices,
    check_price,
)
from infra.sandbox.matching.exchange import Exchange
from infra.sandbox.matching.filters import check_filters, check_list_count
from infra.sandbox.matching.open_lists import OpenList
from infra.sandbox.order_lists import Contingency, ListReport, NewOrderList, OrderList, PlacedList
from infra.sandbox.orders import Order, PlacedOrder, Status
from infra.sandbox.state.store import Account


def place_list(exchange: Exchange, account: Account, request: NewOrderList) -> PlacedList:
    """Accept, match and store the orders of a list; raises the error that Binance would answer with."""
    entry, market = exchange.entry, exchange.tradable_market(request.symbol)
    orders = [entry.draft(account.uid, order) for order in request.orders]
    starting = _check(exchange, request, orders)
    pending = orders[len(starting) :]
    for order in pending:
        order.status = Status.PENDING_NEW
    for order in orders:
        entry.register(order)
    now = exchange.clock.now_ms()
    described = OrderList(0, account.uid, request.symbol, request.client_id, request.contingency, now, now)
    opened = exchange.lists.add(described, orders)
    entry.lock_funds(market, starting)
    for order in orders:
        entry.announce(market, order)
    exchange.lists.publish(opened)
    placed = [entry.match(market, order) for order in starting] + [PlacedOrder(order.copy()) for order in pending]
    answer = PlacedList(opened.report().info, tuple(placed))
    exchange.flush()
    return answer


def cancel_list(exchange: Exchange, account: Account, opened: OpenList | None, cancel_id: str) -> ListReport:
    """Cancel all open orders of a list; raises -2011 unless the list is open."""
    if opened is None or opened.info.uid != account.uid:
        raise unknown_order()
    for order in opened.orders:
        if order.is_open:
            exchange.close_order(account, order.symbol, order, cancel_id)
    exchange.flush()
    return opened.report()


def _check(exchange: Exchange, request: NewOrderList, orders: list[Order]) -> list[Order]:
    """Raise if one of the orders can't be placed; return those that start at once."""
    market, uid = exchange.market(request.symbol), orders[0].uid
    mine = exchange.open_orders(uid, request.symbol)
    lists = exchange.lists.open_lists(uid)
    if any(opened.info.client_id == request.client_id for opened in lists):
        raise OrderRejectedError("Duplicate order sent.")
    check_list_count(market.spec, sum(opened.info.symbol == request.symbol for opened in lists))
    for order in orders:
        check_filters(market, exchange.ledger, order, mine)
        check_client_id(order, mine)
        mine.append(order)
    if request.contingency is Contingency.OCO:
        check_pair_prices(market, orders)
    starting = orders if request.contingency is Contingency.OCO else orders[:1]
    for order in starting:
        check_price(market, order)
    check_funds(market, exchange.matcher, starting)
    return starting
