"""The last committed states of an account's orders, so that a report that repeats them needs no transaction."""

from collections.abc import Iterable

from cachetools import LRUCache

from domain.model.orders import Order
from domain.ports.execution_client import FillReport

MAXIMUM_ORDERS = 200
"""Of one account: reports repeat what has just happened, and some 2 kB an order add up over many accounts."""


class OrderCache:
    """The 200 orders last used that this node has changed while it held the account's lease, with their trade ids.

    Safe as a cache because only the holder of the lease writes these orders. Exception: requests to cancel come from
    any node; no report of a venue depends on them.
    """

    def __init__(self) -> None:
        self._entries: LRUCache[str, tuple[Order, set[str]]] = LRUCache(MAXIMUM_ORDERS)

    def put(self, order: Order, trade_ids: Iterable[str]) -> None:
        """Store an order as it was committed, and the venue's ids of trades that are counted in it."""
        _, known_trade_ids = self._entries.get(order.client_order_id, (order, set[str]()))
        known_trade_ids.update(trade_ids)
        self._entries[order.client_order_id] = order, known_trade_ids

    def get(self, client_order_id: str) -> Order | None:
        """Return the order as it was last committed; None if it isn't cached."""
        entry = self._entries.get(client_order_id)
        return None if entry is None else entry[0]

    def has_fills(self, client_order_id: str, fills: Iterable[FillReport]) -> bool:
        """Return whether all of `fills` are known to be counted in the order."""
        entry = self._entries.get(client_order_id)
        return all(entry is not None and fill.venue_trade_id in entry[1] for fill in fills)
