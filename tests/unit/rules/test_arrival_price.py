from dataclasses import replace

from domain.model.orders import OrderType
from domain.rules.order_lifecycle import arrival_price
from tests.support.orders import D, a_book, an_order


def test_slippage_is_measured_from_the_middle_of_the_book() -> None:
    assert arrival_price(an_order(), a_book(bid="99", ask="100")) == D("99.5")


def test_slippage_of_an_order_that_waits_for_a_price_is_measured_from_that() -> None:
    for type_ in (OrderType.STOP, OrderType.STOP_LIMIT, OrderType.TAKE_PROFIT, OrderType.TAKE_PROFIT_LIMIT):
        assert arrival_price(an_order(type=type_, stop_price=D(103)), a_book()) == 103


def test_without_both_sides_of_a_book_there_is_nothing_to_measure_from() -> None:
    assert arrival_price(an_order(), None) is None
    assert arrival_price(an_order(), replace(a_book(), asks=())) is None
