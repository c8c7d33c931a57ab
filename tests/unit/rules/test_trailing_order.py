from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.model.order_side import OrderSide
from domain.model.orders import OrderType
from domain.rules.trailing_order import Trail, start_trail, step_trail
from tests.support.orders import NOW, D, a_market, an_order

MARKET = a_market()
SELL = an_order(side=OrderSide.SELL, type=OrderType.TRAILING_STOP, price=None, trail_absolute=D(5))
BUY = an_order(side=OrderSide.BUY, type=OrderType.TRAILING_STOP, price=None, trail_absolute=D(5))
PERCENT = an_order(side=OrderSide.SELL, type=OrderType.TRAILING_STOP, price=None, trail_percent=D(10))
PRICES = st.decimals(D("10"), D("1000"), places=2)


def test_a_sell_follows_the_price_up_and_is_triggered_when_it_falls_back() -> None:
    trail = start_trail(SELL, D(100), NOW, MARKET)
    assert trail == Trail(D(100), D(95))
    for price, stop in ((D(110), D(105)), (D(107), D(105)), (D("105.01"), D(105))):
        trail = step_trail(SELL, trail, price, NOW, MARKET)
        assert (trail.stop_price, trail.is_triggered) == (stop, False)
    assert step_trail(SELL, trail, D(105), NOW, MARKET).is_triggered


def test_a_buy_follows_the_price_down_and_is_triggered_when_it_rises() -> None:
    trail = start_trail(BUY, D(100), NOW, MARKET)
    assert trail.stop_price == D(105)
    trail = step_trail(BUY, trail, D(90), NOW, MARKET)
    assert (trail.high_water, trail.stop_price, trail.is_triggered) == (D(90), D(95), False)
    assert step_trail(BUY, trail, D(95), NOW, MARKET).is_triggered


def test_a_percentage_is_one_of_the_best_price() -> None:
    trail = step_trail(PERCENT, start_trail(PERCENT, D(100), NOW, MARKET), D(200), NOW, MARKET)
    assert (trail.high_water, trail.stop_price) == (D(200), D(180))


@pytest.mark.parametrize("order", [SELL, BUY, PERCENT])
@given(first=PRICES, prices=st.lists(PRICES, max_size=20))
def test_the_stop_never_moves_away_from_the_market_and_triggers_at_it_alone(
    order: object, first: Decimal, prices: list[Decimal]
) -> None:
    held = order if isinstance(order, type(SELL)) else SELL
    sign = -held.side.sign
    trail = start_trail(held, first, NOW, MARKET)
    for price in prices:
        after = step_trail(held, trail, price, NOW, MARKET)
        assert (after.stop_price - trail.stop_price) * sign >= 0
        assert after.is_triggered == ((price - after.stop_price) * sign <= 0)
        if after.is_triggered:
            break
        trail = after
