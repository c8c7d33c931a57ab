import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from structlog.testing import capture_logs

from domain.model.events import NewEvent, UserEvent, UserEventKind, events_topic
from domain.model.orders import OrderEvent, OrderEventKind
from infra.clock import SystemClock
from infra.embedded.bus import EmbeddedBus
from infra.postgres.connection import Connection
from infra.postgres.database import PostgresDatabase
from infra.postgres.partitions import ensure_months
from infra.postgres.pool import Pool
from tests.support.events import alert, an_order, every_subject
from tests.support.postgres import FIXED_MONTH, patient_database
from tests.support.users import stored_user


async def append(database: PostgresDatabase, *events: NewEvent) -> None:
    async with database.transaction() as transaction:
        transaction.events.append(events)


async def read(database: PostgresDatabase, event: NewEvent, after: int = 0) -> list[UserEvent]:
    async with database.read_only() as reading:
        return await reading.events.read_after(event.user_id, after, None, 10_000)


async def test_every_kind_of_subject_comes_back_as_it_went_in(database: PostgresDatabase) -> None:
    user = await stored_user(database)
    subjects = every_subject(user.id)
    now = datetime.now(UTC)
    events = [NewEvent(user.id, now, UserEventKind.ALERT, subject, "why") for subject in subjects]
    await append(database, *events)

    read_back = await read(database, events[0])

    assert [event.subject for event in read_back] == subjects
    assert read_back[0] == UserEvent(user.id, 1, now, UserEventKind.ALERT, subjects[0], "why")


async def test_a_log_begins_empty_at_zero_and_its_head_is_the_newest_event(database: PostgresDatabase) -> None:
    user = await stored_user(database)
    at = FIXED_MONTH + timedelta(days=1)
    async with database.read_only() as reading:
        assert await reading.events.head(user.id) == (0, None)
    await append(database, alert(user.id, "a", at - timedelta(seconds=2)), alert(user.id, "b", at))

    async with database.read_only() as reading:
        assert await reading.events.head(user.id) == (2, at)


async def test_numbers_are_contiguous_under_many_writers_at_once(database: PostgresDatabase) -> None:
    user = await stored_user(database)

    async def writer(number: int) -> None:
        for turn in range(10):
            await append(database, alert(user.id, f"{number}.{turn}a"), alert(user.id, f"{number}.{turn}b"))

    await asyncio.gather(*(writer(number) for number in range(20)))
    events = await read(database, alert(user.id, ""))

    assert [event.sequence for event in events] == list(range(1, 401))
    received = [event.message for event in events]
    assert all(received.index(f"{n}.{t}b") == received.index(f"{n}.{t}a") + 1 for n in range(20) for t in range(10))


async def test_a_reader_never_sees_a_number_before_the_ones_below_it(database: PostgresDatabase) -> None:
    user = await stored_user(database)
    writing = asyncio.gather(*(append(database, *[alert(user.id, "x")] * (1 + n % 3)) for n in range(60)))
    seen = 0
    while not writing.done() or seen < 120:
        for event in await read(database, alert(user.id, ""), after=seen):
            assert event.sequence == seen + 1
            seen = event.sequence
    await writing


async def test_transactions_that_notify_the_same_users_in_different_orders_do_not_deadlock(
    database: PostgresDatabase,
) -> None:
    users = [await stored_user(database) for _ in range(3)]

    async def append_alert(number: int) -> None:
        order = users[number % 3 :] + users[: number % 3]
        await append(database, *(alert(user.id, "hello") for user in order))

    await asyncio.gather(*(append_alert(number) for number in range(30)))

    for user in users:
        assert [event.sequence for event in await read(database, alert(user.id, ""))] == list(range(1, 31))


async def test_what_was_appended_in_a_transaction_that_failed_leaves_no_gap(database: PostgresDatabase) -> None:
    user = await stored_user(database)
    await append(database, alert(user.id, "first"))
    with pytest.raises(ZeroDivisionError):
        await _append_and_fail(database, alert(user.id, "never"))
    await append(database, alert(user.id, "second"))

    assert [(event.sequence, event.message) for event in await read(database, alert(user.id, ""))] == [
        (1, "first"),
        (2, "second"),
    ]


async def _append_and_fail(database: PostgresDatabase, event: NewEvent) -> None:
    async with database.transaction() as transaction:
        transaction.events.append([event])
        raise ZeroDivisionError


async def test_reading_after_a_cursor_gives_what_follows_within_the_limit(database: PostgresDatabase) -> None:
    user, stranger = await stored_user(database), await stored_user(database)
    now = datetime.now(UTC)
    await append(database, *(alert(user.id, str(n), now) for n in range(1, 8)), alert(stranger.id, "not yours"))

    async with database.read_only() as reading:
        assert [event.sequence for event in await reading.events.read_after(user.id, 2, now, 3)] == [3, 4, 5]
        assert await reading.events.read_after(user.id, 7, now, 3) == []
        # Another node's clock is behind ours: what it tells after our event is dated before it.
        late = now + timedelta(hours=1)
        assert [event.sequence for event in await reading.events.read_after(user.id, 6, late, 3)] == [7]


async def test_order_events_are_read_alone_and_by_order(database: PostgresDatabase) -> None:
    user = await stored_user(database)
    now = datetime.now(UTC)
    order, other = an_order(user.id), an_order(user.id)
    steps = [
        NewEvent(user.id, now, UserEventKind.ORDER, OrderEvent(OrderEventKind.PENDING, order)),
        alert(user.id, "between"),
        NewEvent(user.id, now, UserEventKind.ORDER, OrderEvent(OrderEventKind.PENDING, other)),
        NewEvent(user.id, now, UserEventKind.ORDER, OrderEvent(OrderEventKind.SUBMITTED, order)),
    ]
    await append(database, *steps)

    async with database.read_only() as reading:
        events = reading.events
        assert [event.sequence for event in await events.read_after(user.id, 0, None, 9, orders_only=True)] == [1, 3, 4]
        assert [event.sequence for event in await events.read_after(user.id, 1, now, 1, orders_only=True)] == [3]
        assert [event.sequence for event in await events.list_for_order(user.id, order.id, now)] == [1, 4]
        assert await events.list_for_order(other.account_id, order.id, now) == []


async def test_a_cursor_with_a_time_reads_no_old_partition(database: PostgresDatabase, pool: Pool) -> None:
    user = await stored_user(database)
    async with pool.acquire() as driver:
        months = await ensure_months(
            Connection(driver), "user_events", datetime(2025, 1, 1, tzinfo=UTC), datetime(2025, 3, 1, tzinfo=UTC)
        )
    old = alert(user.id, "old", datetime(2025, 2, 1, tzinfo=UTC))
    await append(database, old, alert(user.id, "new"))

    assert months == ["user_events_2025_01", "user_events_2025_02", "user_events_2025_03"]
    assert [event.message for event in await read(database, old)] == ["old", "new"]
    plan = await pool.fetch(
        "EXPLAIN SELECT * FROM user_events WHERE user_id = $1 AND sequence > $2 AND at >= $3 ORDER BY sequence LIMIT 9",
        *(user.id, 0, datetime.now(UTC)),
    )
    assert not any("2025" in row[0] for row in plan)


async def test_listeners_are_notified_after_the_commit_and_of_nothing_that_failed(pool: Pool) -> None:
    bus = EmbeddedBus()
    database = patient_database(pool, bus, SystemClock())
    user, stranger = await stored_user(database), await stored_user(database)
    received: list[asyncio.Task[list[UserEvent]]] = []
    strangers: list[bytes] = []
    await bus.subscribe(
        events_topic(user.id), lambda _: received.append(asyncio.create_task(read(database, alert(user.id, ""))))
    )
    await bus.subscribe(events_topic(stranger.id), strangers.append)

    with pytest.raises(ZeroDivisionError):
        await _append_and_fail(database, alert(stranger.id, "never"))
    await append(database, alert(user.id, "committed"))
    await database.close()
    async with asyncio.timeout(60):
        while not received:  # noqa: ASYNC110  # the bus hands over on a later turn of the loop
            await asyncio.sleep(0)

    assert [event.message for event in await received[0]] == ["committed"]
    assert strangers == []
    await bus.close()


async def test_what_is_committed_is_logged_once_and_what_is_rolled_back_never(database: PostgresDatabase) -> None:
    user = await stored_user(database)

    async def fail() -> None:
        async with database.transaction() as transaction:
            transaction.events.append([alert(user.id, "lost")])
            raise ZeroDivisionError

    with capture_logs() as lines:
        await append(database, alert(user.id, "kept"))
        with pytest.raises(ZeroDivisionError):
            await fail()
    assert [(line["event"], line["reason"], line["user_id"]) for line in lines] == [
        ("alert_recorded", "kept", str(user.id))
    ]
