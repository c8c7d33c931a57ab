"""The ways in which venues are asked for an order by its client order id."""

from collections.abc import Iterable

from domain.model.orders import Order
from infra.venues.ccxt.conversion import CcxtStructure, CcxtValue
from infra.venues.ccxt.profiles.profile import OrderLookup

PAGE = 100
MAXIMUM_PAGES = 50


def by_request(parameter: str) -> OrderLookup:
    """Return a lookup by ccxt's `fetch_order`, which has the id in `parameter`."""

    async def find(exchange: CcxtValue, order: Order, client_order_id: str, _since_ms: int) -> CcxtStructure | None:
        found: CcxtStructure = await exchange.fetch_order(None, order.market.symbol, {parameter: client_order_id})
        return found

    return find


def in_lists(parameter: str, *calls: str) -> OrderLookup:
    """Return a lookup in lists that the venue filters by `parameter`: open orders first, since orders only end."""

    async def find(exchange: CcxtValue, order: Order, client_order_id: str, _since_ms: int) -> CcxtStructure | None:
        for call in calls:
            listed = await getattr(exchange, call)(order.market.symbol, params={parameter: client_order_id})
            if (found := _with_id(listed, client_order_id)) is not None:
                return found
        return None

    return find


async def by_paging(exchange: CcxtValue, order: Order, client_order_id: str, since_ms: int) -> CcxtStructure | None:
    """Look through all orders since the order was created, or ask by the venue's id if it is known."""
    if order.venue_order_id is not None:
        known: CcxtStructure = await exchange.fetch_order(order.venue_order_id, order.market.symbol)
        return known
    cursor = ""
    for _ in range(MAXIMUM_PAGES):
        listed = await exchange.fetch_orders(order.market.symbol, since_ms, PAGE, {"cursor": cursor} if cursor else {})
        if (found := _with_id(listed, client_order_id)) is not None:
            return found
        following = next((str(each["info"]["cursor"]) for each in listed if each["info"].get("cursor")), "")
        if not following or following == cursor:
            return None
        cursor = following
    raise ValueError(f"more than {MAXIMUM_PAGES * PAGE} orders since the order was sent")


def _with_id(listed: Iterable[CcxtStructure], client_order_id: str) -> CcxtStructure | None:
    """Return the order with the id: a venue that ignores the filter lists the orders of others too."""
    return next((each for each in listed if each.get("clientOrderId") == client_order_id), None)
