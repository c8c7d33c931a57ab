"""Which orders of an open list end, or start, with which: the rules of OCO, OTO and OTOCO, without acting on them.

Source: developers.binance.com/docs/binance-spot-api-docs/rest-api/trading-endpoints, "Order lists".
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from infra.sandbox.order_lists import Contingency, ListReport, ListStatus, OrderList
from infra.sandbox.orders import Order, Status
from infra.sandbox.state.store import Store


@dataclass(slots=True)
class OpenList:
    """A list with open orders: the working order of an OTO, and the others.

    `is_decided` once one of the others has traded or triggered, which ended its rival.
    """

    info: OrderList
    orders: list[Order]
    is_decided: bool = False

    @property
    def working(self) -> Order | None:
        """The order that the others wait for."""
        return self.orders[0] if self.info.contingency is Contingency.OTO else None

    @property
    def rest(self) -> list[Order]:
        """The orders that an OTO's working order starts; all orders of an OCO."""
        return self.orders[1:] if self.info.contingency is Contingency.OTO else self.orders

    def report(self) -> ListReport:
        """Return the list as it is now."""
        return ListReport(replace(self.info), tuple(order.copy() for order in self.orders))


class OpenLists:
    """All open lists, and those whose working order was filled: their other orders are due to be placed."""

    def __init__(self, store: Store, now_ms: Callable[[], int], publish: Callable[[ListReport], None]) -> None:
        self.due: list[OpenList] = []
        self._store = store
        self._now_ms = now_ms
        self._publish = publish
        self._lists: dict[int, OpenList] = {}
        self._last_id = store.last_list_id()

    def add(self, kept: OrderList, orders: list[Order]) -> OpenList:
        """Open a list under the next id, which its orders get too."""
        self._last_id += 1
        kept.id = self._last_id
        for order in orders:
            order.list_id = kept.id
        opened = self._lists[kept.id] = OpenList(kept, orders)
        self._store.save_list(kept)
        return opened

    def restore(self, orders: dict[int, Order]) -> None:
        """Restore the lists of the last run; `orders` are the open ones by id."""
        for kept in self._store.open_lists():
            members = [orders.get(order.id, order) for order in self._store.orders_of_list(kept.id)]
            opened = self._lists[kept.id] = OpenList(kept, members)
            opened.is_decided = any(not order.is_open for order in opened.rest)

    def open_lists(self, uid: int) -> list[OpenList]:
        """Return an account's open lists, oldest first."""
        return [opened for opened in self._lists.values() if opened.info.uid == uid]

    def of(self, order: Order) -> OpenList | None:
        """Return the open list of an order."""
        return self._lists.get(order.list_id)

    def publish(self, opened: OpenList, *, is_renamed: bool = False) -> None:
        """Notify the account of a new list, or of one with an order that has got another client id."""
        self._publish(replace(opened.report(), is_renamed=is_renamed))

    def rivals(self, order: Order) -> list[Order]:
        """Return the orders that end because `order` trades or triggers, and let it decide its list."""
        opened = self._lists[order.list_id]
        if opened.is_decided or order is opened.working:
            return []
        opened.is_decided = True
        return [other for other in opened.rest if other is not order and other.is_open]

    def ended_with(self, order: Order) -> list[Order]:
        """Return the orders that end because `order` has ended without being filled."""
        opened = self._lists[order.list_id]
        if opened.is_decided and order is not opened.working:
            return []
        opened.is_decided = True
        return [other for other in opened.orders if other is not order and other.is_open]

    def settle(self, order: Order) -> None:
        """Note that `order` has ended: its list's other orders are due, or the list is done."""
        opened = self._lists.get(order.list_id)
        if opened is None:  # it ended with another order, which ended with this one
            return
        if order is opened.working and order.status is Status.FILLED:
            self.due.append(opened)
        elif not any(other.is_open for other in opened.orders):
            del self._lists[order.list_id]
            opened.info.status, opened.info.updated_ms = ListStatus.ALL_DONE, self._now_ms()
            self._store.save_list(opened.info)
            self._publish(opened.report())
