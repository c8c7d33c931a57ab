"""The commands of an account that wait for a decision: cancels and orders that only reduce before all others."""

from collections.abc import Iterator
from uuid import UUID

from domain.model.orders import Order


class CommandQueue:
    """Orders to be sent or cancelled, in two groups; of each the first that came is the first out."""

    def __init__(self) -> None:
        self._first: dict[UUID, Order] = {}
        self._others: dict[UUID, Order] = {}

    def __len__(self) -> int:
        return len(self._first) + len(self._others)

    def __iter__(self) -> Iterator[UUID]:
        """Iterate over the ids of the orders in the order in which `pop` returns them."""
        yield from self._first
        yield from self._others

    def put(self, order: Order) -> None:
        """Add the order as it was read last; one that waits already keeps its place."""
        if order.cancel_requested_at is not None or order.reduce_only:
            self._others.pop(order.id, None)
            self._first[order.id] = order
        else:
            group = self._first if order.id in self._first else self._others
            group[order.id] = order

    def pop(self, *, may_add_risk: bool) -> Order | None:
        """Remove and return the next order; None if there is none, or only such that add risk, which may not go."""
        group = self._first or (self._others if may_add_risk else {})
        order_id = next(iter(group), None)
        return None if order_id is None else group.pop(order_id)
