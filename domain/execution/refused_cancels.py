"""When orders are cancelled again whose cancel the venue has refused, though no user has asked for it."""

from uuid import UUID

from cachetools import LRUCache

from domain.core.clock import Clock
from domain.model.orders import CancelCode, Order

CANCEL_RETRY_SECONDS = 5.0
"""How long after it is seen that the venue refused a cancel the next one is requested."""

_MAXIMUM_ORDERS = 10_000
_OF_THE_ENGINE = frozenset({CancelCode.HALT, CancelCode.EXPIRED, CancelCode.TRADING_SESSION})


class RefusedCancels:
    """Remembers the refusals in monotonic seconds: a wall clock that is set back would put the next cancel off."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._seen: LRUCache[UUID, float] = LRUCache(_MAXIMUM_ORDERS)

    def is_due(self, order: Order) -> bool:
        """Return whether the cancel of an active order, of which none is requested, is to be requested now."""
        if order.cancel_code not in _OF_THE_ENGINE:
            return True
        now = self._clock.monotonic()
        if now - self._seen.setdefault(order.id, now) < CANCEL_RETRY_SECONDS:
            return False
        del self._seen[order.id]
        return True
