"""No number that the API takes makes a check raise, however absurd the order and the limits are."""

from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from domain.core.money import EXACT, divide, is_multiple, parse_decimal, round_down, rounded
from domain.model.order_side import OrderSide
from domain.model.orders import Order, OrderType
from domain.model.trading import RiskLimits
from domain.risk.checks import check_order
from domain.risk.context import LimitScope, LossRecord, RiskContext
from domain.rules.order_request import OrderRequest, validate_order
from tests.support.orders import BTC, NOW, D, a_book, a_market, an_order
from tests.unit.risk.test_checks import context, position

LIMITS = st.sampled_from([None, D("1E-38"), D(1), D("1E37"), D("9.9999999999999999999999999999999999999E37")])


@st.composite
def accepted(draw: st.DrawFn) -> Decimal:
    """Draw any number above zero that `parse_decimal` takes: 38 digits, and 38 places on either side of the point."""
    digits = draw(st.integers(1, 10**38 - 1))
    lowest = -38
    highest = 38 - len(str(digits))
    return parse_decimal(f"{digits}E{draw(st.integers(lowest, highest))}")


extremes = st.one_of(accepted(), st.sampled_from(["1E37", "1E-38", "9" * 38, "0." + "9" * 38]).map(Decimal))


@st.composite
def orders(draw: st.DrawFn) -> Order:
    kind = draw(st.sampled_from(OrderType))
    return an_order(
        type=kind,
        side=draw(st.sampled_from(OrderSide)),
        quantity=draw(extremes),
        price=draw(extremes) if kind.has_price else None,
        stop_price=draw(extremes) if kind.has_stop_price else None,
        reduce_only=draw(st.booleans()),
    )


@st.composite
def contexts(draw: st.DrawFn) -> RiskContext:
    limits = RiskLimits(
        price_collar_percent=draw(LIMITS),
        max_order_notional=draw(LIMITS),
        max_position_notional=draw(LIMITS),
        max_daily_loss=draw(LIMITS),
        max_drawdown_percent=draw(LIMITS),
    )
    losses = LossRecord(daily_loss=draw(extremes), drawdown_percent=draw(extremes))
    held = position(draw(extremes))
    return context(
        position=held,
        quote_rate=draw(st.one_of(st.none(), extremes)),
        scopes=(LimitScope("the account", limits, positions=(held,), losses=losses),),
    )


@given(orders(), contexts())
@example(
    an_order(type=OrderType.STOP_LIMIT, price=D("1E37"), stop_price=D("1E-38")),
    context(scopes=(LimitScope("the account", RiskLimits(price_collar_percent=D(5))),)),
)
def test_no_accepted_number_makes_a_check_raise(order: Order, risk: RiskContext) -> None:
    for denial in check_order(order, risk):
        assert denial.message


@given(extremes, extremes, extremes)
def test_arithmetic_answers_for_every_accepted_number(one: Decimal, two: Decimal, three: Decimal) -> None:
    product = EXACT.multiply(EXACT.multiply(one, two), three)
    for value in (divide(one, two), divide(product, three), rounded(product), rounded(divide(two, product))):
        assert value.is_finite()
    assert is_multiple(one, one)
    assert round_down(one, two) <= one


@given(extremes, extremes, extremes)
def test_an_order_is_invalid_with_a_number_that_no_venue_could_take(
    quantity: Decimal, price: Decimal, stop_price: Decimal
) -> None:
    request = OrderRequest(an_order().account_id, BTC, OrderSide.BUY, OrderType.STOP_LIMIT, quantity, price, stop_price)
    wrong = {error.path[-1]: error.message for error in validate_order(request, None, a_market(), NOW)}
    for name, value in (("quantity", quantity), ("price", price), ("stopPrice", stop_price)):
        sendable = value < D("1E18") and is_multiple(value, D("1E-18"))
        assert (name in wrong) == (not sendable), (name, value, wrong.get(name))


@pytest.mark.parametrize(
    ("quantity", "message"),
    [
        (D("1E18"), "The quantity must be below 1000000000000000000."),
        (D("1E-19"), "The quantity has more than 18 decimals."),
    ],
)
def test_what_is_wrong_with_a_number_is_named(quantity: Decimal, message: str) -> None:
    request = OrderRequest(an_order().account_id, BTC, OrderSide.BUY, OrderType.MARKET, quantity)
    assert message in [error.message for error in validate_order(request, None, a_market(), NOW)]


def test_a_market_order_beyond_every_book_is_judged() -> None:
    assert check_order(an_order(type=OrderType.MARKET, price=None, quantity=D("1E37")), context(depth=a_book()))
