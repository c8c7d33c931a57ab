"""What sales by hand take of the parts of a position that brackets protect."""

from decimal import Decimal
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from domain.rules.hand_sales import PositionChange, taken_by_hand

OLDER, NEWER = UUID(int=1), UUID(int=2)


def change(quantity: str, protection_id: UUID | None = None) -> PositionChange:
    return PositionChange(Decimal(quantity), protection_id)


def test_what_is_bought_after_a_sale_by_hand_does_not_become_the_first_brackets() -> None:
    assert taken_by_hand([change("1", OLDER), change("-0.6"), change("0.6")]) == {OLDER: Decimal("0.6")}


def test_a_sale_by_hand_takes_what_nothing_protects_first_and_then_of_the_newest_bracket() -> None:
    bought = [change("1", OLDER), change("1", NEWER), change("0.5")]
    assert taken_by_hand([*bought, change("-0.5")]) == {}
    assert taken_by_hand([*bought, change("-1")]) == {NEWER: Decimal("0.5")}
    assert taken_by_hand([*bought, change("-2")]) == {NEWER: Decimal(1), OLDER: Decimal("0.5")}


def test_what_a_brackets_own_exit_sells_is_no_sale_by_hand() -> None:
    assert taken_by_hand([change("1", OLDER), change("1", NEWER), change("-1", OLDER), change("-1", NEWER)]) == {}


@given(
    st.lists(st.tuples(st.integers(-5, 5).filter(bool), st.sampled_from([None, OLDER, NEWER])), max_size=20),
)
def test_brackets_never_protect_more_than_is_held_nor_is_more_taken_than_was_sold(
    changes: list[tuple[int, UUID | None]],
) -> None:
    steps, held = [], 0
    for quantity, protection_id in changes:
        sized = max(quantity, -held)
        held += sized
        steps.append(PositionChange(Decimal(sized), protection_id if sized > 0 else None))
    taken = taken_by_hand(steps)
    bought = {key: sum(step.quantity for step in steps if step.protection_id == key) for key in (OLDER, NEWER)}
    left = sum(bought[key] - taken.get(key, Decimal(0)) for key in bought)
    assert left <= held
    assert all(taken.get(key, Decimal(0)) <= bought[key] for key in bought)
