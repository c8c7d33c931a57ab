"""Reduces the quantity of an open order, which keeps its place in the queue.

Source: developers.binance.com/docs/binance-spot-api-docs/faqs/order_amend_keep_priority.
"""

from dataclasses import dataclass

from infra.sandbox.errors import AmendRejectedError, ExchangeError
from infra.sandbox.matching.admission import check_client_id
from infra.sandbox.matching.exchange import Exchange
from infra.sandbox.matching.filters import check_size
from infra.sandbox.matching.matcher import Execution
from infra.sandbox.matching.open_lists import OpenList
from infra.sandbox.order_lists import ListReport
from infra.sandbox.orders import Amendment, Order
from infra.sandbox.state.store import Account


@dataclass(frozen=True, slots=True)
class AmendReport:
    """The answer to an amendment: the order, and its list if it has one."""

    amendment: Amendment
    order: Order
    order_list: ListReport | None


def amend(exchange: Exchange, account: Account, order: Order | None, quantity: int, client_id: str) -> AmendReport:
    """Reduce an order to `quantity`, and the other order of its pair; raises -2038 if it can't be."""
    if order is None or not order.is_open or order.uid != account.uid:
        raise AmendRejectedError("Unknown order sent.")
    _check(exchange, order, quantity, client_id)
    opened = exchange.lists.of(order)
    together = _pair(opened, order)
    amendments = [
        _reduce(exchange, each, quantity, client_id if each is order else each.client_id) for each in together
    ]
    market = exchange.markets[order.symbol]
    if not order.is_pending:
        exchange.entry.reduce_lock(market, together)
    for each in together:
        exchange.store.save_order(each)
    for each, amendment in zip(together, amendments, strict=True):
        exchange.matcher.on_execution(Execution(each, "REPLACED", old_client_id=amendment.old_client_id))
    if opened is not None and amendments[0].old_client_id != client_id:
        exchange.lists.publish(opened, is_renamed=True)
    report = AmendReport(amendments[0], order.copy(), None if opened is None else opened.report())
    exchange.flush()
    return report


def _check(exchange: Exchange, order: Order, quantity: int, client_id: str) -> None:
    if quantity <= 0:
        raise ExchangeError(-1013, "Invalid quantity.")
    if quantity == order.quantity:
        raise AmendRejectedError("The requested action would change no state; rejecting.")
    if quantity > order.quantity:
        raise AmendRejectedError("Order amend (quantity increase) is not supported.")
    if quantity <= order.executed:
        raise AmendRejectedError("Order amend (quantity below what has traded) is not supported.")
    market = exchange.markets[order.symbol]
    if exchange.store.history.amendment_count(order.id) >= market.spec.max_amends:
        raise AmendRejectedError("Filter failure: MAX_NUM_ORDER_AMENDS")
    if client_id != order.client_id:
        renamed = order.copy()
        renamed.client_id = client_id
        check_client_id(renamed, exchange.open_orders(order.uid, order.symbol))
    reduced = order.copy()
    reduced.quantity = quantity
    check_size(market, reduced)


def _pair(opened: OpenList | None, order: Order) -> list[Order]:
    """Return the order, and the other order of an OCO's undecided pair, which always has the same quantity."""
    if opened is None or opened.is_decided or order is opened.working:
        return [order]
    return [order, *(other for other in opened.rest if other is not order)]


def _reduce(exchange: Exchange, order: Order, quantity: int, client_id: str) -> Amendment:
    now, history = exchange.clock.now_ms(), exchange.store.history
    amendment = Amendment(history.last_amendment() + 1, order.uid, order.symbol, order.id, order.client_id, client_id,
                          order.quantity, quantity, now)  # fmt: skip
    history.add_amendment(amendment)
    if not order.waiting and not order.is_pending:
        exchange.markets[order.symbol].book.reduce(order, order.quantity - quantity)
    order.quantity, order.client_id, order.updated_ms = quantity, client_id, now
    order.iceberg = min(order.iceberg, quantity)
    return amendment
