"""Evaluates all alert rules on one node at a time, and commits what fires.

A firing, the state of its rule and the event are one transaction that checks the lease, so that two nodes never alert
of the same thing, and a rule that was changed or deleted meanwhile fires no more.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Final, NoReturn
from uuid import UUID

from domain.alerts.event_rules import EventRules
from domain.alerts.firings import Firing
from domain.alerts.rule_book import AlertDependencies, RuleBook
from domain.alerts.slow_rules import poll_equity, poll_feeds
from domain.alerts.wording import fired_alert, message_of
from domain.core.background import TaskGroup
from domain.core.errors import Unavailable
from domain.core.wakeup import Wakeup
from domain.events.leases import RELEASED_TOPIC, RENEW_SECONDS, LeaseHandle, acquire_lease
from domain.model.alert_rules import AlertRepeat
from domain.model.events import NewEvent, UserEventKind
from domain.ports.alert_rules import RuleOutcome
from domain.ports.leases import Lease, StaleLease

log = logging.getLogger(__name__)

RULES_TOPIC: Final = "alert-rules"
"""Carries the id of a user whose rules have changed; a lost message costs `reload_seconds`."""

LEASE: Final = ("alerts", "rules")


class AlertEvaluator:
    """Evaluates rules while it has the lease. Every worker may: one at a time does."""

    def __init__(self, dependencies: AlertDependencies) -> None:
        self._dependencies = dependencies
        self._database = dependencies.database
        self._options = dependencies.options

    async def run(self) -> None:
        """Evaluate rules whenever no other node does, until cancelled."""
        released = Wakeup()

        def on_released(message: bytes) -> None:
            if message == LEASE[0].encode():
                released.set()

        subscription = await self._dependencies.bus.subscribe(RELEASED_TOPIC, on_released)
        try:
            await self._evaluate_for_ever(released)
        finally:
            await subscription.close()

    async def _evaluate_for_ever(self, released: Wakeup) -> NoReturn:
        while True:
            released.clear()
            try:
                async with self._lease() as lease:
                    if lease is not None:
                        await self._evaluate(lease)
            except Unavailable as error:
                log.warning("alert rules wait for the database: %s", error.message)
            except StaleLease:
                log.info("another node evaluates the alert rules now")
            except Exception:
                log.exception("the evaluation of alert rules failed and is started again")
            await released.wait(self._options.claim_seconds)

    @asynccontextmanager
    async def _lease(self) -> AsyncIterator[LeaseHandle | None]:
        dependencies = self._dependencies
        lease = await acquire_lease(self._database, dependencies.clock, *LEASE, dependencies.holder)
        try:
            yield lease
        finally:
            if lease is not None:
                try:
                    await lease.release()
                    await dependencies.bus.publish(RELEASED_TOPIC, LEASE[0].encode())
                except Unavailable:
                    log.info("the lease of the alert rules ends by itself")

    async def _evaluate(self, lease: LeaseHandle) -> None:
        book = RuleBook(self._dependencies)
        events = EventRules(self._dependencies, book, lambda: _held(lease))
        changed: set[UUID] = set()
        reload = Wakeup()

        def on_change(message: bytes) -> None:
            if len(message) == len(UUID(int=0).bytes):
                changed.add(UUID(bytes=message))
            reload.set()

        subscription = await self._dependencies.bus.subscribe(RULES_TOPIC, on_change, reload.set)
        try:
            async with TaskGroup() as group:
                await self._reload(book, ())
                group.create_task(self._keep_lease(lease))
                group.create_task(self._follow_changes(book, changed, reload))
                group.create_task(self._commit_loop(book, lease))
                group.create_task(self._poll_loop(events, book, lease, reload))
        except* (Unavailable, StaleLease) as errors:
            raise errors.exceptions[0] from None
        finally:
            await subscription.close()
            await events.close()
            await book.close()

    async def _keep_lease(self, lease: LeaseHandle) -> None:
        while True:
            pause = RENEW_SECONDS
            try:
                if not await lease.renew():
                    raise StaleLease("the lease of the alert rules was lost")
            except Unavailable as error:
                log.warning("the lease of the alert rules could not be renewed: %s", error.message)
                _held(lease)
                pause = self._options.poll_seconds
            await asyncio.sleep(pause)

    async def _follow_changes(self, book: RuleBook, changed: set[UUID], reload: Wakeup) -> None:
        while True:
            is_known = await reload.wait(self._options.reload_seconds)
            reload.clear()
            users = sorted(changed)
            changed.clear()
            try:
                await self._reload(book, users if is_known else ())
            except Unavailable as error:
                log.warning("alert rules could not be read again: %s", error.message)
                changed.update(users)
                await asyncio.sleep(self._options.poll_seconds)
                reload.set()

    async def _reload(self, book: RuleBook, users: Iterable[UUID]) -> None:
        """Read the rules of these users again; of all if none is named."""
        one_by_one: list[UUID | None] = [*users] or [None]
        for user_id in one_by_one:
            async with self._database.read_only() as reading:
                rules = await reading.alert_rules.list_active(user_id)
            book.replace(rules, user_id)

    async def _commit_loop(self, book: RuleBook, lease: LeaseHandle) -> None:
        while True:
            await book.wakeup.wait()
            book.wakeup.clear()
            while firings := book.firings.take(self._options.at_once):
                try:
                    await self._commit(book, lease, firings)
                except Unavailable:
                    book.firings.put_back(firings)
                    book.wakeup.set()
                    await asyncio.sleep(self._options.poll_seconds)

    async def _commit(self, book: RuleBook, lease: LeaseHandle, firings: Sequence[Firing]) -> None:
        outcomes = [
            RuleOutcome(firing.rule.id, firing.rule.revision, firing.watched.is_armed, firing.at, fired=1)
            for firing in firings
        ]
        async with self._database.transaction() as transaction:
            await transaction.leases.check(_held(lease))
            stored = await transaction.alert_rules.save_outcomes(outcomes)
            fired = [firing for firing in firings if firing.rule.id in stored]
            rules = [firing.rule for firing in fired]
            held_back = book.cap.held_back(rules)
            transaction.events.append([_event(one) for one, beyond in zip(fired, held_back, strict=True) if not beyond])
        book.cap.count(rules, held_back, self._dependencies.clock.now())
        book.firings.finish(firings)
        for firing, outcome in zip(firings, outcomes, strict=True):
            firing.watched.stored_armed = outcome.is_armed
            if firing.rule.repeat is AlertRepeat.ONCE or firing.rule.id not in stored:
                book.discard(firing.watched)

    async def _poll_loop(self, events: EventRules, book: RuleBook, lease: LeaseHandle, reload: Wakeup) -> None:
        clock, equity_at = self._dependencies.clock, float("-inf")
        while True:
            try:
                await self._poll_events(events, book, reload)
                await self._report_held_back(book, lease)
                poll_feeds(self._dependencies.feed, book, clock.now())
                if clock.monotonic() - equity_at >= self._options.equity_seconds:
                    equity_at = clock.monotonic()
                    await poll_equity(self._database, book, clock.now())
                    await self._save_arming(book, lease)
            except Unavailable as error:
                log.warning("alert rules wait for the database: %s", error.message)
            await asyncio.sleep(self._options.poll_seconds)

    async def _poll_events(self, events: EventRules, book: RuleBook, reload: Wakeup) -> None:
        try:
            await events.poll()
        except Unavailable:
            # What is stored says whether a commit that wasn't answered was made.
            book.forget_readers_of_events()
            reload.set()
            raise

    async def _report_held_back(self, book: RuleBook, lease: LeaseHandle) -> None:
        """Report to users how many of their alerts were held back in the minute that has ended."""
        book.notices += book.cap.take_notices(self._dependencies.clock.now())
        if book.notices:
            async with self._database.transaction() as transaction:
                await transaction.leases.check(_held(lease))
                # Nothing is written for a user who was erased within the minute.
                notices = sorted(book.notices, key=lambda notice: notice.user_id)
                transaction.events.append([one for one in notices if await transaction.users.lock(one.user_id)])
            book.notices.clear()

    async def _save_arming(self, book: RuleBook, lease: LeaseHandle) -> None:
        """Store which rules may fire, so that after a restart a crossing is seen that happened meanwhile."""
        moved = book.moved(self._options.at_once)
        outcomes = [RuleOutcome(one.rule.id, one.rule.revision, one.is_armed) for one in moved]
        if outcomes:
            async with self._database.transaction() as transaction:
                await transaction.leases.check(_held(lease))
                await transaction.alert_rules.save_outcomes(outcomes)
            for watched, outcome in zip(moved, outcomes, strict=True):
                watched.stored_armed = outcome.is_armed


def _held(lease: LeaseHandle) -> Lease:
    held = lease.current
    if held is None:
        raise StaleLease("the lease of the alert rules was lost")
    return held


def _event(firing: Firing) -> NewEvent:
    rule = firing.watched.rule
    alert = fired_alert(rule, firing.value)
    return NewEvent(rule.user_id, firing.at, UserEventKind.ALERT, alert, message_of(rule, firing.value))
