from uuid import UUID

from domain.execution.order_ages import OrderAges
from tests.support.clocks import ManualClock

ORDER = UUID(int=1)


def test_an_order_ages_by_the_monotonic_clock_once_it_was_observed() -> None:
    clock = ManualClock()
    ages = OrderAges(clock)
    assert ages.observe(ORDER, 1.5) == 1.5
    clock.move(2)
    assert ages.of(ORDER) == 3.5


def test_a_clock_of_the_database_that_is_set_back_makes_no_order_younger() -> None:
    clock = ManualClock()
    ages = OrderAges(clock)
    ages.observe(ORDER, 1.0)
    clock.move(1)
    assert ages.observe(ORDER, -3_600.0) == 2.0
    assert ages.observe(ORDER, 4.0) == 4.0


def test_an_order_that_has_become_due_now_counts_from_now() -> None:
    clock = ManualClock()
    ages = OrderAges(clock)
    ages.observe(ORDER, 3_600.0)
    ages.restart(ORDER)
    clock.move(1)
    assert ages.of(ORDER) == 1.0
    assert ages.of(UUID(int=2)) == 0.0
