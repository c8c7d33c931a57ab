"""What was committed of an account's orders lately, so that a message that repeats it needs no transaction."""

from collections import OrderedDict
from collections.abc import Iterable

from domain.orders.types import Order
from domain.orders.venue import VenueFill

_MOST = 1_000
_MOST_FINISHED = 50
"""A venue repeats the end of an order within moments; later repetitions are rare, and cost a transaction."""


class RecentOrders:
    """The newest states of the last 1,000 orders that the holder of the account's lease has moved, and their trades.

    Of those that have ended the last 50 are kept: an account that trades all day must not grow all day.
    All that is stored is there because this node committed it, so a message that says the same can be passed over. A
    request to cancel is the one thing that others write; no message of a venue depends on it.
    """

    def __init__(self) -> None:
        self._orders: OrderedDict[str, Order] = OrderedDict()
        self._trades: dict[str, set[str]] = {}
        self._finished: OrderedDict[str, None] = OrderedDict()

    def keep(self, order: Order, trades: Iterable[str]) -> None:
        """Take over an order as it was committed, with trades of it that are counted."""
        key = order.client_order_id
        self._orders[key] = order
        self._orders.move_to_end(key)
        self._trades.setdefault(key, set()).update(trades)
        self._finished.pop(key, None)
        if order.status.is_final:
            self._finished[key] = None
        if len(self._finished) > _MOST_FINISHED:
            self._forget(next(iter(self._finished)))
        if len(self._orders) > _MOST:
            self._forget(next(iter(self._orders)))

    def get(self, client_order_id: str) -> Order | None:
        """Return the order as it was committed last."""
        return self._orders.get(client_order_id)

    def counted(self, client_order_id: str, fills: Iterable[VenueFill]) -> bool:
        """Tell whether all of `fills` are counted already."""
        trades = self._trades.get(client_order_id, set())
        return all(fill.venue_trade_id in trades for fill in fills)

    def _forget(self, client_order_id: str) -> None:
        del self._orders[client_order_id], self._trades[client_order_id]
        self._finished.pop(client_order_id, None)
