"""Reduce-only orders are lessened to the position, the newest first, and never below what they have filled."""

from dataclasses import replace
from decimal import Decimal
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from domain.model.order_side import OrderSide
from domain.model.orders import Order, OrderStatus, OrderType
from domain.rules.reduce_only import oversized_orders
from tests.support.orders import D, an_order

AMOUNTS = st.decimals(Decimal("0.01"), 100, places=2)


def resting(*quantities: Decimal) -> list[Order]:
    return [
        an_order(
            id=UUID(int=number), side=OrderSide.SELL, quantity=quantity, status=OrderStatus.OPEN, reduce_only=True,
            venue_order_id=str(number),
        )
        for number, quantity in enumerate(quantities, 1)
    ]  # fmt: skip


@given(st.lists(AMOUNTS, max_size=6), st.one_of(st.just(Decimal(0)), AMOUNTS))
def test_what_is_left_to_fill_is_no_more_than_the_position_and_older_orders_come_first(
    quantities: list[Decimal], held: Decimal
) -> None:
    orders = resting(*quantities)
    changed = dict(zip(orders, (order.quantity for order in orders), strict=True))
    lessened = list(oversized_orders(orders, held))
    for order, left in lessened:
        assert 0 <= left < order.quantity
        changed[order] = left
    assert sum(changed.values(), Decimal(0)) == min(sum(quantities, Decimal(0)), held)
    assert [order.id for order, _ in lessened] == [order.id for order in reversed(orders)][: len(lessened)]
    assert all(left == 0 for _, left in lessened[:-1])


def test_an_order_that_waits_for_its_trigger_counts_only_once_nothing_is_held() -> None:
    (order,) = resting(D(1))
    waiting = replace(order, type=OrderType.TRAILING_STOP, venue_order_id=None)
    assert waiting.is_held
    assert list(oversized_orders([waiting], D("0.5"))) == []
    assert list(oversized_orders([waiting], D(0))) == [(waiting, D(0))]
