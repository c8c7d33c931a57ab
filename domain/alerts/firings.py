"""What fires and is to be committed: at most once for each rule, fair among users, and so many alerts a minute."""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from domain.alerts.triggers import WatchedRule
from domain.alerts.wording import fired_alert
from domain.model.alert_rules import AlertRepeat, AlertRule
from domain.model.events import NewEvent, UserEventKind

ALERTS_PER_MINUTE: Final = 60
"""How many alerts of rules that repeat a user gets each minute; the others are counted in one more."""

_MINUTE: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Firing:
    """That a rule fires at a time, with the value that made it; `value` is for people."""

    watched: WatchedRule
    at: datetime
    value: str | None

    @property
    def rule(self) -> AlertRule:
        """The rule that fires."""
        return self.watched.rule


class FiringQueue:
    """The firings that wait; users take turns, so that nobody waits behind all of another one's."""

    def __init__(self) -> None:
        self._by_user: OrderedDict[UUID, OrderedDict[UUID, Firing]] = OrderedDict()
        self._taken: set[UUID] = set()

    def __len__(self) -> int:
        return sum(map(len, self._by_user.values()))

    def add(self, firing: Firing) -> None:
        """Have a rule fire; one that waits to be committed gives way."""
        self._by_user.setdefault(firing.rule.user_id, OrderedDict())[firing.rule.id] = firing

    def take(self, most: int) -> list[Firing]:
        """Remove and return the next firings: one of each user, then another one of each."""
        taken: list[Firing] = []
        while self._by_user and len(taken) < most:
            user_id, firings = self._by_user.popitem(last=False)
            taken.append(firings.popitem(last=False)[1])
            if firings:
                self._by_user[user_id] = firings
        self._taken.update(firing.rule.id for firing in taken)
        return taken

    def finish(self, firings: Sequence[Firing]) -> None:
        """Forget firings that were taken, and are committed."""
        self._taken.difference_update(firing.rule.id for firing in firings)

    def has(self, rule: AlertRule) -> bool:
        """Return whether a firing of the rule isn't committed yet."""
        return rule.id in self._taken or rule.id in self._by_user.get(rule.user_id, ())

    def put_back(self, firings: Sequence[Firing]) -> None:
        """Keep firings that could not be committed, unless their rules have fired again."""
        self.finish(firings)
        for firing in firings:
            self._by_user.setdefault(firing.rule.user_id, OrderedDict()).setdefault(firing.rule.id, firing)


@dataclass(slots=True)
class _Minute:
    """A user's minute: since when, the alerts in it, how many were held back, and a rule whose alert was."""

    since: datetime
    sent: int = 0
    held_back: int = 0
    rule: AlertRule | None = None


class AlertCap:
    """Bounds the alerts of rules that repeat which each user gets in a minute."""

    def __init__(self, per_minute: int = ALERTS_PER_MINUTE) -> None:
        self._per_minute = per_minute
        self._minutes: dict[UUID, _Minute] = {}

    def held_back(self, rules: Iterable[AlertRule]) -> list[bool]:
        """Return which alerts of these rules, in their order, are more than their users get in this minute."""
        room: dict[UUID, int] = {}
        beyond = []
        for rule in rules:
            if rule.repeat is AlertRepeat.ONCE:
                beyond.append(False)
                continue
            minute = self._minutes.get(rule.user_id)
            left = room.setdefault(rule.user_id, self._per_minute - (minute.sent if minute else 0))
            beyond.append(left <= 0)
            room[rule.user_id] = left - 1
        return beyond

    def count(self, rules: Sequence[AlertRule], held_back: Sequence[bool], now: datetime) -> None:
        """Count alerts that were committed, and those that were held back."""
        for rule, is_held_back in zip(rules, held_back, strict=True):
            if rule.repeat is AlertRepeat.ONCE:
                continue
            minute = self._minutes.setdefault(rule.user_id, _Minute(now))
            if is_held_back:
                minute.held_back += 1
                minute.rule = minute.rule or rule
            else:
                minute.sent += 1

    def take_notices(self, now: datetime) -> list[NewEvent]:
        """Return one alert for each user of whom some were held back in the minute that has ended, which is over then.

        It says how many. They are in the order of the users' ids.
        """
        over = [
            user_id for user_id, minute in self._minutes.items() if not minute.since <= now < minute.since + _MINUTE
        ]
        ended = [self._minutes.pop(user_id) for user_id in sorted(over)]
        return [self._notice(minute.rule, minute.held_back, now) for minute in ended if minute.rule is not None]

    def _notice(self, rule: AlertRule, held_back: int, now: datetime) -> NewEvent:
        message = (
            f"{held_back:,} alerts of your rules were held back, beginning with one of {rule.name}: in a minute "
            f"you get {self._per_minute} from rules that repeat. Give them a cooldown or a hysteresis."
        )
        # An alert of a rule sets off no other one: this doesn't either. All channels that take alerts get it.
        alert = replace(fired_alert(rule, None), channel_ids=())
        return NewEvent(rule.user_id, now, UserEventKind.ALERT, alert, message)
