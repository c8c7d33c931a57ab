"""Counts what becomes of the orders of this node, and how long each step takes them, for its metrics."""

import time
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Final
from uuid import UUID

from cachetools import LRUCache

from domain.core.metrics import LatencyHistogram
from domain.model.orders import Order, OrderStatus

SECONDS: Final = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0, 300.0, 3_600.0)
"""The upper bounds by which times are counted."""
NO_REASON: Final = ""
_MAXIMUM_ORDERS: Final = 10_000


def _histogram() -> LatencyHistogram:
    return LatencyHistogram(SECONDS)


class OrderCounts:
    """Steps of orders since the node's start, by venue, status and reason; and how long orders were in each status.

    The keys are the engine's own words and the venues of its settings: no text of a user or of a venue is among them.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.steps: Counter[tuple[str, OrderStatus, str]] = Counter()
        """How many orders came to a status, for a reason's code."""

        self.seconds: defaultdict[tuple[str, OrderStatus], LatencyHistogram] = defaultdict(_histogram)
        """How long orders were in a status that they have left, unless they came to it before the node's start."""

        self._monotonic = monotonic
        self._since: LRUCache[UUID, float] = LRUCache(_MAXIMUM_ORDERS)

    def count(self, order: Order, before: Order | None = None) -> None:
        """Count an order as it was committed; None for `before` if it has ended before anything was sent of it."""
        previous = OrderStatus.PENDING if before is None else before.status
        if previous is order.status:
            return
        now, venue = self._monotonic(), order.market.venue
        self.steps[venue, order.status, reason_code(order)] += 1
        since = self._since.pop(order.id, None)
        if previous is OrderStatus.PENDING:
            # Another node may have placed it, so its time in this status is that of the rows.
            self.seconds[venue, previous].observe(max((order.updated_at - order.created_at).total_seconds(), 0.0))
        elif since is not None:
            self.seconds[venue, previous].observe(now - since)
        if not order.status.is_final:
            self._since[order.id] = now


def reason_code(order: Order) -> str:
    """Return the code of why an order came to its status; empty where a status says all."""
    match order.status:
        case OrderStatus.DENIED:
            return order.denials[0].code.value if order.denials else NO_REASON
        case OrderStatus.REJECTED:
            return NO_REASON if order.reject_code is None else order.reject_code.value
        case OrderStatus.CANCELED | OrderStatus.EXPIRED | OrderStatus.PENDING_CANCEL:
            return NO_REASON if order.cancel_code is None else order.cancel_code.value
        case _:
            return NO_REASON
