"""Rules on events of a user whose log is in an archive that is slow or away: they wait, and nobody else's do."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime
from uuid import UUID

import pytest

from domain.alerts.evaluator import LEASE, _held
from domain.alerts.event_rules import EventRules
from domain.alerts.rule_book import RuleBook
from domain.events.leases import acquire_lease
from domain.model.events import NewEvent, UserEvent, UserEventKind
from domain.ports.archive import ArchiveUnavailable
from tests.integration.alerts.test_alert_rules import ON_ALERTS, QUICK, Alerting, alerting
from tests.support.users import stored_user
from tests.support.waiting import eventually

__all__ = ["alerting"]


class FarHistory:
    """The event history of a database, of which one user's log is in an archive that is `away`, or answers late."""

    def __init__(self, node: Alerting, user_id: UUID) -> None:
        self._near = node.database.event_history()
        self._user_id = user_id
        self.away = False
        self.answers = asyncio.Event()
        self.reads = 0

    async def read_after(self, user_id: UUID, sequence: int, at: datetime | None, limit: int) -> list[UserEvent]:
        if user_id == self._user_id:
            self.reads += 1
            if self.away:
                raise ArchiveUnavailable("The archive can't be read.")
            await self.answers.wait()
        return await self._near.read_after(user_id, sequence, at, limit)


class Users:
    """Two users with a rule and an event each, the first of whom has a log that is far away."""

    def __init__(self, near: Alerting, far: Alerting, rules: EventRules, history: FarHistory) -> None:
        self.near, self.far, self.rules, self.history = near, far, rules, history

    async def poll_until(self, expected: tuple[int, int]) -> None:
        """Poll until the user far away, and the one nearby, have so many alerts."""
        while (found := (len(await self.far.read_alerts()), len(await self.near.read_alerts()))) != expected:
            assert found < expected
            await self.rules.poll()


@pytest.fixture
async def users(alerting: Alerting, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Users]:
    far = replace(alerting, options=replace(QUICK, reading_seconds=0.05, archive_pause_seconds=0.0))
    near = replace(far, user=await stored_user(alerting.database))
    history = FarHistory(far, far.user.id)
    monkeypatch.setattr(alerting.database, "event_history", lambda: history)
    dependencies = far.dependencies("node:1")
    lease = await acquire_lease(far.database, far.clock, *LEASE, dependencies.holder)
    assert lease is not None
    book = RuleBook(dependencies)
    book.replace([await node.create(ON_ALERTS) for node in (far, near)])
    async with far.database.transaction() as transaction:
        for node in (far, near):
            transaction.events.append([NewEvent(node.user.id, far.clock.now(), UserEventKind.ALERT, None, "x")])
    rules = EventRules(dependencies, book, lambda: _held(lease))
    yield Users(near, far, rules, history)
    await rules.close()
    await book.close()
    await lease.release()


async def test_a_log_that_takes_long_is_taken_in_by_a_later_poll(users: Users) -> None:
    await users.poll_until((0, 1))
    assert users.history.reads == 1
    users.history.answers.set()
    await users.poll_until((1, 1))
    assert users.history.reads == 1


async def test_an_archive_that_is_away_stops_the_rules_of_its_user_alone_until_it_is_back(users: Users) -> None:
    users.history.away = True
    await users.poll_until((0, 1))
    users.history.away = False
    users.history.answers.set()
    await users.poll_until((1, 1))


async def test_a_log_that_could_not_be_read_is_left_alone_for_a_time(users: Users) -> None:
    users.rules._dependencies.options = replace(users.far.options, archive_pause_seconds=3_600)
    users.history.away = True
    await users.poll_until((0, 1))
    await users.rules.poll()
    assert users.history.reads == 1


async def test_what_is_still_being_read_ends_with_the_rules(users: Users) -> None:
    await users.rules.poll()
    name = f"events:{users.far.user.id}"
    (reading,) = [task for task in asyncio.all_tasks() if task.get_name() == name]
    await users.rules.close()
    await eventually(reading.done, "it has ended")
