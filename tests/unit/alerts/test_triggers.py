"""A rule fires as its condition becomes true: once for each crossing, and never for what was so already."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.alerts.triggers import WatchedRule, watch
from domain.model.alert_rules import AlertDirection, AlertRepeat, AlertRule, AlertRuleStatus
from domain.model.alerts import AlertCondition

AT = datetime(2026, 6, 1, 12, tzinfo=UTC)


def rule(**changes: Any) -> AlertRule:
    values: dict[str, Any] = {
        "id": UUID(int=1),
        "user_id": UUID(int=2),
        "name": "dear",
        "condition": AlertCondition.PRICE,
        "repeat": AlertRepeat.EACH_TIME,
        "cooldown_seconds": 0,
        "status": AlertRuleStatus.ACTIVE,
        "created_at": AT,
        "direction": AlertDirection.ABOVE,
        "level": Decimal(100),
    }
    return AlertRule(**{**values, **changes})


def firings(watched: WatchedRule, prices: list[int | str], *, every: float = 60.0) -> list[int]:
    """Return at which of the prices the rule fires."""
    fired = []
    for place, price in enumerate(prices):
        if watched.on_number(Decimal(price), AT + timedelta(seconds=place * every)):
            fired.append(place)
    return fired


def test_it_fires_at_each_crossing_and_not_while_the_price_stays_beyond() -> None:
    assert firings(watch(rule(), AT), [99, 100, 101, 102, 99, 101, 101]) == [1, 5]
    below = rule(direction=AlertDirection.BELOW)
    assert firings(watch(below, AT), [101, 100, 99, 101, 98]) == [1, 4]


def test_a_price_that_is_beyond_already_fires_nothing() -> None:
    assert firings(watch(rule(), AT), [105, 106, 99, 101]) == [3]


def test_once_is_once() -> None:
    assert firings(watch(rule(repeat=AlertRepeat.ONCE), AT), [99, 101, 99, 101]) == [1]


def test_within_the_cooldown_a_crossing_is_passed_over() -> None:
    watched = watch(rule(cooldown_seconds=180), AT)
    assert firings(watched, [99, 101, 99, 101, 99, 101]) == [1, 5]


def test_a_price_that_hovers_around_its_level_fires_once_with_hysteresis() -> None:
    watched = watch(rule(hysteresis_percent=Decimal(2)), AT)
    assert firings(watched, [97, 100, 99, 100, 98, 101, "97.9", 100]) == [1, 7]
    below = watch(rule(direction=AlertDirection.BELOW, hysteresis_percent=Decimal(2)), AT)
    assert firings(below, [103, 100, 101, 99, 103, 100]) == [1, 5]


def test_a_negative_equity_is_left_behind_on_the_right_side() -> None:
    watched = watch(rule(level=Decimal(-100), hysteresis_percent=Decimal(10)), AT)
    assert firings(watched, [-120, -100, -105, -100, -111, -90]) == [1, 5]


def test_several_trades_at_once_are_taken_in_their_order() -> None:
    watched = watch(rule(), AT)
    assert not watched.on_numbers([Decimal(101), Decimal(99)], AT), "it was beyond, and is back"
    assert watched.on_numbers([Decimal(101), Decimal(99)], AT), "beyond and back within one message"
    assert watched.on_numbers([Decimal(101)], AT + timedelta(minutes=1))


def test_after_a_restart_a_crossing_that_happened_meanwhile_fires_if_the_price_is_still_there() -> None:
    assert firings(watch(rule(is_armed=True), AT), [101]) == [0]
    assert firings(watch(rule(is_armed=False), AT), [101, 99, 101]) == [2]
    assert firings(watch(rule(is_armed=None), AT), [101, 99, 101]) == [2]


def test_after_a_restart_the_cooldown_goes_on() -> None:
    watched = watch(rule(is_armed=True, cooldown_seconds=60, last_fired_at=AT - timedelta(seconds=30)), AT)
    assert firings(watched, [101, 99, 101], every=20) == [2]


def test_a_candle_counts_only_if_it_opened_since_the_rule_is_armed() -> None:
    watched = watch(rule(is_armed=True), AT)
    low, high, minute = Decimal(95), Decimal(101), timedelta(minutes=1)
    assert not watched.on_range(low, high, AT - minute, AT), "it is from before the rule was looked at"
    assert watched.on_range(low, high, AT, AT + minute), "its trades were missed"
    assert not watched.on_range(low, high, AT + minute, AT + 2 * minute), "the price hasn't been seen to go back"
    watched.on_number(Decimal(99), AT + 3 * minute)
    assert not watched.on_range(low, high, AT + 2 * minute, AT + 3 * minute), "what crossed was before that"


def test_a_condition_fires_as_it_becomes_true() -> None:
    watched = watch(rule(condition=AlertCondition.INDICATOR, level=None, direction=None), AT)
    values = [True, True, False, True, True, False, True]
    fired = [watched.on_condition(value, AT + timedelta(minutes=place)) for place, value in enumerate(values)]
    assert fired == [False, False, False, True, False, False, True]


@pytest.mark.parametrize(
    ("condition", "repeat", "cooldown", "seconds"),
    [
        (AlertCondition.PRICE, AlertRepeat.EACH_TIME, 0, 10),
        (AlertCondition.INDICATOR, AlertRepeat.EACH_TIME, 3, 10),
        (AlertCondition.FEED, AlertRepeat.EACH_TIME, 30, 30),
        (AlertCondition.EQUITY, AlertRepeat.EACH_TIME, 0, 10),
        (AlertCondition.EVENT, AlertRepeat.EACH_TIME, 0, 1),
        (AlertCondition.ORDER_IN_DOUBT, AlertRepeat.EACH_TIME, 5, 5),
        (AlertCondition.PRICE, AlertRepeat.ONCE, 0, 0),
    ],
)
def test_a_rule_that_repeats_leaves_some_time_between_two_alerts(
    condition: AlertCondition, repeat: AlertRepeat, cooldown: int, seconds: int
) -> None:
    asked = rule(condition=condition, repeat=repeat, cooldown_seconds=cooldown)
    assert asked.pause == timedelta(seconds=seconds)


def test_a_price_that_crosses_with_each_trade_fires_every_ten_seconds() -> None:
    assert len(firings(watch(rule(), AT), [99, 101] * 500, every=0.1)) == 10
    events = watch(rule(condition=AlertCondition.EVENT), AT)
    assert sum(events.on_event(AT + timedelta(milliseconds=place)) for place in range(10_000)) == 10


@pytest.mark.parametrize("direction", list(AlertDirection))
@given(prices=st.lists(st.integers(90, 110), max_size=60), hysteresis=st.integers(0, 5))
def test_between_two_alerts_the_price_was_back_beyond_the_hysteresis(
    direction: AlertDirection, prices: list[int], hysteresis: int
) -> None:
    watched = watch(rule(direction=direction, hysteresis_percent=Decimal(hysteresis)), AT)
    sign = 1 if direction is AlertDirection.ABOVE else -1
    fired = firings(watched, list(prices))
    assert all(sign * (prices[place] - 100) >= 0 for place in fired)
    for first, second in zip([-1, *fired], fired, strict=False):
        between = prices[first + 1 : second]
        assert any(
            sign * (price - 100) < -hysteresis
            or (first == -1 and sign * (price - 100) < 0)
            or (hysteresis == 0 and sign * (price - 100) < 0)
            for price in between
        )
