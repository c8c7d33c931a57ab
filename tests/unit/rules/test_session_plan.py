"""The orders and prices that a session makes: pure, and the same for the same cause."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.core.money import is_multiple, round_down
from domain.model.definitions import ExitDistance, OrderStyle, Sizing, StrategyDefinition
from domain.model.markets import Timeframe
from domain.model.orders import OrderRole, OrderType, TimeInForce
from domain.model.trading import Position, Signal, SignalAction, TradingSession
from domain.rules.session_plan import (
    TradingSessionPlan,
    entry_order,
    entry_price,
    exit_order,
    exit_triggered_by,
    protection,
    session_plan,
)
from tests.support.orders import BTC, a_book, a_market

AT = datetime(2026, 11, 5, 12, 30, tzinfo=UTC)
DEFINITION = StrategyDefinition(sizing=Sizing(quote_amount=Decimal(500)), enter_long="close > 0")
SESSION = TradingSession(UUID(int=1), UUID(int=2), UUID(int=3), UUID(int=4), BTC, Timeframe.M1, (), AT)
POSITION = Position(UUID(int=5), UUID(int=2), UUID(int=4), BTC, UUID(int=1), AT, quantity=Decimal("1.23456"))
SIGNAL = Signal(UUID(int=6), UUID(int=2), UUID(int=1), AT, SignalAction.ENTER_LONG, Decimal(100), "why", AT)

MONEY = st.decimals(Decimal("0.0001"), 100_000, places=4)
STEPS = st.sampled_from([Decimal("0.01"), Decimal("0.5"), Decimal(10)])
DISTANCES = st.one_of(
    st.builds(lambda value: ExitDistance(percent=value), st.decimals(Decimal("0.001"), 200, places=3)),
    st.builds(lambda value: ExitDistance(absolute=value), MONEY),
    st.builds(lambda value: ExitDistance(atr_multiple=value), st.decimals(Decimal("0.01"), 50, places=2)),
)


def a_plan(**changes: object) -> TradingSessionPlan:
    return session_plan(SESSION, replace(DEFINITION, **changes), a_market(), "USDT")


@given(MONEY, STEPS, DISTANCES, DISTANCES, MONEY)
def test_protection_lies_on_the_grid_and_on_its_own_side_of_the_entry(
    entry: Decimal, step: Decimal, stop: ExitDistance, profit: ExitDistance, atr: Decimal
) -> None:
    plan = a_plan(stop_loss=stop, take_profit=profit)
    plan = replace(plan, market=replace(plan.market, price_increment=step))
    stop_price, profit_price = protection(plan, entry, atr)
    assert stop_price is None or (0 < stop_price < entry and is_multiple(stop_price, step))
    assert profit_price is not None
    assert profit_price > entry
    assert is_multiple(profit_price, step)


@given(MONEY.filter(lambda entry: entry > 1), st.decimals(1, 50, places=2))
def test_rounding_never_widens_a_stop_that_is_farther_than_the_grid(entry: Decimal, percent: Decimal) -> None:
    plan = a_plan(stop_loss=ExitDistance(percent=percent))
    plan = replace(plan, market=replace(plan.market, price_increment=Decimal("0.001")))
    stop_price, _ = protection(plan, entry, None)
    assert stop_price is not None
    assert entry - stop_price <= entry * percent / 100


def test_without_distances_there_is_no_protection() -> None:
    assert protection(a_plan(), Decimal(100), None) == (None, None)


def test_the_stop_loss_wins_if_a_price_reaches_both() -> None:
    both = replace(POSITION, stop_loss_price=Decimal(100), take_profit_price=Decimal(100))
    assert exit_triggered_by(both, Decimal(100)) is OrderRole.STOP_LOSS
    assert exit_triggered_by(both, Decimal(101)) is OrderRole.TAKE_PROFIT
    assert exit_triggered_by(POSITION, Decimal(1)) is None


def test_the_same_signal_makes_the_same_client_order_id() -> None:
    again = replace(SIGNAL, id=UUID(int=99))
    ids = {
        entry_order(a_plan(), UUID(int=7), signal, Decimal(1), Decimal(1), AT).client_order_id
        for signal in (SIGNAL, again)
    }
    other = replace(SIGNAL, candle_at=AT + timedelta(minutes=1))
    ids_of_both = ids | {entry_order(a_plan(), UUID(int=7), other, Decimal(1), Decimal(1), AT).client_order_id}
    assert (len(ids), len(ids_of_both)) == (1, 2)


def test_an_exit_sells_what_can_be_sold_and_each_try_is_another_order() -> None:
    plan = a_plan()
    orders = [exit_order(plan, UUID(int=8), POSITION, OrderRole.EXIT, ordinal, AT) for ordinal in range(3)]
    assert {order.quantity for order in orders} == {round_down(POSITION.quantity, plan.market.quantity_increment)}
    assert len({order.client_order_id for order in orders}) == 3
    assert all(order.reduce_only and order.quantity <= POSITION.quantity for order in orders)
    assert exit_order(plan, UUID(int=8), replace(POSITION, quantity=Decimal("1e-12")), OrderRole.EXIT, 0, AT) is None


def test_an_exit_is_no_larger_than_one_order_may_be() -> None:
    plan = a_plan()
    plan = replace(plan, market=replace(plan.market, maximum_quantity=Decimal(1)))
    assert exit_order(plan, UUID(int=8), POSITION, OrderRole.EXIT, 0, AT).quantity == 1


@pytest.mark.parametrize(
    ("style", "price"),
    [
        (OrderStyle(), Decimal("100.02")),
        (OrderStyle(OrderType.LIMIT), Decimal("99.98")),
        (OrderStyle(OrderType.LIMIT, offset_bps=Decimal(100)), Decimal("98.98")),
    ],
)
def test_an_entry_takes_the_best_ask_or_rests_below_the_best_bid(style: OrderStyle, price: Decimal) -> None:
    assert entry_price(style, a_book(bid="99.98", ask="100.02"), Decimal(50), a_market()) == price
    assert entry_price(OrderStyle(), None, Decimal(50), a_market()) == 50


def test_an_entry_that_is_to_be_given_up_has_its_end_in_it() -> None:
    plan = a_plan(order=OrderStyle(OrderType.LIMIT, give_up_after_seconds=60, post_only=True))
    order = entry_order(plan, UUID(int=7), SIGNAL, Decimal(1), Decimal(99), AT)
    assert (order.time_in_force, order.expires_at, order.post_only) == (
        TimeInForce.GTD,
        AT + timedelta(seconds=60),
        True,
    )


def test_a_session_that_sizes_by_volatility_waits_for_the_candles_of_its_atr() -> None:
    volatile = replace(SESSION, sizing=Sizing(volatility_percent=Decimal(1)))
    plan = session_plan(volatile, DEFINITION, a_market(), "USDT")
    assert plan.sizing == volatile.sizing
    assert plan.candles_needed > a_plan().candles_needed
