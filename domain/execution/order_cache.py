"""What was committed of an account's orders lately, so that a message that repeats it needs no transaction."""

from collections import OrderedDict
from collections.abc import Iterable

from domain.model.orders import Order
from domain.ports.execution_client import FillReport

_MOST = 1_000


class OrderCache:
    """The newest states of the last 1,000 orders that the holder of the account's lease has moved, and their trades.

    All that is stored is there because this node committed it, so a message that says the same can be passed over. A
    request to cancel is the one thing that others write; no message of a venue depends on it.
    """

    def __init__(self) -> None:
        self._orders: OrderedDict[str, Order] = OrderedDict()
        self._trades: dict[str, set[str]] = {}

    def keep(self, order: Order, trades: Iterable[str]) -> None:
        """Take over an order as it was committed, with trades of it that are counted."""
        key = order.client_order_id
        self._orders[key] = order
        self._orders.move_to_end(key)
        self._trades.setdefault(key, set()).update(trades)
        if len(self._orders) > _MOST:
            oldest, _ = self._orders.popitem(last=False)
            del self._trades[oldest]

    def get(self, client_order_id: str) -> Order | None:
        """Return the order as it was committed last."""
        return self._orders.get(client_order_id)

    def counted(self, client_order_id: str, fills: Iterable[FillReport]) -> bool:
        """Tell whether all of `fills` are counted already."""
        trades = self._trades.get(client_order_id, set())
        return all(fill.venue_trade_id in trades for fill in fills)
