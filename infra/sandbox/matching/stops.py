"""A market's orders that wait for their trigger: each traded price is tested, in the order of the trades."""

from collections.abc import Callable

from infra.sandbox.orders import Order


class WaitingStops:
    """The waiting orders of one market, oldest first, and the prices traded since they were last tested."""

    def __init__(self) -> None:
        self.orders: list[Order] = []
        self.prices: list[int] = []
        self._due: list[Order] = []
        self._moved: list[Order] = []
        self._tested = 0

    def add(self, order: Order, last_price: int) -> None:
        """Let `order` wait; a trailing stop without a stop price follows the price from `last_price` on."""
        order.waiting = True
        if not self.orders:
            self._tested = last_price
        self.orders.append(order)
        if order.trailing_delta and not order.stop_price and not order.best_price:
            order.best_price, order.trailing_ms = last_price, order.updated_ms

    def remove(self, order: Order) -> None:
        """Let `order` wait no longer."""
        order.waiting = False
        self.orders.remove(order)
        if order in self._due:
            self._due.remove(order)

    def next_due(self, last_price: int, now_ms: Callable[[], int]) -> Order | None:
        """Return the oldest order that a price traded since the last call has triggered, if any."""
        if last_price != self._tested:
            self.prices.append(last_price)
        if self.prices:
            self._test(now_ms())
            self._tested = last_price
        return self._due[0] if self._due else None

    def drain_moved(self) -> list[Order]:
        """Return and clear the trailing stops whose trigger has moved."""
        moved, self._moved = self._moved, []
        return moved

    def _test(self, now_ms: int) -> None:
        prices, self.prices = self.prices, []
        low, high = min(prices), max(prices)
        for order in self.orders:
            if order.trailing_delta:
                before = order.best_price
                reached = any(order.follow(price, now_ms) for price in prices)
                if order.best_price != before:
                    self._moved.append(order)
            else:
                reached = order.triggers_at(low) or order.triggers_at(high)
            if reached and order not in self._due:
                self._due.append(order)
