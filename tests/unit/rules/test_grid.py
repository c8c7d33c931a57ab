"""Prices in whole ticks and quantities in whole lots: never above what was asked, and always what the market takes."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.model.orders import OrderType
from domain.rules.grid import Grid, grid_of
from tests.support.orders import D, a_market

STEPS = st.sampled_from([D("1E-8"), D("0.00001"), D("0.01"), D("0.025"), D("0.5"), D(1), D(25), D(0)])
AMOUNTS = st.integers(0, 10**24).map(lambda units: Decimal(units).scaleb(-12))
TYPES = st.sampled_from(OrderType)


@st.composite
def grids(draw: st.DrawFn) -> Grid:
    most, most_at_market = draw(AMOUNTS), draw(AMOUNTS)
    market = a_market(
        price_increment=draw(STEPS), quantity_increment=draw(STEPS), minimum_quantity=draw(AMOUNTS),
        maximum_quantity=draw(st.sampled_from([None, most])),
        maximum_market_quantity=draw(st.sampled_from([None, most_at_market])),
    )  # fmt: skip
    return grid_of(market, draw(TYPES))


@given(grids(), AMOUNTS)
def test_counts_are_of_the_nearest_point_of_the_grid_that_is_not_above(grid: Grid, amount: Decimal) -> None:
    ticks, lots = grid.ticks_down(amount), grid.lots_down(amount)
    assert grid.price(ticks) <= amount < grid.price(ticks + 1)
    assert grid.has_price(amount) == (grid.price(ticks) == amount)
    assert grid.quantity(lots) <= amount < grid.quantity(lots + 1)
    assert grid.has_quantity(amount) == (grid.quantity(lots) == amount)


@given(grids(), st.integers(0, 10**15))
def test_a_count_is_found_again_from_its_price_and_its_quantity(grid: Grid, count: int) -> None:
    assert grid.ticks_down(grid.price(count)) == count
    assert grid.lots_down(grid.quantity(count)) == count


@given(grids(), AMOUNTS)
def test_the_largest_order_is_on_the_grid_within_the_limit_and_leaves_less_than_a_lot(
    grid: Grid, quantity: Decimal
) -> None:
    size = grid.largest_order(quantity)
    assert 0 <= size <= quantity
    assert grid.has_quantity(size)
    if grid.most_lots is None:
        assert quantity - size < grid.lot
    else:
        assert size <= grid.quantity(grid.most_lots)


@pytest.mark.parametrize(
    ("order_type", "largest"), [(OrderType.MARKET, D(2)), (OrderType.TRAILING_STOP, D(2)), (OrderType.LIMIT, D(7))]
)
def test_orders_at_the_market_have_limits_of_their_own(order_type: OrderType, largest: Decimal) -> None:
    market = a_market(maximum_quantity=D(7), maximum_market_quantity=D("2.000001"))
    assert grid_of(market, order_type).largest_order(D(100)) == largest


def test_an_order_below_the_least_quantity_or_the_least_value_is_too_small() -> None:
    grid = grid_of(a_market(minimum_quantity=D("0.1"), minimum_notional=D(5)), OrderType.LIMIT)
    assert grid.is_too_small(D("0.09999"), D(1000))
    assert grid.is_too_small(D("0.1"), D("49.99"))
    assert not grid.is_too_small(D("0.1"), D(50))


def test_what_is_less_than_a_lot_makes_no_order_large_enough() -> None:
    grid = grid_of(a_market(quantity_increment=D("0.01"), minimum_notional=D(5)), OrderType.MARKET)
    assert grid.is_too_small(D("0.1099"), D(49))
    assert not grid.is_too_small(D("0.1099"), D(50))


def test_a_least_value_that_does_not_apply_to_market_orders_does_not() -> None:
    market = a_market(minimum_notional=D(5), notional_at_market=False)
    assert not grid_of(market, OrderType.MARKET).is_too_small(D("0.001"), D(1))
    assert grid_of(market, OrderType.LIMIT).is_too_small(D("0.001"), D(1))
