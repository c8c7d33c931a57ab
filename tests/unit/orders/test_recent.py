from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.orders import recent
from domain.orders.recent import RecentOrders
from domain.orders.types import OrderStatus
from tests.support.orders import an_order, told_fill


def test_trades_add_up_and_only_known_ones_are_counted() -> None:
    kept = RecentOrders()
    kept.keep(an_order(), ["1"])
    kept.keep(an_order(revision=2), ["2"])
    newest = kept.get("r3-1")
    assert newest is not None
    assert newest.revision == 2
    assert kept.counted("r3-1", [told_fill("1", "1"), told_fill("2", "1")])
    assert not kept.counted("r3-1", [told_fill("3", "1")])
    assert not kept.counted("r3-2", [told_fill("1", "1")])


def test_only_the_newest_are_kept() -> None:
    kept = RecentOrders()
    for number in range(recent._MOST + 1):
        kept.keep(an_order(client_order_id=f"r3-{number}"), ["1"])
    assert kept.get("r3-0") is None
    assert kept.get("r3-1") is not None
    assert not kept.counted("r3-0", [told_fill("1", "1")])


def test_of_orders_that_have_ended_fewer_are_kept_and_never_one_that_rests() -> None:
    kept = RecentOrders()
    kept.keep(an_order(client_order_id="resting", status=OrderStatus.OPEN), ["1"])
    for number in range(recent._MOST_FINISHED + 1):
        kept.keep(an_order(client_order_id=f"r3-{number}", status=OrderStatus.OPEN), ["1"])
        kept.keep(an_order(client_order_id=f"r3-{number}", status=OrderStatus.FILLED), ["2"])
    assert kept.get("resting") is not None
    assert kept.get("r3-0") is None
    assert not kept.counted("r3-0", [told_fill("1", "1")])
    assert kept.counted("r3-1", [told_fill("1", "1"), told_fill("2", "1")])


def test_an_order_that_turns_out_to_live_is_kept_as_one_that_rests() -> None:
    kept = RecentOrders()
    kept.keep(an_order(client_order_id="back", status=OrderStatus.REJECTED), [])
    kept.keep(an_order(client_order_id="back", status=OrderStatus.OPEN), [])
    for number in range(2 * recent._MOST_FINISHED):
        kept.keep(an_order(client_order_id=f"r3-{number}", status=OrderStatus.FILLED), [])
    assert kept.get("back") is not None


@given(st.lists(st.tuples(st.integers(0, 1_500), st.sampled_from(OrderStatus)), max_size=3_000))
@settings(max_examples=20)
def test_however_orders_move_the_memory_is_bounded(moves: list[tuple[int, OrderStatus]]) -> None:
    kept = RecentOrders()
    orders = {status: an_order(status=status) for status in OrderStatus}
    for number, status in moves:
        kept.keep(replace(orders[status], client_order_id=f"r3-{number}"), ["1"])
        assert kept.get(f"r3-{number}") is not None
    assert kept._orders.keys() == kept._trades.keys() >= kept._finished.keys()
    assert len(kept._orders) <= recent._MOST
    assert len(kept._finished) <= recent._MOST_FINISHED
