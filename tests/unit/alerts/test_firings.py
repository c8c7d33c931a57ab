"""What fires is committed once for each rule, users take turns, and nobody is flooded."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from domain.alerts.firings import AlertCap, Firing, FiringQueue
from domain.alerts.triggers import watch
from domain.model.alert_rules import AlertRepeat, AlertRule, AlertRuleStatus
from domain.model.alerts import AlertCondition, FiredAlert

AT = datetime(2026, 6, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def rule(number: int, user: int = 1, repeat: AlertRepeat = AlertRepeat.EACH_TIME) -> AlertRule:
    return AlertRule(
        UUID(int=number),
        UUID(int=user),
        f"rule {number}",
        AlertCondition.FEED,
        repeat,
        0,
        AlertRuleStatus.ACTIVE,
        AT,
        channel_ids=(UUID(int=9),),
    )


def firing(number: int, user: int = 1, value: str = "first") -> Firing:
    return Firing(watch(rule(number, user), AT), AT, value)


def test_a_rule_that_fires_again_before_it_is_committed_waits_once() -> None:
    queue = FiringQueue()
    for count in range(1_000):
        queue.add(firing(1, value=str(count)))
    assert len(queue) == 1
    (taken,) = queue.take(10)
    assert taken.value == "999"
    assert queue.take(10) == []


def test_nobody_waits_behind_all_rules_of_another() -> None:
    queue = FiringQueue()
    for number in range(500):
        queue.add(firing(number, user=1))
    queue.add(firing(1_000, user=2))
    queue.add(firing(1_001, user=3))
    first = queue.take(4)
    assert [one.rule.user_id.int for one in first] == [1, 2, 3, 1]
    assert len(queue.take(1_000)) == 498


def test_what_could_not_be_committed_waits_again_unless_it_has_fired_again() -> None:
    queue = FiringQueue()
    queue.add(firing(1))
    queue.add(firing(2))
    taken = queue.take(2)
    queue.add(firing(1, value="again"))
    queue.put_back(taken)
    assert {(one.rule.id.int, one.value) for one in queue.take(10)} == {(1, "again"), (2, "first")}


def test_a_user_gets_so_many_alerts_a_minute_and_then_how_many_were_held_back() -> None:
    cap = AlertCap(per_minute=3)
    rules = [*(rule(number) for number in range(5)), rule(10, repeat=AlertRepeat.ONCE), rule(20, user=2)]
    held_back = cap.held_back(rules)
    assert held_back == [False, False, False, True, True, False, False], "what alerts once isn't held back"
    cap.count(rules, held_back, AT)
    again = [rule(6), rule(21, user=2)]
    assert cap.held_back(again) == [True, False]
    cap.count(again, [True, False], AT + MINUTE / 2)
    assert cap.take_notices(AT + MINUTE / 2) == []

    (notice,) = cap.take_notices(AT + MINUTE)
    assert notice.user_id == UUID(int=1)
    assert str(notice.message).startswith("3 alerts of your rules were held back, beginning with one of rule 3")
    assert isinstance(notice.subject, FiredAlert), "no rule on alerts is set off by it"
    assert notice.subject.channel_ids == (), "it goes to all channels"
    assert cap.take_notices(AT + MINUTE) == []
    assert cap.held_back(rules[:3]) == [False] * 3


def test_what_was_not_committed_does_not_count() -> None:
    cap = AlertCap(per_minute=1)
    assert cap.held_back([rule(1)]) == cap.held_back([rule(1)]) == [False]


def test_a_clock_that_is_set_back_begins_a_new_minute() -> None:
    cap = AlertCap(per_minute=1)
    cap.count([rule(1)], [False], AT)
    assert cap.take_notices(AT - timedelta(days=1)) == []
    assert cap.held_back([replace(rule(1), revision=2)]) == [False]
