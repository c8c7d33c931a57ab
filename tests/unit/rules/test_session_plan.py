"""The orders and prices that a session makes: pure, and the same for the same cause."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.model.definitions import ExitDistance, OrderStyle, Sizing, StrategyDefinition
from domain.model.markets import Timeframe
from domain.model.orders import OrderType, TimeInForce
from domain.model.protection import ExitLevel, ProtectionRules
from domain.model.trading import Signal, SignalAction, TradingSession
from domain.rules.entry import entry_order, entry_price, protection_rules
from domain.rules.session_plan import TradingSessionPlan, session_plan
from tests.support.orders import BTC, a_book, a_market
from tests.support.trading import ETH

AT = datetime(2026, 11, 5, 12, 30, tzinfo=UTC)
DEFINITION = StrategyDefinition(sizing=Sizing(quote_amount=Decimal(500)), enter_long="close > 0")
SESSION = TradingSession(UUID(int=1), UUID(int=2), UUID(int=3), UUID(int=4), BTC, Timeframe.M1, (), AT)
SIGNAL = Signal(UUID(int=6), UUID(int=2), UUID(int=1), AT, SignalAction.ENTER_LONG, Decimal(100), "why", AT)

MONEY = st.decimals(Decimal("0.0001"), 100_000, places=4)
DISTANCES = st.one_of(
    st.builds(lambda value: ExitDistance(percent=value), st.decimals(Decimal("0.001"), 200, places=3)),
    st.builds(lambda value: ExitDistance(absolute=value), MONEY),
    st.builds(lambda value: ExitDistance(atr_multiple=value), st.decimals(Decimal("0.01"), 50, places=2)),
)


def a_plan(**changes: object) -> TradingSessionPlan:
    return session_plan(SESSION, replace(DEFINITION, **changes), "USDT")


@given(DISTANCES, DISTANCES, MONEY)
def test_exits_are_distances_that_an_atr_is_computed_into(
    stop: ExitDistance, profit: ExitDistance, atr: Decimal
) -> None:
    definition = replace(DEFINITION, stop_loss=stop, take_profit=profit, max_holding_bars=3)
    rules = protection_rules(definition, Timeframe.M5, atr)
    assert rules is not None
    assert (rules.maximum_bars, rules.timeframe, rules.trailing_stop) == (3, Timeframe.M5, None)
    for distance, level in ((stop, rules.stop_loss), (profit, rules.take_profit)):
        by_atr = None if distance.atr_multiple is None else distance.atr_multiple * atr
        assert level == ExitLevel(percent=distance.percent, absolute=distance.absolute or by_atr)


def test_exits_that_need_an_unknown_atr_have_no_rules() -> None:
    by_atr = ExitDistance(atr_multiple=Decimal(2))
    assert protection_rules(replace(DEFINITION, trailing_stop=by_atr), Timeframe.M1, None) is None
    assert protection_rules(DEFINITION, Timeframe.M1, None) == ProtectionRules()


def test_the_same_signal_makes_the_same_client_order_id() -> None:
    again = replace(SIGNAL, id=UUID(int=99))
    ids = {
        entry_order(a_plan(), UUID(int=7), BTC, signal, Decimal(1), Decimal(1), AT).client_order_id
        for signal in (SIGNAL, again)
    }
    other = replace(SIGNAL, candle_at=AT + timedelta(minutes=1))
    ids_of_both = ids | {entry_order(a_plan(), UUID(int=7), BTC, other, Decimal(1), Decimal(1), AT).client_order_id}
    assert (len(ids), len(ids_of_both)) == (1, 2)
    elsewhere = entry_order(a_plan(), UUID(int=7), ETH, SIGNAL, Decimal(1), Decimal(1), AT).client_order_id
    assert elsewhere not in ids_of_both


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
    order = entry_order(plan, UUID(int=7), BTC, SIGNAL, Decimal(1), Decimal(99), AT)
    assert (order.time_in_force, order.expires_at, order.post_only) == (
        TimeInForce.GTD,
        AT + timedelta(seconds=60),
        True,
    )


def test_a_session_that_sizes_by_volatility_waits_for_the_candles_of_its_atr() -> None:
    volatile = replace(SESSION, sizing=Sizing(volatility_percent=Decimal(1)))
    plan = session_plan(volatile, DEFINITION, "USDT")
    assert plan.sizing == volatile.sizing
    assert plan.candles_needed > a_plan().candles_needed
