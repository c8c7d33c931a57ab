"""The commands of an account that wait for a decision: cancels and orders that only reduce before all others."""

from collections.abc import Iterator
from uuid import UUID

from domain.model.orders import Order, OrderStatus, OrderType


class CommandQueue:
    """Orders to be sent or cancelled, in two groups; of each the first that came is the first out."""

    def __init__(self) -> None:
        self._first: dict[UUID, Order] = {}
        self._others: dict[UUID, Order] = {}

    def __len__(self) -> int:
        return len(self._first) + len(self._others)

    def __iter__(self) -> Iterator[UUID]:
        """Iterate over the ids of the orders in the order in which they are decided."""
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

    def pop_turn(self, room: int, most: int) -> list[Order]:
        """Remove and return what is decided next: one command, or up to `most` plain new orders, decided together.

        Of orders that may add risk there are no more than there is `room`; nothing is returned if only such are left
        and there is none.
        """
        group = self._first or (self._others if room else {})
        most = most if group is self._first else min(most, room)
        turn: list[Order] = []
        for order in group.values():
            if turn and not (len(turn) < most and is_plain(turn[-1]) and is_plain(order)):
                break
            turn.append(order)
        for order in turn:
            del group[order.id]
        return turn


def is_plain(order: Order) -> bool:
    """Return whether the order is new, and decided about by itself and by what is known of its account."""
    is_alone = order.group_id is None and order.replaces_id is None and order.type is not OrderType.TRAILING_STOP
    return order.status is OrderStatus.PENDING and is_alone and order.cancel_requested_at is None
