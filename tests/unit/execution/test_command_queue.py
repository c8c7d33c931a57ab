"""What an executor decides next, and which new orders it decides together."""

from uuid import UUID

from domain.execution.command_queue import CommandQueue
from domain.model.orders import Order, OrderStatus, OrderType
from tests.support.orders import NOW, an_order


def new(number: int, **changes: object) -> Order:
    return an_order(id=UUID(int=number), **changes)


def cancel(number: int) -> Order:
    return new(number, status=OrderStatus.OPEN, cancel_requested_at=NOW)


def turns(*orders: Order, room: int = 10, most: int = 10) -> list[list[int]]:
    """Return the orders of each turn, by their numbers."""
    queue, found = CommandQueue(), []
    for order in orders:
        queue.put(order)
    while turn := queue.pop_turn(room, most):
        found.append([order.id.int for order in turn])
    return found


def test_new_orders_are_decided_together_up_to_the_most() -> None:
    assert turns(*map(new, range(1, 6)), most=3) == [[1, 2, 3], [4, 5]]


def test_a_cancel_goes_first_and_alone() -> None:
    assert turns(new(1), cancel(2), new(3), cancel(4)) == [[2], [4], [1, 3]]


def test_orders_that_only_reduce_go_before_others_and_not_with_them() -> None:
    assert turns(new(1), new(2, reduce_only=True), new(3, reduce_only=True)) == [[2, 3], [1]]


def test_amendments_groups_and_trailing_stops_are_decided_alone_in_their_turn() -> None:
    others = (
        new(2, replaces_id=UUID(int=9)),
        new(3, group_id=UUID(int=9)),
        new(4, type=OrderType.TRAILING_STOP),
    )
    assert turns(new(1), *others, new(5), new(6)) == [[1], [2], [3], [4], [5, 6]]


def test_no_more_orders_that_add_risk_are_decided_together_than_there_is_room_for() -> None:
    assert turns(new(1), new(2), new(3), room=2) == [[1, 2], [3]]
    assert turns(new(1), cancel(2), new(3, reduce_only=True), room=0) == [[2], [3]]
