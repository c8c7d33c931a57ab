"""What is stored of a rule, and which one is looked at, while alerts of it wait to be committed."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, cast
from uuid import UUID

from domain.alerts.rule_book import AlertDependencies, RuleBook
from domain.model.alert_rules import AlertDirection, AlertRepeat, AlertRule, AlertRuleStatus
from domain.model.alerts import AlertCondition
from tests.support.clocks import ManualClock

AT = datetime(2026, 6, 1, 12, tzinfo=UTC)
RULE = AlertRule(
    UUID(int=1), UUID(int=2), "poor", AlertCondition.EQUITY, AlertRepeat.EACH_TIME, 0, AlertRuleStatus.ACTIVE, AT,
    direction=AlertDirection.BELOW, level=Decimal(100), is_armed=True,
)  # fmt: skip


def a_book() -> RuleBook:
    nothing = cast("Any", None)
    book = RuleBook(AlertDependencies(nothing, nothing, nothing, ManualClock(), "node:1"))
    book.replace([RULE])
    return book


def test_that_a_rule_is_no_longer_armed_is_stored_by_its_alert_and_not_before() -> None:
    book = a_book()
    watched = book.watched[RULE.id]
    assert watched.on_number(Decimal(99), AT)
    book.fire(watched, AT, "99")
    assert book.moved(10) == []
    taken = book.firings.take(10)
    assert book.moved(10) == [], "nor while the alert is being committed"
    book.firings.put_back(taken)
    assert book.moved(10) == [], "nor after that failed"
    book.firings.finish(book.firings.take(10))
    assert book.moved(10) == [watched]


def test_a_rule_that_was_changed_while_its_alert_was_committed_is_looked_at_as_it_is_now() -> None:
    book = a_book()
    before = book.watched[RULE.id]
    book.replace([replace(RULE, revision=RULE.revision + 1)])
    book.discard(before)
    assert RULE.id in book.watched
    book.discard(book.watched[RULE.id])
    assert book.watched == {}
