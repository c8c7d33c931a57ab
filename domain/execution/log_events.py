"""The steps of orders as events of their user's log."""

from collections.abc import Iterable

from domain.model.events import NewEvent, UserEventKind
from domain.model.orders import OrderEvent


def order_events(events: Iterable[OrderEvent]) -> list[NewEvent]:
    """Return them as they go into the log: ORDER, or FILL where one has a fill, each at the time of its change."""
    return [NewEvent(event.order.user_id, event.order.updated_at, _kind(event), event) for event in events]


def _kind(event: OrderEvent) -> UserEventKind:
    return UserEventKind.ORDER if event.fill is None else UserEventKind.FILL
