"""Turns checked requests into open orders: their ids, their funds, and the first step of each."""

from collections import Counter

from infra.sandbox.clock import SandboxClock
from infra.sandbox.errors import OrderRejectedError
from infra.sandbox.matching.admission import check_funds, check_pair_prices, check_price
from infra.sandbox.matching.filters import required_lock
from infra.sandbox.matching.market import SimulatedMarket
from infra.sandbox.matching.matcher import Execution, Matcher
from infra.sandbox.matching.open_lists import OpenList
from infra.sandbox.orders import STOP_TYPES, NewOrder, Order, PlacedOrder, Status


class OrderEntry:
    """All open orders, and how one becomes one of them; what it does is durable once the store commits."""

    def __init__(self, matcher: Matcher, clock: SandboxClock) -> None:
        self.matcher = matcher
        self._clock = clock
        self._open: dict[int, dict[int, Order]] = {}
        self.counts: Counter[str] = Counter()
        """How many open orders each market has."""
        self._last_id = matcher.store.last_order_id()

    def open_orders(self, uid: int, symbol: str | None = None) -> list[Order]:
        """Return an account's open orders, of one market or of all, oldest first."""
        mine = self._open.get(uid, {}).values()
        return list(mine) if symbol is None else [order for order in mine if order.symbol == symbol]

    def restore(self, order: Order) -> None:
        """Note an open order of the last run."""
        self._open.setdefault(order.uid, {})[order.id] = order
        self.counts[order.symbol] += 1

    def forget(self, order: Order) -> None:
        """Note that an order has ended."""
        if self._open.get(order.uid, {}).pop(order.id, None) is not None:
            self.counts[order.symbol] -= 1

    def draft(self, uid: int, request: NewOrder) -> Order:
        """Return the order that `request` would become, without an id."""
        now = self._clock.now_ms()
        return Order(0, uid, request.symbol, request.client_id, request.side, request.type,
                     request.time_in_force, request.price, request.quantity, request.quote_quantity,
                     request.stop_price, request.self_trade, now, now,
                     trailing_delta=request.trailing_delta, iceberg=request.iceberg,
                     strategy_id=request.strategy_id, strategy_type=request.strategy_type)  # fmt: skip

    def accept(self, market: SimulatedMarket, order: Order) -> PlacedOrder:
        """Make a checked order an open one and match it, or let it wait for its trigger."""
        self.register(order)
        self.lock_funds(market, [order])
        self.announce(market, order)
        return self.match(market, order)

    def register(self, order: Order) -> None:
        """Give a checked order its id: from now on it is an open order of its account."""
        self._last_id += 1
        order.id = self._last_id
        self.restore(order)

    def reject(self, order: Order, reason: str) -> None:
        """Publish that a checked order couldn't be placed; it has an id, and leaves nothing else behind."""
        self.register(order)
        order.status = Status.REJECTED
        self.matcher.on_execution(Execution(order, "REJECTED", reason=reason))

    def lock_funds(self, market: SimulatedMarket, rivals: list[Order]) -> None:
        """Lock for one order, or for two of which only one can trade: the dearer one holds the lock for both."""
        if len(rivals) == 1 and not rivals[0].is_resting:
            self.matcher.reserve_funds(market, rivals[0])
        else:
            holder = max(rivals, key=lambda order: required_lock(market, order)[1])
            self.matcher.relock(market, holder, required_lock(market, holder)[1])

    def reduce_lock(self, market: SimulatedMarket, rivals: list[Order]) -> None:
        """Release what orders that have become smaller need no longer."""
        needed = max(required_lock(market, order)[1] for order in rivals)
        for holder in rivals:
            if holder.locked:
                self.matcher.relock(market, holder, min(holder.locked, needed))

    def announce(self, market: SimulatedMarket, order: Order) -> None:
        """Store and publish a new order, which waits from now on if it has a trigger."""
        if not order.is_pending:
            if order.type in STOP_TYPES:
                self.matcher.wait(market, order)
            else:
                order.working_ms = order.updated_ms
        self.matcher.store.save_order(order)
        self.matcher.on_execution(Execution(order, "NEW"))

    def match(self, market: SimulatedMarket, order: Order) -> PlacedOrder:
        """Match an announced order unless it waits; return a copy of it, and what happened to it."""
        return PlacedOrder(order.copy()) if order.waiting else self.matcher.execute(market, order)

    def start_pending(self, market: SimulatedMarket, opened: OpenList) -> None:
        """Place the orders of a list whose working order was filled, or reject them if that isn't possible now."""
        rest = [order for order in opened.rest if order.is_open]
        try:
            if len(rest) > 1:
                check_pair_prices(market, rest)
            for order in rest:
                check_price(market, order)
            check_funds(market, self.matcher, rest)
        except OrderRejectedError as error:
            opened.is_decided = True
            for order in rest:
                self.matcher.close(market, order, Status.REJECTED, "REJECTED", reason=error.reason)
            return
        self.lock_funds(market, rest)
        for order in rest:
            order.status, order.updated_ms = Status.NEW, self._clock.now_ms()
            self.announce(market, order)
        for order in rest:
            if order.is_open:
                self.match(market, order)
