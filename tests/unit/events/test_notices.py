from dataclasses import replace
from uuid import UUID

import pytest

from domain.events.notices import ANYTHING, EventNotice, decode_notices, encode_notices, notices_of
from domain.model.events import NewEvent, UserEventKind
from domain.model.orders import Order, OrderEvent, OrderEventKind, OrderRole, OrderStatus
from domain.model.trading import Position
from tests.support.orders import BTC, NOW, D, an_order

USER, ACCOUNT = UUID(int=2), UUID(int=3)


def step(order: Order) -> NewEvent:
    return NewEvent(order.user_id, NOW, UserEventKind.ORDER, OrderEvent(OrderEventKind.ACCEPTED, order))


@pytest.mark.parametrize("status", sorted(set(OrderStatus)))
def test_a_step_of_an_order_by_hand_asks_for_nothing_but_its_market_until_it_has_ended(status: OrderStatus) -> None:
    notice = EventNotice(ACCOUNT) if status.is_final else EventNotice(ACCOUNT, BTC)
    assert notices_of([step(an_order(status=status))]) == {USER: {notice}}


@pytest.mark.parametrize(
    "change",
    [
        {"trading_session_id": UUID(int=9)},
        {"parent_id": UUID(int=9)},
        {"replaces_id": UUID(int=9)},
        {"signal_id": UUID(int=9)},
        {"reduce_only": True},
        {"role": OrderRole.CLOSE},
    ],
)
def test_an_order_on_which_something_depends_wakes_what_looks_after_the_account(change: dict[str, object]) -> None:
    assert notices_of([step(an_order(status=OrderStatus.OPEN, **change))]) == {USER: {EventNotice(ACCOUNT)}}


def test_a_fill_and_a_position_wake_what_looks_after_the_account() -> None:
    fill = replace(step(an_order(status=OrderStatus.OPEN)), kind=UserEventKind.FILL)
    position = Position(UUID(int=8), USER, ACCOUNT, BTC, None, NOW, D(1))
    moved = NewEvent(USER, NOW, UserEventKind.POSITION, position)
    assert notices_of([fill]) == notices_of([moved]) == {USER: {EventNotice(ACCOUNT)}}


def test_a_halt_may_concern_every_account_and_an_alert_none() -> None:
    halt, alert = NewEvent(USER, NOW, UserEventKind.HALT), NewEvent(USER, NOW, UserEventKind.ALERT)
    assert notices_of([halt]) == {USER: {EventNotice()}}
    assert notices_of([alert]) == {USER: set()}


@pytest.mark.parametrize("notices", [set(), {EventNotice()}, {EventNotice(ACCOUNT), EventNotice(ACCOUNT, BTC)}])
def test_notices_survive_the_bus(notices: set[EventNotice]) -> None:
    assert set(decode_notices(encode_notices(notices))) == notices


@pytest.mark.parametrize("message", [ANYTHING, b"2\n*", b"1\nnonsense", b"1\n* nonsense", b"\xff"])
def test_a_message_that_is_not_understood_means_that_anything_may_have_changed(message: bytes) -> None:
    assert decode_notices(message) == [EventNotice()]
