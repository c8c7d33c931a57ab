"""The steps of an amendment, one by one, and in every order in which a venue, a user and a crash may mix them."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.core.money import ZERO
from domain.model.orders import CancelCode, Order, OrderStatus
from domain.rules.order_replacement import (
    ReplacementAction,
    UncanceledStep,
    next_step,
    quantity_left,
    replaces_at_once,
    uncanceled_step,
)
from tests.support.orders import NOW, D, an_order

OLD = an_order(status=OrderStatus.OPEN, quantity=D(4))
NEW = an_order(id=UUID(int=5), client_order_id="r3-5", quantity=D(6), replaces_id=OLD.id)
BEGUN = {"cancel_requested_at": NOW, "cancel_code": CancelCode.AMENDED}


def old(status: OrderStatus, **changes: object) -> Order:
    return replace(OLD, status=status, **changes)  # type: ignore[arg-type]


def action(replaced: Order, amendment: Order = NEW, *, is_too_old: bool = False) -> str:
    return next_step(replaced, amendment, is_too_old=is_too_old).action.value


@pytest.mark.parametrize(
    ("replaced", "expected"),
    [
        (old(OrderStatus.OPEN), "CHECK"),
        (old(OrderStatus.PARTIALLY_FILLED, filled_quantity=D(1)), "CHECK"),
        (old(OrderStatus.SUBMITTED), "WAIT"),
        (old(OrderStatus.IN_DOUBT), "WAIT"),
        (old(OrderStatus.PENDING_CANCEL, **BEGUN), "WAIT"),
        (old(OrderStatus.CANCELED, **BEGUN), "PLACE"),
        (old(OrderStatus.CANCELED, **BEGUN, filled_quantity=D(3)), "PLACE"),
        (old(OrderStatus.CANCELED), "ABANDON"),
        (old(OrderStatus.CANCELED, cancel_requested_at=NOW, cancel_code=CancelCode.REQUESTED), "ABANDON"),
        (old(OrderStatus.PENDING_CANCEL, cancel_requested_at=NOW, cancel_code=CancelCode.HALT), "ABANDON"),
        (old(OrderStatus.FILLED, filled_quantity=D(4)), "ABANDON"),
        (old(OrderStatus.EXPIRED), "ABANDON"),
        (old(OrderStatus.REJECTED), "ABANDON"),
    ],
)
def test_the_next_step_follows_from_the_replaced_order(replaced: Order, expected: str) -> None:
    assert action(replaced) == expected


def test_an_amendment_that_has_waited_too_long_is_given_up_unless_the_other_order_is_going_already() -> None:
    assert action(old(OrderStatus.OPEN), is_too_old=True) == "ABANDON"
    assert action(old(OrderStatus.IN_DOUBT), is_too_old=True) == "ABANDON"
    assert action(old(OrderStatus.PENDING_CANCEL, **BEGUN), is_too_old=True) == "WAIT"
    assert action(old(OrderStatus.CANCELED, **BEGUN), is_too_old=True) == "PLACE"


def test_an_amendment_whose_total_is_filled_is_given_up_once_the_other_order_has_ended() -> None:
    smaller = replace(NEW, quantity=D(3))
    step = next_step(old(OrderStatus.CANCELED, **BEGUN, filled_quantity=D(3)), smaller, is_too_old=False)
    assert (step.action, "has filled 3" in step.reason) == (ReplacementAction.ABANDON, True)
    assert quantity_left(old(OrderStatus.CANCELED, filled_quantity=D(4)), smaller) == 0


def test_a_cancelled_amendment_is_given_up_whatever_became_of_the_other_order() -> None:
    canceled = replace(NEW, cancel_requested_at=NOW, cancel_code=CancelCode.REQUESTED)
    for status in OrderStatus:
        assert action(old(status, **BEGUN), canceled) == "ABANDON"


def test_only_an_order_without_fills_is_replaced_in_one_request() -> None:
    assert replaces_at_once(OLD)
    assert not replaces_at_once(replace(OLD, filled_quantity=D("0.1")))
    assert not replaces_at_once(old(OrderStatus.PARTIALLY_FILLED, filled_quantity=D(1)))
    assert not replaces_at_once(old(OrderStatus.IN_DOUBT))


@pytest.mark.parametrize(
    ("amendment", "expected"),
    [
        (None, UncanceledStep.CANCEL_AGAIN),
        (NEW, UncanceledStep.CANCEL_AGAIN),
        (replace(NEW, status=OrderStatus.SUBMITTED), UncanceledStep.WAIT),
        (replace(NEW, status=OrderStatus.IN_DOUBT), UncanceledStep.WAIT),
        (replace(NEW, status=OrderStatus.OPEN), UncanceledStep.CANCEL_AGAIN),
        (replace(NEW, status=OrderStatus.FILLED, filled_quantity=D(6)), UncanceledStep.CANCEL_AGAIN),
        (replace(NEW, status=OrderStatus.REJECTED), UncanceledStep.PUT_BACK),
        (replace(NEW, status=OrderStatus.CANCELED), UncanceledStep.PUT_BACK),
    ],
)
def test_an_order_that_still_rests_is_put_back_only_if_nothing_took_its_place(
    amendment: Order | None, expected: UncanceledStep
) -> None:
    assert uncanceled_step(old(OrderStatus.PENDING_CANCEL, **BEGUN), amendment) is expected


def test_an_order_that_its_user_cancels_too_is_never_put_back() -> None:
    canceled = old(OrderStatus.PENDING_CANCEL, cancel_requested_at=NOW, cancel_code=CancelCode.REQUESTED)
    assert uncanceled_step(canceled, replace(NEW, status=OrderStatus.REJECTED)) is UncanceledStep.CANCEL_AGAIN


@dataclass
class Model:
    """The two rows, and what the venue has of both: what may still fill, and what has."""

    replaced: Order = OLD
    amendment: Order = NEW
    resting: Decimal = OLD.quantity
    placed: Decimal = ZERO
    filled_at_venue: Decimal = ZERO
    filled_of_new: Decimal = ZERO
    cancel_on_its_way: bool = False

    @property
    def exposure(self) -> Decimal:
        """Everything that has filled or may fill of both orders."""
        return self.filled_at_venue + self.resting + self.filled_of_new + self.placed

    def fill(self) -> None:
        """The venue fills 1 of the old order; the engine doesn't know yet."""
        part = min(self.resting, D(1))
        self.resting, self.filled_at_venue = self.resting - part, self.filled_at_venue + part

    def fill_new(self) -> None:
        part = min(self.placed, D(1))
        self.placed, self.filled_of_new = self.placed - part, self.filled_of_new + part

    def report(self) -> None:
        """The engine learns what the venue has of the old order."""
        if self.replaced.status.is_final:
            return
        status = self.replaced.status
        if self.filled_at_venue == OLD.quantity:
            status = OrderStatus.FILLED
        elif self.filled_at_venue and status is OrderStatus.OPEN:
            status = OrderStatus.PARTIALLY_FILLED
        self.replaced = replace(self.replaced, status=status, filled_quantity=self.filled_at_venue)

    def cancel_arrives(self) -> None:
        """The cancel reaches the venue, and its answer, with all fills, the engine."""
        if self.cancel_on_its_way:
            self.cancel_on_its_way = False
            if self.resting:
                self.resting = D(0)
                self.replaced = replace(
                    self.replaced, status=OrderStatus.CANCELED, filled_quantity=self.filled_at_venue
                )
            else:
                self.report()

    def user_cancels(self) -> None:
        code = CancelCode.REQUESTED
        if not self.replaced.status.is_final:
            self.replaced = replace(self.replaced, cancel_requested_at=NOW, cancel_code=code)
        if not self.amendment.status.is_final:
            self.amendment = replace(self.amendment, cancel_requested_at=NOW, cancel_code=code)

    def step(self) -> None:
        """The executor takes the next step: after a crash as well, since it reads nothing but the rows."""
        if self.amendment.status is not OrderStatus.PENDING:
            return
        match next_step(self.replaced, self.amendment, is_too_old=False).action:
            case ReplacementAction.ABANDON:
                self.amendment = replace(self.amendment, status=OrderStatus.CANCELED)
            case ReplacementAction.CHECK:
                self.replaced = replace(self.replaced, status=OrderStatus.PENDING_CANCEL, **BEGUN)  # type: ignore[arg-type]
                self.cancel_on_its_way = True
            case ReplacementAction.PLACE:
                left = quantity_left(self.replaced, self.amendment)
                self.amendment = replace(self.amendment, status=OrderStatus.OPEN, quantity=left)
                self.placed = left
            case ReplacementAction.WAIT:
                pass


MOVES: dict[str, Callable[[Model], None]] = {
    "fill": Model.fill,
    "fill_new": Model.fill_new,
    "report": Model.report,
    "cancel_arrives": Model.cancel_arrives,
    "user_cancels": Model.user_cancels,
    "step": Model.step,
}


@given(
    moves=st.lists(st.sampled_from(sorted(MOVES)), max_size=25),
    total=st.sampled_from([D(1), D(2), D(4), D(6), D(9)]),
)
def test_never_can_more_fill_than_the_larger_of_both_totals_and_every_amendment_ends(
    moves: list[str], total: Decimal
) -> None:
    model = Model(amendment=replace(NEW, quantity=total))
    for move in moves:
        MOVES[move](model)
        assert model.exposure <= max(OLD.quantity, total)
        assert not (model.resting and model.placed)
        if model.placed or model.filled_of_new:
            assert model.exposure == total
    for _ in range(3):
        model.step()
        model.cancel_arrives()
        model.report()
    assert model.amendment.status in {OrderStatus.OPEN, OrderStatus.CANCELED}
