"""How much of a position one order closes."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.core.money import is_multiple
from domain.model.markets import MarketSymbol
from domain.model.order_side import OrderSide
from domain.model.orders import OrderRole
from domain.model.protection import PositionIntent
from domain.model.trading import Balance
from domain.trading.exit_plan import ExitPlan, has_lots, orders_to_release, plan_exit
from domain.trading.exit_retry import is_late, retry_delay
from tests.support.orders import NOW, a_market, an_order

MARKET = replace(a_market(), quantity_increment=Decimal("0.01"), minimum_quantity=Decimal("0.01"))
PRICE = Decimal(100)
AMOUNTS = st.decimals(0, 1000, places=4)


def held(total: str, free: str) -> Balance:
    return Balance("BTC", Decimal(total), Decimal(free))


@given(AMOUNTS, AMOUNTS, AMOUNTS, st.one_of(st.none(), st.decimals(1, 50, places=2)))
def test_no_more_is_sold_than_is_meant_held_and_allowed(
    target: Decimal, total: Decimal, locked: Decimal, most: Decimal | None
) -> None:
    market = replace(MARKET, maximum_market_quantity=most)
    balance = Balance("BTC", total, max(total - locked, Decimal(0)))
    plan = plan_exit(target, market, PRICE, balance)
    assert 0 <= plan.quantity <= min(target, balance.free, most or target)
    assert is_multiple(plan.quantity, market.quantity_increment)
    assert plan.missing == max(target - total, Decimal(0))
    assert 0 <= plan.locked <= max(total - balance.free, Decimal(0))


@pytest.mark.parametrize(
    ("balance", "plan"),
    [
        (None, ExitPlan(Decimal("5.12"))),
        (held("6", "6"), ExitPlan(Decimal("5.12"))),
        (held("4", "4"), ExitPlan(Decimal(4), missing=Decimal("1.125"))),
        (held("6", "2"), ExitPlan(Decimal(2), locked=Decimal("3.125"))),
        (held("4", "1"), ExitPlan(Decimal(1), missing=Decimal("1.125"), locked=Decimal(3))),
        (held("0", "0"), ExitPlan(Decimal(0), missing=Decimal("5.125"))),
    ],
)
def test_what_is_missing_or_locked_is_known_by_the_balance_alone(balance: Balance | None, plan: ExitPlan) -> None:
    assert plan_exit(Decimal("5.125"), MARKET, PRICE, balance) == plan


def test_what_is_too_small_for_an_order_isnt_ordered() -> None:
    worth_little = replace(MARKET, minimum_notional=Decimal(10))
    assert plan_exit(Decimal("0.009"), MARKET, PRICE, None).quantity == 0
    assert plan_exit(Decimal("0.09"), worth_little, PRICE, None).quantity == 0
    assert plan_exit(Decimal("0.1"), worth_little, PRICE, None).quantity == Decimal("0.1")


def test_less_than_a_lot_is_left_of_nearly_every_position() -> None:
    assert not has_lots(Decimal(0), MARKET)
    assert not has_lots(Decimal("0.0099"), MARKET)
    assert has_lots(Decimal("0.01"), MARKET)


def test_orders_that_lock_what_an_exit_sells_are_released_newest_first_as_many_as_it_takes() -> None:
    sale = an_order(id=UUID(int=1), side=OrderSide.SELL, quantity=Decimal(2))
    spends = an_order(
        id=UUID(int=2), market=MarketSymbol("sandbox", "ETH/BTC"), quantity=Decimal(20), price=Decimal("0.05")
    )
    entry = replace(spends, id=UUID(int=3), role=OrderRole.ENTRY, trading_session_id=UUID(int=9))
    others = (
        an_order(id=UUID(int=4)),
        an_order(id=UUID(int=5), side=OrderSide.SELL, reduce_only=True),
        an_order(id=UUID(int=6), side=OrderSide.SELL, role=OrderRole.STOP_LOSS),
        an_order(id=UUID(int=7), side=OrderSide.SELL, market=MarketSymbol("sandbox", "ETH/BTC")),
        an_order(id=UUID(int=8), side=OrderSide.SELL, market=MarketSymbol("other", "BTC/USDT")),
    )
    active = (sale, spends, entry, *others)
    assert orders_to_release(active, MARKET, Decimal("0.5")) == (entry,)
    assert orders_to_release(active, MARKET, Decimal("1.5")) == (entry, spends)
    assert orders_to_release(active, MARKET, Decimal(9)) == (entry, spends, sale)


def test_an_exit_is_tried_again_ever_more_slowly_and_never_given_up() -> None:
    seconds = [retry_delay(failures).total_seconds() for failures in (1, 2, 3, 4, 5, 6, 10, 11, 1000)]
    assert seconds == [1, 2, 4, 8, 16, 30, 30, 60, 60]


@pytest.mark.parametrize("failures", [1, 5, 11])
def test_an_exit_is_tried_again_after_its_pause_or_once_the_clock_was_set_back(failures: int) -> None:
    pause = retry_delay(failures)
    failed = PositionIntent(
        UUID(int=1), UUID(int=2), UUID(int=3), MARKET.symbol, OrderRole.CLOSE, "asked for", NOW,
        failures=failures, next_try_at=NOW + pause,
    )  # fmt: skip
    assert not is_late(failed, NOW)
    assert not is_late(failed, NOW + pause / 2)
    assert is_late(failed, NOW + pause)
    assert is_late(failed, NOW - timedelta(hours=1))
    assert is_late(failed.changed(next_try_at=None), NOW)
