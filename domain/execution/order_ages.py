"""How long ago orders were placed: by the clock of the database, which all nodes share, then by the monotonic one."""

from uuid import UUID

from cachetools import LRUCache

from domain.core.clock import Clock

_MAXIMUM_ORDERS = 10_000


class OrderAges:
    """The ages of the orders that an executor decides about and sends; no wall clock of a node is compared."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._placed_at: LRUCache[UUID, float] = LRUCache(_MAXIMUM_ORDERS)

    def __contains__(self, order_id: UUID) -> bool:
        """Return whether the order's age was observed."""
        return order_id in self._placed_at

    def observe(self, order_id: UUID, age_seconds: float) -> float:
        """Take the age as the database has it, and return it: at least what this node has seen pass itself."""
        placed_at = self._clock.monotonic() - age_seconds
        self._placed_at[order_id] = min(placed_at, self._placed_at.get(order_id, placed_at))
        return self.of(order_id)

    def restart(self, order_id: UUID) -> None:
        """Count from now on, since the order has become due only now."""
        self._placed_at[order_id] = self._clock.monotonic()

    def of(self, order_id: UUID) -> float:
        """Return the order's age in seconds; 0 if it was never observed."""
        return self._clock.monotonic() - self.placed_at(order_id)

    def placed_at(self, order_id: UUID) -> float:
        """Return when the order was placed, in monotonic seconds and at the latest; now if its age was not observed."""
        return self._placed_at.get(order_id, self._clock.monotonic())
