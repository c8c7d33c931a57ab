"""The rules on events of the users' logs: each log is read by pages, and what matches is committed with its place.

A log is read in a task of its own, since old events may be in an archive that is slow or can't be reached: then this
user's rules wait, and nobody else's.
"""

import asyncio
import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from typing import Final
from uuid import UUID

from domain.alerts.rule_book import AlertDependencies, RuleBook
from domain.alerts.triggers import WatchedRule
from domain.alerts.wording import event_value, fired_alert, message_of
from domain.core.background import cancel_and_wait
from domain.core.errors import Unavailable
from domain.model.alerts import AlertCondition, FiredAlert
from domain.model.events import NewEvent, UserEvent, UserEventKind
from domain.model.orders import OrderEvent, OrderEventKind
from domain.model.trading import Position, Signal, TradingSession, TradingSessionStatus
from domain.ports.alert_rules import RuleOutcome
from domain.ports.archive import ArchiveUnavailable
from domain.ports.leases import Lease, StaleLease

log = logging.getLogger(__name__)

PAGE: Final = 200

_Reading = asyncio.Task[list[UserEvent]]


class EventRules:
    """The rules on events of all users."""

    def __init__(self, dependencies: AlertDependencies, book: RuleBook, lease: Callable[[], Lease]) -> None:
        self._dependencies = dependencies
        self._book = book
        self._lease = lease
        self._readings: dict[UUID, tuple[int, int, _Reading]] = {}
        self._resting_until: dict[UUID, float] = {}
        self._waits_until = 0.0

    async def poll(self) -> None:
        """Take in the new events of all users who have such rules, and commit what fires with the place in the log.

        Of each user's log it is one page at a time, which is the shorter the more rules look at it: no user waits long
        for the others. Raises `Unavailable` if the database can't be reached, and `StaleLease`.
        """
        by_user: dict[UUID, list[WatchedRule]] = defaultdict(list)
        for watched in self._book.watched.values():
            if watched.rule.condition.reads_events:
                by_user[watched.rule.user_id].append(watched)
        if not by_user:
            return
        async with self._dependencies.database.read_only() as reading:
            heads = await reading.alert_rules.heads(list(by_user))
        for user_id in self._readings.keys() - by_user.keys():
            await cancel_and_wait(self._readings.pop(user_id)[2])
        self._waits_until = self._dependencies.clock.monotonic() + self._dependencies.options.reading_seconds
        for user_id, rules in by_user.items():
            if heads.get(user_id, 0) > min(watched.sequence for watched in rules) and not self._rests(user_id):
                await self._take_in(user_id, rules)

    async def close(self) -> None:
        """End what is still being read."""
        readings, self._readings = list(self._readings.values()), {}
        await cancel_and_wait(*(task for _, _, task in readings))

    def _rests(self, user_id: UUID) -> bool:
        """Return whether the user's log could not be read a moment ago."""
        until = self._resting_until.get(user_id)
        if until is not None and until <= self._dependencies.clock.monotonic():
            del self._resting_until[user_id]
        return user_id in self._resting_until

    async def _take_in(self, user_id: UUID, rules: Sequence[WatchedRule]) -> None:
        """Take in a page of a user's log; whatever is wrong with that log harms no other user's rules."""
        options, clock = self._dependencies.options, self._dependencies.clock
        try:
            events = await self._read(user_id, rules)
            if events:
                await self._commit(rules, events)
        except ArchiveUnavailable as error:
            self._resting_until[user_id] = clock.monotonic() + options.archive_pause_seconds
            log.warning("the rules on events of user %s wait for the archive: %s", user_id, error.message)
        except (Unavailable, StaleLease):
            raise
        except Exception as error:  # noqa: BLE001  # of one user's events, which must harm no other's rules
            log.warning("the rules on events of user %s could not be evaluated: %r", user_id, error)

    async def _read(self, user_id: UUID, rules: Sequence[WatchedRule]) -> list[UserEvent]:
        """Return the next page of a user's log; nothing if that takes long, and a later call returns it."""
        start = min(watched.sequence for watched in rules)
        page = max(min(PAGE, self._dependencies.options.event_matches // len(rules)), 1)
        known = self._readings.pop(user_id, None)
        if known is not None and known[:2] == (start, page):
            task = known[2]
        else:
            if known is not None:
                await cancel_and_wait(known[2])
            history = self._dependencies.database.event_history()
            task = asyncio.create_task(history.read_after(user_id, start, None, page), name=f"events:{user_id}")
            await self._wait_briefly(task)
        if task.done():
            return task.result()
        self._readings[user_id] = start, page, task
        return []

    async def _wait_briefly(self, task: _Reading) -> None:
        """Wait for a log while any of this poll's time is left: what is stored is there in milliseconds."""
        try:
            await asyncio.wait({task}, timeout=max(self._waits_until - self._dependencies.clock.monotonic(), 0))
        except asyncio.CancelledError:
            await cancel_and_wait(task)
            raise

    async def _commit(self, rules: Sequence[WatchedRule], events: Sequence[UserEvent]) -> None:
        """Commit what fires, with the place in the log up to which the rules have seen it."""
        fired: list[tuple[WatchedRule, UserEvent]] = []
        before = [(watched, watched.last_fired_at, watched.has_fired) for watched in rules]
        last = events[-1].sequence
        try:
            for event in events:
                fired += [
                    (watched, event)
                    for watched in rules
                    if event.sequence > watched.sequence and matches(watched, event) and watched.on_event(event.at)
                ]
            times = Counter(watched.rule.id for watched, _ in fired)
            outcomes = {
                watched.rule.id: RuleOutcome(
                    watched.rule.id, watched.rule.revision, None, event.at, fired=times[watched.rule.id]
                )
                for watched, event in fired
            }
            async with self._dependencies.database.transaction() as transaction:
                await transaction.leases.check(self._lease())
                stored = await transaction.alert_rules.save_outcomes(list(outcomes.values()))
                await transaction.alert_rules.save_sequence([watched.rule.id for watched in rules], last)
                alerts = [one for one in fired if one[0].rule.id in stored]
                fired_rules = [watched.rule for watched, _ in alerts]
                held_back = self._book.cap.held_back(fired_rules)
                transaction.events.append(
                    [_alert(*one) for one, beyond in zip(alerts, held_back, strict=True) if not beyond]
                )
        except BaseException:
            for watched, last_fired_at, has_fired in before:
                watched.last_fired_at, watched.has_fired = last_fired_at, has_fired
            raise
        self._book.cap.count(fired_rules, held_back, self._dependencies.clock.now())
        for watched in rules:
            watched.sequence = max(watched.sequence, last)
        for watched, _ in fired:
            self._book.discard_if_done(watched)


def matches(watched: WatchedRule, event: UserEvent) -> bool:
    """Return whether a rule is about an event. An alert of a rule sets off no other one, nor itself."""
    rule, subject = watched.rule, event.subject
    if isinstance(subject, FiredAlert):
        return False
    if rule.account_id is not None and rule.account_id != _account_of(event):
        return False
    if rule.trading_session_id is not None and rule.trading_session_id != _session_of(event):
        return False
    if rule.condition is AlertCondition.TRADING_SESSION_FAILED:
        is_failed = isinstance(subject, TradingSession) and subject.status is TradingSessionStatus.FAILED
        # The event of the status itself, not one of a later change of the session.
        return is_failed and event.message == TradingSessionStatus.FAILED.value
    if rule.condition is AlertCondition.ORDER_IN_DOUBT:
        return isinstance(subject, OrderEvent) and subject.kind is OrderEventKind.IN_DOUBT
    return event.kind in rule.event_kinds


def _alert(watched: WatchedRule, event: UserEvent) -> NewEvent:
    rule, value = watched.rule, event_value(event)
    alert = fired_alert(rule, value)
    return NewEvent(rule.user_id, event.at, UserEventKind.ALERT, alert, message_of(rule, value))


def _account_of(event: UserEvent) -> UUID | None:
    match event.subject:
        case OrderEvent(order=order):
            return order.account_id
        case Position() | TradingSession():
            return event.subject.account_id
        case _:
            return getattr(event.subject, "id", None) if event.kind is UserEventKind.ACCOUNT else None


def _session_of(event: UserEvent) -> UUID | None:
    match event.subject:
        case OrderEvent(order=order):
            return order.trading_session_id
        case Position() | Signal():
            return event.subject.trading_session_id
        case TradingSession():
            return event.subject.id
        case _:
            return None
