"""The commands of an account that wait for a decision: cancels and orders that reduce risk before all others."""

from collections.abc import Iterator
from uuid import UUID

from domain.model.orders import Order


class CommandQueue:
    """Orders to be sent or cancelled, by id, in two groups; of each the first that came is the first out."""

    def __init__(self) -> None:
        self._first: dict[UUID, None] = {}
        self._others: dict[UUID, None] = {}

    def __len__(self) -> int:
        return len(self._first) + len(self._others)

    def __iter__(self) -> Iterator[UUID]:
        """Iterate over the ids in the order in which `pop` returns them."""
        yield from self._first
        yield from self._others

    def put(self, order: Order) -> None:
        """Add the order, unless it waits already."""
        if order.cancel_requested_at is not None or order.reduce_only:
            self._others.pop(order.id, None)
            self._first[order.id] = None
        elif order.id not in self._first:
            self._others[order.id] = None

    def pop(self, *, may_add_risk: bool) -> UUID | None:
        """Remove and return the next id; None if there is none, or only orders that may add risk and may not go."""
        group = self._first or (self._others if may_add_risk else {})
        order_id = next(iter(group), None)
        if order_id is not None:
            del group[order_id]
        return order_id
