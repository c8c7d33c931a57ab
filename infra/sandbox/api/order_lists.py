"""The signed requests of order lists."""

from collections.abc import Callable

from infra.sandbox.api.binance_json import Json, cancelled_list_json, list_json, placed_json
from infra.sandbox.api.list_params import read_oco, read_old_oco, read_oto, read_otoco
from infra.sandbox.api.orders import MAX_ROWS, RESPONSE_KINDS
from infra.sandbox.api.params import Params
from infra.sandbox.api.routing import RequestContext
from infra.sandbox.errors import ExchangeError
from infra.sandbox.matching.list_entry import cancel_list, place_list
from infra.sandbox.order_lists import ListReport, NewOrderList, OrderList


def new_oco(context: RequestContext) -> Json:
    """Place two orders of which one ends the other."""
    return _place(context, read_oco)


def new_oto(context: RequestContext) -> Json:
    """Place an order, and another once it is filled."""
    return _place(context, read_oto)


def new_otoco(context: RequestContext) -> Json:
    """Place an order, and two once it is filled, of which one ends the other."""
    return _place(context, read_otoco)


def new_old_oco(context: RequestContext) -> Json:
    """Place two orders of which one ends the other, by the names of Binance's older request."""
    return _place(context, read_old_oco)


def cancel(context: RequestContext) -> Json:
    """Cancel all orders of a list."""
    symbol, found = context.listed_symbol, _named_list(context, "listClientOrderId")
    opened = None
    if found is not None and found.symbol == symbol:
        opened = next((each for each in context.exchange.lists.open_lists(found.uid) if each.info.id == found.id), None)
    cancel_id = context.params.client_id("newClientOrderId")
    return cancelled_list_json(cancel_list(context.exchange, context.caller, opened, cancel_id))


def query(context: RequestContext) -> Json:
    """Return one list by number or client id."""
    found = _named_list(context, "origClientOrderId")
    if found is None:
        raise ExchangeError(-2018, "Order list does not exist.")
    return list_json(_report(context, found))


def open_lists(context: RequestContext) -> list[Json]:
    """Return the lists with open orders."""
    return [list_json(opened.report()) for opened in context.exchange.lists.open_lists(context.caller.uid)]


def all_lists(context: RequestContext) -> list[Json]:
    """Return lists, whatever their state, oldest first."""
    params = context.params
    first, (start, end) = params.number("fromId"), params.period()
    if first is not None and (params.get("startTime") or params.get("endTime")):
        raise ExchangeError(-1128, "Combination of optional parameters invalid.")
    limit = params.limit(500, MAX_ROWS)
    found = context.exchange.store.lists(context.caller.uid, first, start, end, limit)
    return [list_json(_report(context, kept)) for kept in found]


def _place(context: RequestContext, read: Callable[[Params], NewOrderList]) -> Json:
    kind = context.params.get("newOrderRespType") or "RESULT"
    if kind not in RESPONSE_KINDS:
        raise ExchangeError(-1130, "Data sent for parameter 'newOrderRespType' is not valid.")
    placed = place_list(context.exchange, context.caller, read(context.params))
    report = ListReport(placed.info, tuple(each.order for each in placed.placed))
    return list_json(report) | {"orderReports": [placed_json(each, kind) for each in placed.placed]}


def _named_list(context: RequestContext, client_id_name: str) -> OrderList | None:
    number, client_id = context.params.number("orderListId"), context.params.get(client_id_name)
    if number is None and not client_id:
        text = f"Param '{client_id_name}' or 'orderListId' must be sent, but both were empty/null!"
        raise ExchangeError(-1102, text)
    store, uid = context.exchange.store, context.caller.uid
    return store.list_by_client_id(uid, client_id) if number is None else store.list_by_id(uid, number)


def _report(context: RequestContext, kept: OrderList) -> ListReport:
    return ListReport(kept, tuple(context.exchange.store.orders_of_list(kept.id)))
