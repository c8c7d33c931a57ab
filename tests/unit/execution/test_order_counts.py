from datetime import timedelta
from itertools import pairwise
from uuid import UUID

from domain.execution.order_counts import NO_REASON, OrderCounts, reason_code
from domain.model.orders import CancelCode, Order, OrderStatus, RejectCode, RiskCode, RiskDenial
from tests.support.orders import NOW, an_order

S = OrderStatus


class Stopwatch:
    """Monotonic seconds that a test moves."""

    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def live(counts: OrderCounts, watch: Stopwatch, *steps: tuple[OrderStatus, float], order: Order | None = None) -> None:
    """Take an order from PENDING through statuses, each after so many seconds."""
    states = [order or an_order()]
    for status, seconds in steps:
        states.append(states[-1].changed(states[-1].updated_at + timedelta(seconds=seconds), status=status))
    for (before, after), (_, seconds) in zip(pairwise(states), steps, strict=True):
        watch.seconds += seconds
        counts.count(after, before)


def test_each_status_is_counted_once_and_its_time_when_it_is_left() -> None:
    watch = Stopwatch()
    counts = OrderCounts(watch)
    live(
        counts,
        watch,
        (S.SUBMITTED, 0.5),
        (S.OPEN, 0.25),
        (S.PARTIALLY_FILLED, 3),
        (S.PARTIALLY_FILLED, 4),
        (S.FILLED, 5),
    )
    assert counts.steps == dict.fromkeys(
        [("sandbox", status, NO_REASON) for status in (S.SUBMITTED, S.OPEN, S.PARTIALLY_FILLED, S.FILLED)], 1
    )
    assert {status: histogram.sum for (_, status), histogram in counts.seconds.items()} == {
        S.PENDING: 0.5, S.SUBMITTED: 0.25, S.OPEN: 3.0, S.PARTIALLY_FILLED: 9.0,
    }  # fmt: skip


def test_an_order_from_before_the_start_has_no_time_in_its_first_status() -> None:
    counts = OrderCounts(Stopwatch())
    order = an_order(status=S.OPEN)
    counts.count(order.changed(NOW, status=S.FILLED), order)
    assert counts.steps == {("sandbox", S.FILLED, NO_REASON): 1}
    assert not counts.seconds


def test_a_change_that_leaves_the_status_is_no_step() -> None:
    counts = OrderCounts(Stopwatch())
    order = an_order(status=S.CANCELED)
    counts.count(order.changed(NOW), order)
    assert not counts.steps


def test_an_order_that_ends_unsent_is_counted_though_nobody_knew_it_before() -> None:
    counts = OrderCounts(Stopwatch())
    counts.count(an_order(status=S.CANCELED, cancel_code=CancelCode.REQUESTED, updated_at=NOW + timedelta(seconds=2)))
    assert counts.steps == {("sandbox", S.CANCELED, "REQUESTED"): 1}
    assert counts.seconds["sandbox", S.PENDING].sum == 2.0


def test_a_reason_is_the_code_of_the_status_and_no_text() -> None:
    denied = an_order(status=S.DENIED, denials=(RiskDenial(RiskCode.PRICE_COLLAR, "too far"),))
    rejected = an_order(status=S.REJECTED, reject_code=RejectCode.PRICE, reject_reason="Price is bad")
    assert reason_code(denied) == "PRICE_COLLAR"
    assert reason_code(rejected) == "PRICE"
    assert reason_code(an_order(status=S.REJECTED, reject_reason="no code")) == NO_REASON
    assert reason_code(an_order(status=S.FILLED, cancel_code=CancelCode.HALT)) == NO_REASON


def test_the_orders_that_are_remembered_are_bounded() -> None:
    counts = OrderCounts(Stopwatch())
    for number in range(10_050):
        order = an_order(id=UUID(int=number))
        counts.count(order.changed(NOW, status=S.SUBMITTED), order)
    assert len(counts._since) == 10_000
