from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.model.order_side import OrderSide
from domain.model.orders import Fill
from domain.model.trading import Position
from domain.portfolio.positions import apply_fill, close_dust, unrealized_profit
from tests.support.orders import NOW, D, a_fill, a_market

BUY, SELL = OrderSide.BUY, OrderSide.SELL
MARKET = a_market()


def after(*fills: Fill) -> list[Position]:
    """Return every position that the fills make, oldest first."""
    past: list[Position] = []
    current: Position | None = None
    for number, fill in enumerate(fills):
        current = apply_fill(current, fill, MARKET, UUID(int=100 + number))
        if current is not None and current.closed_at is not None:
            past.append(current)
            current = None
    return [*past, *([current] if current else [])]


def test_buying_more_averages_the_price() -> None:
    (position,) = after(a_fill(BUY, 1, 100), a_fill(BUY, 3, 120))
    assert (position.quantity, position.average_price) == (4, 115)
    assert position.realized_profit == 0


def test_a_position_is_opened_by_its_earliest_purchase_even_if_that_is_reported_late() -> None:
    first, second = a_fill(BUY, 1, 100), replace(a_fill(BUY, 3, 120), at=NOW + timedelta(seconds=1))
    for fills in ((first, second), (second, first)):
        (position,) = after(*fills)
        assert (position.quantity, position.average_price, position.opened_at) == (4, 115, NOW)


def test_selling_part_realises_part_and_keeps_the_average() -> None:
    (position,) = after(a_fill(BUY, 2, 100), a_fill(SELL, 1, 110, fee=1))
    assert (position.quantity, position.average_price, position.realized_profit) == (1, 100, 9)
    assert position.closed_at is None


def test_selling_all_closes_the_position() -> None:
    (position,) = after(a_fill(BUY, 2, 100), a_fill(SELL, 2, 90))
    assert (position.quantity, position.realized_profit, position.closed_at) == (0, -20, NOW)


def test_a_quantity_of_very_many_digits_is_sold_to_the_last_of_them() -> None:
    quantity = "123456789012345678.123456789999999999"
    (position,) = after(a_fill(BUY, quantity, 1), a_fill(SELL, quantity, 2))
    assert (position.quantity, position.closed_at, position.realized_profit) == (0, NOW, D(quantity))


def test_a_fee_in_base_lessens_the_quantity_and_is_valued_at_the_price() -> None:
    (position,) = after(a_fill(BUY, 1, 100, fee="0.001", currency="BTC"))
    assert position.quantity == D("0.999")
    assert position.fees == D("0.1")
    assert position.realized_profit == D("-0.1")


def test_a_fee_in_a_third_currency_counts_by_the_rate_of_its_fill() -> None:
    paid = replace(a_fill(BUY, 1, 100, fee="0.01", currency="BNB"), fee_rate=D(600))
    sold = replace(a_fill(SELL, 1, 110, fee="0.01", currency="BNB"), fee_rate=D(610))
    (position,) = after(paid, sold)
    assert (position.quantity, position.fees, position.realized_profit) == (0, D("12.1"), D("-2.1"))
    assert position.unpriced_fees == ()


def test_a_fee_whose_worth_is_not_known_is_named() -> None:
    known = replace(a_fill(BUY, 1, 100, fee="0.01", currency="BNB"), fee_rate=D(600))
    unknown = [a_fill(BUY, 1, 100, fee=5, currency=currency) for currency in ("BNB", "BNB", "XYZ")]
    (position,) = after(known, *unknown)
    assert (position.quantity, position.fees, position.realized_profit) == (4, 6, -6)
    assert position.unpriced_fees == ("BNB", "XYZ")
    (free,) = after(a_fill(BUY, 1, 100, fee=0, currency="BNB"))
    assert free.unpriced_fees == ()


def test_selling_more_than_the_position_sells_holdings_and_opens_no_short() -> None:
    (closed,) = after(a_fill(BUY, 1, 100), a_fill(SELL, 3, 110, fee=3))
    assert (closed.quantity, closed.realized_profit, closed.fees, closed.closed_at) == (0, 9, 1, NOW)


def test_selling_holdings_makes_no_position_and_buying_afterwards_opens_one() -> None:
    assert after(a_fill(SELL, 3, 110, fee=2)) == []
    (opened,) = after(a_fill(SELL, 3, 110, fee=2), a_fill(BUY, 1, 90))
    assert (opened.quantity, opened.average_price, opened.realized_profit) == (1, 90, 0)


@pytest.mark.parametrize(
    ("left", "dust"),
    [("0.000009", True), ("0.04", True), ("0.05", False), ("0.050009", False)],
    ids=["below the lot", "below the notional", "at the notional", "at the notional, with a part of a lot"],
)
def test_what_cannot_be_sold_closes_the_position_as_dust(left: str, dust: bool) -> None:
    (position,) = after(a_fill(BUY, left, 100))
    swept = close_dust(position, MARKET, D(100), NOW)
    if dust:
        assert (swept.quantity, swept.dust, swept.closed_at) == (0, D(left), NOW)
    else:
        assert swept is position


amounts = st.integers(1, 10**6).map(lambda n: Decimal(n) / 1000)
prices = st.integers(1, 10**7).map(lambda n: Decimal(n) / 100)


@st.composite
def random_fills(draw: st.DrawFn) -> Fill:
    quantity = draw(amounts)
    currency = draw(st.sampled_from(["BTC", "USDT", "BNB"]))
    fee = quantity * draw(st.integers(0, 10)) / 1000
    fill = a_fill(draw(st.sampled_from(OrderSide)), quantity, draw(prices), fee, currency)
    return replace(fill, fee_rate=draw(prices)) if currency == "BNB" else fill


@given(st.lists(random_fills(), min_size=1, max_size=30), prices)
def test_quantity_and_profit_are_what_the_fills_of_positions_moved(fills: list[Fill], mark: Decimal) -> None:
    """What is sold beyond a position is no part of it: the fills' cash less that of holdings is the positions' own."""
    quantity, cash, fees = D(0), D(0), D(0)
    for fill in fills:
        moved = fill.side.sign * fill.quantity - (fill.fee if fill.fee_currency == "BTC" else 0)
        kept = max(quantity + moved, D(0))
        share = (kept - quantity) / moved if moved else D(1)
        quantity, fees = kept, fees + share * worth_in_quote(fill)
        cash -= share * (moved * fill.price + worth_in_quote(fill))
    positions = after(*fills)
    assert abs(sum((position.quantity for position in positions), D(0)) - quantity) < D("1e-9")
    earned = sum((p.realized_profit + unrealized_profit(p, mark) for p in positions), D(0))
    assert abs(earned - (cash + quantity * mark)) < D("1e-9")
    assert abs(sum((position.fees for position in positions), D(0)) - fees) < D("1e-9")
    assert all(position.quantity == 0 for position in positions[:-1])
    assert all(position.quantity >= 0 for position in positions)


def worth_in_quote(fill: Fill) -> Decimal:
    return fill.fee * {"BTC": fill.price, "USDT": D(1), "BNB": fill.fee_rate or D(0)}[fill.fee_currency]
