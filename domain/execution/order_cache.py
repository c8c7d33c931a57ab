"""The last committed states of an account's orders, so that a report that repeats them needs no transaction."""

from collections import OrderedDict
from collections.abc import Iterable

from domain.model.orders import Order
from domain.ports.execution_client import FillReport

MAXIMUM_ORDERS = 1_000


class OrderCache:
    """The last 1,000 orders that this node has changed while it held the account's lease, with their trade ids.

    Safe as a cache because only the holder of the lease writes these orders. Exception: requests to cancel come from
    any node; no report of a venue depends on them.
    """

    def __init__(self) -> None:
        self._orders: OrderedDict[str, Order] = OrderedDict()
        self._trade_ids: dict[str, set[str]] = {}

    def put(self, order: Order, trade_ids: Iterable[str]) -> None:
        """Store an order as it was committed, and the venue's ids of trades that are counted in it."""
        key = order.client_order_id
        self._orders[key] = order
        self._orders.move_to_end(key)
        self._trade_ids.setdefault(key, set()).update(trade_ids)
        if len(self._orders) > MAXIMUM_ORDERS:
            oldest, _ = self._orders.popitem(last=False)
            del self._trade_ids[oldest]

    def get(self, client_order_id: str) -> Order | None:
        """Return the order as it was last committed; None if it isn't cached."""
        return self._orders.get(client_order_id)

    def has_fills(self, client_order_id: str, fills: Iterable[FillReport]) -> bool:
        """Return whether all of `fills` are known to be counted in the order."""
        trade_ids = self._trade_ids.get(client_order_id, set())
        return all(fill.venue_trade_id in trade_ids for fill in fills)
