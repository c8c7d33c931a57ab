from dataclasses import replace
from decimal import Decimal
from uuid import UUID

import pytest

from domain.core.errors import ErrorCode
from domain.model.orders import CancelCode, Order, OrderRole, OrderStatus, OrderType, TimeInForce
from domain.rules.order_amendment import AmendmentRequest, amended_order, validate_amendment
from tests.support.orders import NOW, D, an_order

OPEN = an_order(status=OrderStatus.OPEN, quantity=D(4), filled_quantity=D(1))
STOP = an_order(status=OrderStatus.OPEN, type=OrderType.STOP, price=None, stop_price=D(90))
WAITING = an_order(id=UUID(int=7), client_order_id="r3-7", replaces_id=OPEN.id)


def request(**changes: Decimal) -> AmendmentRequest:
    return AmendmentRequest(OPEN.id, **changes)


def test_the_new_order_is_the_old_one_with_the_amended_numbers_and_the_total_quantity() -> None:
    order = replace(
        OPEN,
        time_in_force=TimeInForce.GTD,
        expires_at=NOW,
        post_only=True,
        reduce_only=True,
        role=OrderRole.STOP_LOSS,
        parent_id=UUID(int=9),
        venue_order_id="v-1",
    )
    amended = amended_order(request(quantity=D(6), price=D(101)), order, UUID(int=8), "r3-8", NOW)
    assert (amended.quantity, amended.price, amended.filled_quantity) == (D(6), D(101), D(0))
    assert (amended.status, amended.replaces_id, amended.venue_order_id) == (OrderStatus.PENDING, order.id, None)
    same = ("side", "type", "role", "time_in_force", "expires_at", "post_only", "reduce_only", "parent_id", "market")
    assert [getattr(amended, name) for name in same] == [getattr(order, name) for name in same]


def test_what_is_not_given_stays() -> None:
    amended = amended_order(request(stop_price=D(95)), STOP, UUID(int=8), "r3-8", NOW)
    assert (amended.quantity, amended.price, amended.stop_price) == (STOP.quantity, None, D(95))


def test_a_good_amendment_has_no_errors() -> None:
    assert validate_amendment(request(quantity=D("1.5")), OPEN, None) == []
    assert validate_amendment(request(price=D(1)), OPEN, None) == []
    assert validate_amendment(request(stop_price=D(80)), STOP, None) == []


@pytest.mark.parametrize(
    ("changes", "path", "words"),
    [
        ({}, ("input",), "Nothing would change"),
        ({"quantity": D("4.0"), "price": D(100)}, ("input",), "Nothing would change"),
        ({"quantity": D(0)}, ("input", "quantity"), "must be above 0"),
        ({"quantity": D(1)}, ("input", "quantity"), "has filled 1"),
        ({"quantity": D("0.5")}, ("input", "quantity"), "has filled 1"),
        ({"price": D(-1)}, ("input", "price"), "must be above 0"),
        ({"stop_price": D(90)}, ("input", "stopPrice"), "has no stopPrice"),
    ],
)
def test_bad_numbers_are_refused_with_the_right_ones(
    changes: dict[str, Decimal], path: tuple[str, ...], words: str
) -> None:
    (error,) = validate_amendment(request(**changes), OPEN, None)
    assert (error.code, error.path) == (ErrorCode.INVALID, path)
    assert words in error.message


@pytest.mark.parametrize(
    ("order", "replacement", "code", "words"),
    [
        (replace(OPEN, status=OrderStatus.FILLED), None, ErrorCode.CONFLICT, "is FILLED"),
        (replace(OPEN, status=OrderStatus.DENIED), None, ErrorCode.CONFLICT, "is DENIED"),
        (replace(OPEN, type=OrderType.MARKET, price=None), None, ErrorCode.UNSUPPORTED, "MARKET"),
        (replace(OPEN, cancel_requested_at=NOW), None, ErrorCode.CONFLICT, "being cancelled"),
        (OPEN, WAITING, ErrorCode.CONFLICT, "being replaced by r3-7"),
        (
            replace(OPEN, status=OrderStatus.CANCELED, cancel_code=CancelCode.AMENDED),
            replace(WAITING, status=OrderStatus.OPEN),
            ErrorCode.CONFLICT,
            "was replaced by r3-7",
        ),
        (replace(OPEN, status=OrderStatus.PENDING, replaces_id=UUID(int=3)), None, ErrorCode.CONFLICT, "amendment"),
    ],
)
def test_an_order_that_cannot_be_amended_says_why(
    order: Order, replacement: Order | None, code: ErrorCode, words: str
) -> None:
    errors = validate_amendment(request(quantity=D(5)), order, replacement)
    assert [(error.code, error.path) for error in errors] == [(code, ("id",))]
    assert words in errors[0].message


@pytest.mark.parametrize("status", [OrderStatus.DENIED, OrderStatus.REJECTED, OrderStatus.CANCELED])
def test_an_amendment_that_came_to_nothing_is_no_obstacle_to_another(status: OrderStatus) -> None:
    assert validate_amendment(request(quantity=D(5)), OPEN, replace(WAITING, status=status)) == []


def test_a_final_amendment_can_be_amended_itself() -> None:
    carried_out = replace(WAITING, status=OrderStatus.OPEN)
    assert validate_amendment(request(quantity=D(5)), carried_out, None) == []
