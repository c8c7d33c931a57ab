"""When a rule fires: as its condition becomes true, not for as long as it is true."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from domain.model.alert_rules import AlertDirection, AlertRepeat, AlertRule


@dataclass(slots=True)
class WatchedRule:
    """A rule that is looked at. What changes here is stored when it fires, or soon.

    `armed_at` is from when on it is armed: what a candle says of the time before that is not news.
    """

    rule: AlertRule
    is_armed: bool | None
    armed_at: datetime
    last_fired_at: datetime | None
    stored_armed: bool | None = None
    has_fired: bool = False
    level: Decimal = Decimal(0)
    rearm: Decimal = Decimal(0)
    is_above: bool = True
    sequence: int = 0
    """Up to which event the rule has looked at its user's log."""

    def on_condition(self, holds: bool, at: datetime) -> bool:  # the value that is looked at
        """Take in whether the condition holds; return whether the rule fires."""
        fires = holds and self.is_armed is True
        self._arm(at, is_armed=not holds)
        return fires and self._may_fire(at)

    def on_number(self, value: Decimal, at: datetime) -> bool:
        """Take in a number that has a level; return whether the rule fires."""
        return self.on_numbers((value,), at)

    def on_numbers(self, values: Sequence[Decimal], at: datetime) -> bool:
        """Take in numbers in the order in which they came; return whether the rule fires."""
        level, rearm, is_above = self.level, self.rearm, self.is_above
        fires = False
        for value in values:
            reached = value >= level if is_above else value <= level
            if reached:
                fires = fires or self.is_armed is True
                self._arm(at, is_armed=False)
            elif self.is_armed is not True and (
                self.is_armed is None or (value < rearm if is_above else value > rearm) or rearm == level
            ):
                self._arm(at, is_armed=True)
        return fires and self._may_fire(at)

    def is_touched(self, low: Decimal, high: Decimal) -> bool:
        """Return whether numbers between these can change anything: most can't, of most rules."""
        if self.is_armed is None:
            return True
        if self.is_above:
            return high >= self.level if self.is_armed else low < self.rearm or low < self.level == self.rearm
        return low <= self.level if self.is_armed else high > self.rearm or high > self.level == self.rearm

    def on_range(self, low: Decimal, high: Decimal, opened_at: datetime, at: datetime) -> bool:
        """Take in a candle, whose trades may have been missed; return whether the rule fires.

        Only a candle counts that opened since the rule is armed.
        """
        if self.is_armed is not True or opened_at < self.armed_at:
            return False
        reached = high if self.is_above else low
        return self.on_number(reached, at)

    def _arm(self, at: datetime, *, is_armed: bool) -> None:
        if is_armed and self.is_armed is not True:
            self.armed_at = at
        self.is_armed = is_armed

    def _may_fire(self, at: datetime) -> bool:
        """Return whether an alert may follow: the only one, or one that isn't too soon after the last."""
        if self.has_fired and self.rule.repeat is AlertRepeat.ONCE:
            return False
        if self.last_fired_at is not None and at - self.last_fired_at < self.rule.pause:
            return False
        self.has_fired = True
        self.last_fired_at = at
        return True

    def on_event(self, at: datetime) -> bool:
        """Take in an event that the rule is about; return whether it fires."""
        return self._may_fire(at)


def watch(rule: AlertRule, now: datetime) -> WatchedRule:
    """Return a rule as it is looked at from now on: what happened while nobody looked is no reason to fire."""
    watched = WatchedRule(rule, rule.is_armed, now, rule.last_fired_at, rule.is_armed, sequence=rule.sequence)
    if rule.level is not None:
        watched.level, watched.rearm = rule.level, rule.rearm_level
        watched.is_above = rule.direction is AlertDirection.ABOVE
    return watched
