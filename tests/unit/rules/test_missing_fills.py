"""What is known of an order that the venue has ended with more filled than its known trades."""

from datetime import timedelta
from decimal import Decimal

import pytest

from domain.model.order_side import OrderSide
from domain.model.orders import Order, OrderStatus
from domain.ports.execution_client import OrderReport
from domain.rules.missing_fills import await_fills, give_up_fills
from domain.rules.order_lifecycle import apply_fill
from tests.support.orders import NOW, a_fill, an_order, order_report

LATER = NOW + timedelta(seconds=1)


def report(order: Order, filled: str) -> OrderReport:
    return order_report(order, OrderStatus.CANCELED, Decimal(filled))


def canceled(**changes: object) -> Order:
    return an_order(status=OrderStatus.CANCELED, quantity=Decimal(2), venue_order_id="v1", **changes)


def test_an_ended_order_awaits_the_trades_that_the_venue_has_counted() -> None:
    order = canceled(filled_quantity=Decimal("0.5"))
    noted = await_fills(order, report(order, "1.5"), LATER)
    after = noted.order
    assert (after.awaits_fills, after.missing_quantity, after.outstanding_quantity) == (True, 1, 1)
    assert (after.executed_quantity, after.revision) == (Decimal("1.5"), order.revision + 1)
    (event,) = noted.events
    assert event.reason == "the venue counts 1.5 of it as filled, and its trades are asked for"
    assert await_fills(after, report(order, "1.5"), LATER).order is after


@pytest.mark.parametrize("filled", ["0.5", "0.2"])
def test_what_is_known_already_changes_nothing(filled: str) -> None:
    order = canceled(filled_quantity=Decimal("0.5"))
    assert await_fills(order, report(order, filled), LATER).order is order


def test_an_order_that_is_open_needs_no_note() -> None:
    order = an_order(status=OrderStatus.OPEN, quantity=Decimal(2))
    assert await_fills(order, report(order, "1"), LATER).order is order
    assert order.outstanding_quantity == 2


def test_the_last_missing_trade_ends_the_wait_and_one_before_it_does_not() -> None:
    order = canceled()
    awaiting = await_fills(order, report(order, "1"), LATER).order
    half = apply_fill(awaiting, a_fill(OrderSide.BUY, "0.4", 100), "v1", LATER).order
    assert (half.awaits_fills, half.outstanding_quantity) == (True, Decimal("0.6"))
    whole = apply_fill(half, a_fill(OrderSide.BUY, "0.6", 100), "v1", LATER).order
    assert (whole.awaits_fills, whole.missing_quantity, whole.status) == (False, 0, OrderStatus.CANCELED)


def test_what_was_given_up_stays_counted_and_is_awaited_again_only_if_there_is_more() -> None:
    order = canceled()
    given_up = give_up_fills(await_fills(order, report(order, "1"), LATER).order, LATER).order
    assert (given_up.awaits_fills, given_up.outstanding_quantity, given_up.executed_quantity) == (False, 0, 1)
    assert await_fills(given_up, report(order, "1"), LATER).order is given_up
    assert await_fills(given_up, report(order, "1.5"), LATER).order.awaits_fills
    assert give_up_fills(given_up, LATER).order is given_up
