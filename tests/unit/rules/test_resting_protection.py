from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.core.errors import ErrorCode
from domain.model.order_side import OrderSide
from domain.model.orders import CancelCode, Order, OrderRole, OrderStatus, OrderType, RejectCode, TimeInForce
from domain.model.protection import ExitLevel, PositionProtection, ProtectAt, ProtectionRules
from domain.model.venue_abilities import VenueAbilities
from domain.rules.direction import Direction
from domain.rules.order_groups import without_rivals
from domain.rules.protected_position import protection_state
from domain.rules.protection import ExitCause, ProtectionState
from domain.rules.resting_protection import (
    RestingEnd,
    RestingPauses,
    RestingPlan,
    RestingStep,
    acts_by_itself,
    passed_cause,
    plan_resting,
    resting_end,
    resting_step,
    venue_errors,
)
from tests.support.orders import BTC, NOW, D, a_market, an_order

GROUP, PROTECTION = UUID(int=50), UUID(int=60)
PAUSES = RestingPauses(timedelta(seconds=2), timedelta(seconds=5))
LONG_AGO, JUST_NOW = timedelta(hours=1), timedelta(0)
ALL = VenueAbilities(
    (OrderType.MARKET, OrderType.LIMIT, OrderType.STOP, OrderType.TAKE_PROFIT),
    (TimeInForce.GTC,),
    post_only=True,
    timeframes=(),
    order_lists=True,
)
LONE = replace(ALL, order_lists=False)
NONE = replace(ALL, order_types=(OrderType.MARKET, OrderType.LIMIT), order_lists=False)


def protection(**changes: object) -> PositionProtection:
    order, rules = an_order(), ProtectionRules(stop_loss=ExitLevel(percent=D(2)))
    known = PositionProtection(PROTECTION, order.user_id, order.account_id, BTC, rules, NOW, reference_price=D(100))
    return replace(known, **changes)


def a_stop(**changes: object) -> Order:
    facts: dict[str, object] = {
        "id": UUID(int=10),
        "side": OrderSide.SELL,
        "type": OrderType.STOP,
        "role": OrderRole.STOP_LOSS,
        "price": None,
        "stop_price": D(90),
        "status": OrderStatus.OPEN,
        "reduce_only": True,
        "protection_id": PROTECTION,
    }
    return an_order(**(facts | changes))


def a_profit(**changes: object) -> Order:
    facts = {"id": UUID(int=11), "type": OrderType.TAKE_PROFIT, "role": OrderRole.TAKE_PROFIT, "stop_price": D(110)}
    return a_stop(**(facts | changes))


def a_pair(**changes: object) -> tuple[Order, Order]:
    return a_stop(group_id=GROUP, **changes), a_profit(group_id=GROUP, **changes)


def ticks(price: object) -> int:
    return int(D(str(price)) / a_market().price_increment)


PAIR = RestingPlan(D(1), D(90), D(110))
STOP = RestingPlan(D(1), D(90))


# -- what is to rest


def test_both_prices_rest_where_the_venue_has_groups_and_else_the_stop_alone() -> None:
    state = ProtectionState(stop_loss=ticks(90), take_profit=ticks(110))
    assert plan_resting(state, D("1.5"), a_market(), ALL) == RestingPlan(D("1.5"), D(90), D(110))
    assert plan_resting(state, D("1.5"), a_market(), LONE) == RestingPlan(D("1.5"), D(90))
    assert plan_resting(state, D("1.5"), a_market(), NONE).is_empty
    assert plan_resting(state, D("1.5"), a_market(), None).is_empty


def test_prices_rest_on_the_tick_of_now() -> None:
    market = a_market(price_increment=D(10))
    state = protection_state(
        protection(stop_loss_price=D("90.01"), take_profit_price=D("110.01")), market, Direction.LONG
    )
    assert plan_resting(state, D(1), market, ALL) == RestingPlan(D(1), D(90), D(120))


def test_a_take_profit_rests_alone() -> None:
    plan = plan_resting(ProtectionState(take_profit=ticks(110)), D(1), a_market(), LONE)
    assert plan == RestingPlan(D(1), None, D(110))


@pytest.mark.parametrize(
    ("stop_loss", "high_water", "price", "role"),
    [(90, 100, 95, OrderRole.TRAILING_STOP), (97, 100, 97, OrderRole.STOP_LOSS)],
)
def test_the_nearer_of_both_stops_rests(stop_loss: int, high_water: int, price: int, role: OrderRole) -> None:
    state = ProtectionState(stop_loss=ticks(stop_loss), trail=ticks(5), high_water=ticks(high_water))
    plan = plan_resting(state, D(1), a_market(), ALL)
    assert (plan.stop_price, plan.role) == (D(price), role)


def test_what_is_too_little_for_an_order_rests_nowhere() -> None:
    market = a_market()
    state = ProtectionState(stop_loss=ticks(90))
    assert plan_resting(state, market.quantity_increment / 2, market, ALL).is_empty
    costly = replace(market, minimum_notional=D(91))
    assert plan_resting(state, D(1), costly, ALL).is_empty  # worth 90 when it is triggered


def test_no_more_rests_than_one_order_may_sell() -> None:
    market = replace(a_market(), maximum_quantity=D(5), maximum_market_quantity=D(2))
    assert plan_resting(ProtectionState(stop_loss=ticks(90)), D(9), market, ALL).quantity == D(2)


@given(st.decimals("0.00001", "100", places=5), st.integers(1, 99))
def test_what_rests_is_never_more_than_what_is_held(quantity: Decimal, price: int) -> None:
    plan = plan_resting(ProtectionState(stop_loss=ticks(price)), quantity, a_market(), ALL)
    assert 0 <= plan.quantity <= quantity
    assert plan.quantity % a_market().quantity_increment == 0


# -- what is done


def test_what_does_not_rest_yet_is_placed_and_what_is_as_planned_stays() -> None:
    assert resting_step(PAIR, (), (), LONG_AGO, PAUSES) is RestingStep.PLACE
    assert resting_step(RestingPlan(), (), (), LONG_AGO, PAUSES) is RestingStep.KEEP
    assert resting_step(PAIR, a_pair(), a_pair(), LONG_AGO, PAUSES) is RestingStep.KEEP
    assert resting_step(STOP, (a_stop(),), (a_stop(),), LONG_AGO, PAUSES) is RestingStep.KEEP


@pytest.mark.parametrize(
    "status", [OrderStatus.PENDING, OrderStatus.SUBMITTED, OrderStatus.IN_DOUBT, OrderStatus.PENDING_CANCEL]
)
def test_nothing_is_done_while_an_outcome_is_open(status: OrderStatus) -> None:
    other = replace(STOP, stop_price=D(95))
    assert resting_step(other, (a_stop(status=status),), (), LONG_AGO, PAUSES) is RestingStep.KEEP
    assert resting_step(RestingPlan(), (a_stop(status=status),), (), LONG_AGO, PAUSES) is RestingStep.KEEP


def test_nothing_is_done_about_an_order_that_is_triggered_or_fills() -> None:
    for order in (a_stop(triggered_at=NOW), a_stop(status=OrderStatus.PARTIALLY_FILLED, filled_quantity=D("0.1"))):
        assert resting_step(replace(STOP, quantity=D(9)), (order,), (order,), LONG_AGO, PAUSES) is RestingStep.KEEP


def test_one_order_is_replaced_and_two_are_cancelled_first() -> None:
    larger = D(2)
    assert resting_step(replace(STOP, quantity=larger), (a_stop(),), (), LONG_AGO, PAUSES) is RestingStep.REPLACE
    assert resting_step(replace(PAIR, quantity=larger), a_pair(), (), LONG_AGO, PAUSES) is RestingStep.CANCEL
    assert resting_step(PAIR, (a_stop(),), (), LONG_AGO, PAUSES) is RestingStep.CANCEL
    assert resting_step(STOP, a_pair(), (), LONG_AGO, PAUSES) is RestingStep.CANCEL
    assert resting_step(RestingPlan(), (a_stop(),), (), JUST_NOW, PAUSES) is RestingStep.CANCEL


def test_more_is_protected_after_a_pause_and_less_at_once() -> None:
    assert resting_step(replace(STOP, quantity=D(2)), (a_stop(),), (), JUST_NOW, PAUSES) is RestingStep.KEEP
    assert resting_step(replace(STOP, quantity=D("0.5")), (a_stop(),), (), JUST_NOW, PAUSES) is RestingStep.REPLACE


@pytest.mark.parametrize(
    ("moved", "age", "step"),
    [
        (D("0.4"), LONG_AGO, RestingStep.KEEP),
        (D("0.5"), timedelta(seconds=4), RestingStep.KEEP),
        (D("0.5"), timedelta(seconds=5), RestingStep.REPLACE),
    ],
)
def test_a_trailing_stop_follows_by_steps_and_not_too_often(moved: Decimal, age: timedelta, step: RestingStep) -> None:
    plan = RestingPlan(D(1), D(90) + moved, role=OrderRole.TRAILING_STOP, step=D("0.5"))
    order = a_stop(role=OrderRole.TRAILING_STOP)
    assert resting_step(plan, (order,), (order,), age, PAUSES) is step


def test_the_step_of_a_trailing_stop_is_a_part_of_its_distance() -> None:
    state = ProtectionState(trail=ticks(10), high_water=ticks(100))
    assert plan_resting(state, D(1), a_market(), ALL).step == D("0.5")


def test_an_order_whose_group_has_lost_the_other_is_asked_for() -> None:
    stop, profit = a_pair()
    ended = replace(stop, status=OrderStatus.FILLED)
    assert resting_step(PAIR, (profit,), (ended, profit), LONG_AGO, PAUSES) is RestingStep.QUERY


# -- what has become of it


@pytest.mark.parametrize(
    ("changes", "end"),
    [
        ({"status": OrderStatus.OPEN}, RestingEnd.NOTHING),
        ({"status": OrderStatus.REJECTED, "reject_code": RejectCode.STOP_PRICE}, RestingEnd.PASSED),
        ({"status": OrderStatus.REJECTED, "reject_code": RejectCode.TOO_MANY_ORDERS}, RestingEnd.REFUSED),
        ({"status": OrderStatus.DENIED}, RestingEnd.REFUSED),
        ({"status": OrderStatus.EXPIRED}, RestingEnd.REFUSED),
        ({"status": OrderStatus.CANCELED}, RestingEnd.DISMISSED),
        ({"status": OrderStatus.CANCELED, "cancel_code": CancelCode.REQUESTED}, RestingEnd.DISMISSED),
        ({"status": OrderStatus.CANCELED, "cancel_code": CancelCode.PROTECTION}, RestingEnd.NOTHING),
        ({"status": OrderStatus.CANCELED, "cancel_code": CancelCode.EXIT}, RestingEnd.NOTHING),
        ({"status": OrderStatus.CANCELED, "cancel_code": CancelCode.TOO_OLD}, RestingEnd.NOTHING),
        ({"status": OrderStatus.EXPIRED, "filled_quantity": D("0.1")}, RestingEnd.NOTHING),
    ],
)
def test_why_it_no_longer_rests(changes: dict[str, object], end: RestingEnd) -> None:
    assert resting_end((a_stop(id=UUID(int=9), status=OrderStatus.REJECTED), a_stop(**changes))) is end
    assert resting_end(a_pair(**changes)) is end


def test_one_order_of_a_group_that_filled_explains_the_end_of_the_other() -> None:
    stop, profit = a_pair(status=OrderStatus.CANCELED)
    assert resting_end((stop, replace(profit, filled_quantity=D(1), status=OrderStatus.FILLED))) is RestingEnd.NOTHING
    assert resting_end(()) is RestingEnd.NOTHING


def test_which_price_the_market_has_passed_follows_from_those_that_it_has_had() -> None:
    assert passed_cause(PAIR, [D(90)]) is ExitCause.STOP_LOSS
    assert passed_cause(PAIR, [D(100), D(110)]) is ExitCause.TAKE_PROFIT
    assert passed_cause(replace(PAIR, stop_price=None), []) is ExitCause.TAKE_PROFIT
    assert passed_cause(replace(STOP, role=OrderRole.TRAILING_STOP), [D(200)]) is ExitCause.TRAILING_STOP


@pytest.mark.parametrize("prices", [[], [D(91), D(109)], [D(89), D(111)]])
def test_it_is_not_guessed_which_of_two_prices_the_market_has_passed(prices: list[Decimal]) -> None:
    assert passed_cause(PAIR, prices) is ExitCause.PASSED


def test_an_order_does_the_engines_work_only_if_it_rests_at_the_engines_price_or_nearer() -> None:
    assert acts_by_itself(a_stop(), ExitCause.STOP_LOSS, D(90))
    assert acts_by_itself(a_profit(), ExitCause.TAKE_PROFIT, D(90))
    assert not acts_by_itself(a_stop(), ExitCause.TRAILING_STOP, D("90.01"))
    assert not acts_by_itself(a_stop(), ExitCause.TAKE_PROFIT, None)
    assert not acts_by_itself(a_stop(), ExitCause.TIME, None)
    assert not acts_by_itself(a_stop(status=OrderStatus.IN_DOUBT), ExitCause.STOP_LOSS, D(90))
    assert not acts_by_itself(a_stop(cancel_requested_at=NOW), ExitCause.STOP_LOSS, D(90))


# -- what is refused, and what counts once


@pytest.mark.parametrize(
    ("abilities", "stop", "profit", "code"),
    [
        (ALL, True, True, None),
        (LONE, True, False, None),
        (LONE, False, True, None),
        (LONE, True, True, ErrorCode.UNSUPPORTED),
        (NONE, True, False, ErrorCode.UNSUPPORTED),
        (NONE, False, True, ErrorCode.UNSUPPORTED),
        (None, True, False, ErrorCode.UNSUPPORTED),
        (ALL, False, False, ErrorCode.INVALID),
    ],
)
def test_what_can_not_rest_at_the_venue_is_refused_by_name_if_it_must(
    abilities: VenueAbilities | None, stop: bool, profit: bool, code: ErrorCode | None
) -> None:
    def errors(place: ProtectAt) -> list[ErrorCode]:
        found = venue_errors(place, "kraken", abilities, ("input", "protectAt"), stop=stop, profit=profit)
        return [error.code for error in found]

    assert errors(ProtectAt.VENUE) == ([] if code is None else [code])
    assert errors(ProtectAt.BEST) == errors(ProtectAt.ENGINE) == []


def test_of_a_group_one_order_counts() -> None:
    stop, profit = a_pair()
    lone = a_stop(id=UUID(int=12))
    assert without_rivals((stop, profit, lone)) == (stop, lone)
    assert without_rivals((profit,)) == (profit,)


def test_a_target_that_is_partly_filled_is_left_alone_when_more_is_bought_and_what_it_leaves_rests_afterwards() -> None:
    grown, stop = replace(PAIR, quantity=D(2)), a_stop(group_id=GROUP, status=OrderStatus.EXPIRED)
    partly = a_profit(group_id=GROUP, status=OrderStatus.PARTIALLY_FILLED, filled_quantity=D("0.5"), triggered_at=NOW)
    assert resting_step(grown, (partly,), (stop, partly), LONG_AGO, PAUSES) is RestingStep.QUERY
    ended = replace(partly, status=OrderStatus.EXPIRED)
    assert resting_end((stop, ended)) is RestingEnd.NOTHING
    assert resting_step(replace(PAIR, quantity=D("1.5")), (), (stop, ended), LONG_AGO, PAUSES) is RestingStep.PLACE
