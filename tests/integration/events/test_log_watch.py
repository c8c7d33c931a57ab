"""Whether event logs have grown is looked at once for all streams of a node, whatever the bus loses."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from uuid import UUID

import pytest

from domain.core.errors import Unavailable
from domain.events import log_watch
from domain.events.log_watch import LogWatch
from domain.events.stream import EventLogReader
from infra.clock import SystemClock
from infra.postgres.database import PostgresDatabase
from infra.postgres.pool import Pool
from tests.integration.events.test_event_stream import UnresponsiveBus, alert, append, following, take
from tests.support.postgres import patient_database
from tests.support.statements import Statements
from tests.support.users import stored_user
from tests.support.waiting import eventually

SOON = 0.02
STREAMS = 12


@pytest.fixture
async def database(pool: Pool) -> AsyncIterator[PostgresDatabase]:
    database = patient_database(pool, UnresponsiveBus(), SystemClock())
    yield database
    await database.close()


async def test_streams_at_rest_cost_one_statement_a_look_however_many_they_are(
    database: PostgresDatabase, pool: Pool
) -> None:
    users = [await stored_user(database) for _ in range(STREAMS)]
    reader = EventLogReader(database, UnresponsiveBus(), SystemClock(), SOON)
    async with AsyncExitStack() as stack:
        streams = [await stack.enter_async_context(following(reader, user, None)) for user in users]
        waiting = [asyncio.create_task(take(stream, 1)) for stream in streams]
        statements = Statements(pool)
        await eventually(lambda: len(statements.about("ANY($1::uuid[])")) >= 5, "the logs are looked at")
        # Each stream has read at most once more: its first reading, or that after the first look.
        assert len(statements.about("FROM user_events WHERE")) <= 2 * STREAMS
        for user in users:
            await append(database, alert(user.id, "now"))
        assert [[event.message for event in await task] for task in waiting] == [["now"]] * STREAMS


async def test_every_stream_of_a_user_is_woken_though_the_bus_says_nothing(database: PostgresDatabase) -> None:
    user, other = await stored_user(database), await stored_user(database)
    reader = EventLogReader(database, UnresponsiveBus(), SystemClock(), SOON)
    async with following(reader, user, None) as one, following(reader, user, None) as two:
        for text in ("a", "b"):
            await append(database, alert(user.id, text), alert(other.id, "not theirs"))
            assert [event.message for event in await take(one, 1) + await take(two, 1)] == [text, text]


async def test_more_users_than_one_statement_takes_are_looked_at_in_parts(
    database: PostgresDatabase, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_watch, "USERS_A_READ", 2)
    users = [await stored_user(database) for _ in range(5)]
    await append(database, *(alert(user.id, "there") for user in users))
    woken: list[UUID] = []
    wakes = {user.id: lambda user_id=user.id: woken.append(user_id) for user in users}
    watch, statements = LogWatch(database, SOON), Statements(pool)
    for user_id, wake in wakes.items():
        watch.follow(user_id, wake)
    await eventually(lambda: len(woken) == len(users), "all are woken")
    assert len(statements.about("ANY($1::uuid[])")) >= 3
    await append(database, alert(users[3].id, "more"))
    await eventually(lambda: len(woken) > len(users), "one is woken again")
    assert woken[len(users) :] == [users[3].id]
    for user_id, wake in wakes.items():
        await watch.unfollow(user_id, wake)


class _AwayDatabase(PostgresDatabase):
    def read_only(self) -> "_AwayDatabase":  # type: ignore[override]  # what fails as it is entered
        return self

    async def __aenter__(self) -> None:
        raise Unavailable("The database can't be reached.")

    async def __aexit__(self, *_: object) -> None: ...


async def test_while_the_database_is_away_all_are_woken_to_learn_of_it(pool: Pool) -> None:
    watch = LogWatch(_AwayDatabase(pool, UnresponsiveBus(), SystemClock()), SOON)
    woken: list[int] = []
    wakes = [lambda: woken.append(1), lambda: woken.append(2)]
    users = [UUID(int=1), UUID(int=2)]
    for user_id, wake in zip(users, wakes, strict=True):
        watch.follow(user_id, wake)
    await eventually(lambda: {1, 2} <= set(woken), "both are woken")
    for user_id, wake in zip(users, wakes, strict=True):
        await watch.unfollow(user_id, wake)


async def test_nothing_is_looked_at_once_nobody_follows(database: PostgresDatabase, pool: Pool) -> None:
    user = await stored_user(database)
    watch, statements = LogWatch(database, SOON), Statements(pool)
    wake = asyncio.Event().set
    watch.follow(user.id, wake)
    await eventually(lambda: statements.about("ANY($1::uuid[])"), "the log is looked at")
    await watch.unfollow(user.id, wake)
    assert "look at event logs" not in {task.get_name() for task in asyncio.all_tasks()}
