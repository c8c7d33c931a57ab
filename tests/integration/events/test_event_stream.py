import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from domain.core.errors import FaultCode, RequestFault, Unavailable
from domain.core.pagination import CursorScope, encode_cursor
from domain.events.stream import EventLogReader, EventSubscription
from domain.model.events import EventCursor, NewEvent, UserEvent, UserEventKind, encode_event_cursor
from domain.model.orders import OrderEvent, OrderEventKind
from domain.model.users import User
from domain.ports.event_log import EventHistory
from domain.ports.unit_of_work import UnitOfWork
from infra.clock import SystemClock
from infra.embedded.bus import EmbeddedBus, EmbeddedSubscription
from infra.postgres.connection import Connection
from infra.postgres.database import PostgresDatabase
from infra.postgres.partitions import ensure_months
from infra.postgres.pool import Pool
from tests.support.clocks import ManualClock
from tests.support.events import alert, an_order
from tests.support.postgres import patient_database
from tests.support.users import stored_user

WRITERS, EVENTS, READERS = 10, 50, 6
NEVER = 3_600.0


class UnresponsiveBus(EmbeddedBus):
    """Loses every message."""

    async def publish(self, topic: str, message: bytes) -> None:
        return None


class MutedBus(EmbeddedBus):
    """Delivers nothing until it reports the loss."""

    def __init__(self) -> None:
        super().__init__()
        self.listeners: list[EmbeddedSubscription] = []

    async def subscribe(
        self, topic: str, on_message: Callable[[bytes], None], on_loss: Callable[[], None] | None = None
    ) -> EmbeddedSubscription:
        self.listeners.append(await super().subscribe(topic, lambda _message: None, on_loss))
        return self.listeners[-1]


@pytest.fixture
async def bus() -> AsyncIterator[EmbeddedBus]:
    bus = EmbeddedBus()
    yield bus
    await bus.close()


@pytest.fixture
async def database(pool: Pool, bus: EmbeddedBus) -> AsyncIterator[PostgresDatabase]:
    database = patient_database(pool, bus, SystemClock())
    yield database
    await database.close()


@pytest.fixture
def streams(database: PostgresDatabase, bus: EmbeddedBus) -> EventLogReader:
    return EventLogReader(database, bus, SystemClock(), NEVER)


async def append(database: PostgresDatabase, *events: NewEvent) -> None:
    async with database.transaction() as transaction:
        transaction.events.append(events)


@asynccontextmanager
async def following(
    streams: EventLogReader, user: User, after: str | None, *, orders_only: bool = False
) -> AsyncIterator[EventSubscription]:
    stream = streams.follow(await streams.start(user.id, after), orders_only=orders_only)
    try:
        yield stream
    finally:
        await stream.aclose()


async def take(stream: EventSubscription, count: int) -> list[UserEvent]:
    async with asyncio.timeout(60):
        return [await anext(stream) for _ in range(count)]


def at_sequence(user: User, sequence: int, at: datetime | None = None) -> str:
    return encode_event_cursor(EventCursor(user.id, sequence, at or datetime.now(UTC)))


async def fault_of(streams: EventLogReader, user: User, cursor: str) -> RequestFault:
    with pytest.raises(RequestFault) as fault:
        await streams.start(user.id, cursor)
    return fault.value


@pytest.mark.parametrize("seed", [1, 2])
async def test_readers_on_two_nodes_miss_nothing_and_see_nothing_twice_while_many_write(
    database: PostgresDatabase, bus: EmbeddedBus, seed: int
) -> None:
    chance, clock = random.Random(seed), SystemClock()
    user, stranger = await stored_user(database), await stored_user(database)
    nodes = [EventLogReader(database, bus, clock, NEVER), EventLogReader(database, UnresponsiveBus(), clock, 0.02)]
    total = WRITERS * EVENTS

    async def write(number: int) -> None:
        for turn in range(EVENTS):
            await append(database, alert(user.id, f"{number}.{turn}"), *[alert(stranger.id, "not yours")] * (turn % 2))

    async def read(number: int) -> None:
        """Read it all, from the beginning or resuming where another stream broke off, on a node of chance."""
        cursor, seen = at_sequence(user, 0), 0
        while seen < total:
            async with following(nodes[(number + seen) % 2], user, cursor) as stream:
                for event in await take(stream, min(chance.randint(1, 200), total - seen)):
                    assert (event.user_id, event.sequence) == (user.id, seen + 1)
                    seen += 1
                cursor = stream.cursor

    await asyncio.gather(*map(write, range(WRITERS)), *map(read, range(READERS)))


async def test_without_a_cursor_a_stream_begins_with_what_happens_next(
    database: PostgresDatabase, streams: EventLogReader
) -> None:
    user = await stored_user(database)
    await append(database, alert(user.id, "before"))
    async with following(streams, user, None) as stream:
        await append(database, alert(user.id, "after"))
        assert [event.message for event in await take(stream, 1)] == ["after"]


async def test_what_happens_between_the_head_and_the_first_reading_is_not_missed(
    database: PostgresDatabase, streams: EventLogReader
) -> None:
    user = await stored_user(database)
    head = await streams.head(user.id)
    await append(database, *(alert(user.id, str(number)) for number in range(450)))
    async with following(streams, user, encode_event_cursor(head)) as stream:
        assert [event.sequence for event in await take(stream, 450)] == list(range(1, 451))


async def test_a_notification_wakes_a_stream_and_so_does_a_loss_on_the_bus(pool: Pool) -> None:
    bus = MutedBus()
    database = patient_database(pool, bus, SystemClock())
    user = await stored_user(database)
    async with following(EventLogReader(database, bus, SystemClock(), NEVER), user, None) as stream:
        waiting = asyncio.create_task(take(stream, 1))
        while not bus.listeners:  # noqa: ASYNC110  # the stream subscribes on a later turn of the loop
            await asyncio.sleep(0)
        await append(database, alert(user.id, "unheard"))
        bus.notify_loss(lambda _topic: True)
        assert [event.message for event in await waiting] == ["unheard"]
    await database.close()


async def test_the_orders_alone_come_without_the_rest(database: PostgresDatabase, streams: EventLogReader) -> None:
    user = await stored_user(database)
    step = OrderEvent(OrderEventKind.PENDING, an_order(user.id))
    order = NewEvent(user.id, datetime.now(UTC), UserEventKind.ORDER, step)
    await append(database, alert(user.id, "a"), order, alert(user.id, "b"), order)
    async with following(streams, user, at_sequence(user, 0), orders_only=True) as stream:
        assert [event.sequence for event in await take(stream, 2)] == [2, 4]


async def test_a_stream_goes_on_over_the_end_of_a_month(
    database: PostgresDatabase, streams: EventLogReader, pool: Pool
) -> None:
    user = await stored_user(database)
    turn = datetime(2025, 3, 1, tzinfo=UTC)
    async with pool.acquire() as driver:
        await ensure_months(Connection(driver), "user_events", turn - timedelta(days=1), turn)
    moments = [turn + timedelta(milliseconds=number) for number in range(-3, 3)]
    await append(database, *(alert(user.id, str(number), at) for number, at in enumerate(moments)))

    async with following(streams, user, at_sequence(user, 2, moments[1])) as stream:
        assert [event.at for event in await take(stream, 4)] == moments[2:]


@pytest.mark.parametrize(
    "cursor",
    ["", "garbage", "{}", "é", "\ud800", "W10", "A" * 600],
)
async def test_what_is_no_cursor_is_invalid(database: PostgresDatabase, streams: EventLogReader, cursor: str) -> None:
    assert (await fault_of(streams, await stored_user(database), cursor)).code is FaultCode.INVALID


@pytest.mark.parametrize(
    "key",
    [
        (), ("1",), ("1", "2", "3"), ("x", "0"), ("1", "x"), ("-1", "0"), ("9" * 400, "0"), ("1", "9" * 400),
        ("1", "-62135596800000"), ("-" + "9" * 30, "1"), ("1", "253402300800000"),
    ],
)  # fmt: skip
async def test_a_cursor_made_by_hand_is_invalid_and_reaches_no_driver(
    database: PostgresDatabase, streams: EventLogReader, key: tuple[str, ...]
) -> None:
    user = await stored_user(database)
    cursor = encode_cursor(CursorScope("events", str(user.id)), key)
    assert (await fault_of(streams, user, cursor)).code is FaultCode.INVALID


async def test_a_cursor_of_another_user_or_of_another_list_or_ahead_of_the_log_is_invalid(
    database: PostgresDatabase, streams: EventLogReader
) -> None:
    user, stranger = await stored_user(database), await stored_user(database)
    await append(database, alert(user.id, "a"), alert(stranger.id, "b"))
    of_orders = encode_cursor(CursorScope("orders", str(user.id)), ("1", "0"))

    for cursor in (at_sequence(stranger, 1), of_orders, at_sequence(user, 2)):
        assert (await fault_of(streams, user, cursor)).code is FaultCode.INVALID
    assert (await streams.start(user.id, at_sequence(user, 1))).sequence == 1


async def test_a_cursor_before_what_was_archived_is_too_old_and_one_at_its_end_is_good(
    database: PostgresDatabase, streams: EventLogReader, pool: Pool
) -> None:
    user = await stored_user(database)
    old = datetime(2025, 2, 10, tzinfo=UTC)
    async with pool.acquire() as driver:
        await ensure_months(Connection(driver), "user_events", old, old)
    await append(database, *(alert(user.id, f"old {number}", old) for number in range(3)))
    await append(database, alert(user.id, "new"))
    await pool.execute("DROP TABLE user_events_2025_02")

    for sequence in (0, 1, 2):
        fault = await fault_of(streams, user, at_sequence(user, sequence, old))
        assert fault.code is FaultCode.CURSOR_TOO_OLD
        assert (await streams.start(user.id, str(fault.extensions["cursor"]))).sequence == 4
    async with following(streams, user, at_sequence(user, 3, old)) as stream:
        assert [event.message for event in await take(stream, 1)] == ["new"]


async def test_what_is_archived_under_a_stream_ends_it_instead_of_leaving_a_gap(
    database: PostgresDatabase, streams: EventLogReader, pool: Pool
) -> None:
    user = await stored_user(database)
    await append(database, *(alert(user.id, str(number)) for number in range(3)))
    async with following(streams, user, at_sequence(user, 0)) as stream:
        await pool.execute("DELETE FROM user_events WHERE user_id = $1 AND sequence = 1", user.id)
        with pytest.raises(RequestFault) as fault:
            await take(stream, 1)
    assert fault.value.code is FaultCode.CURSOR_TOO_OLD


async def test_a_user_without_events_has_a_cursor_that_a_stream_can_begin_at(
    database: PostgresDatabase, streams: EventLogReader
) -> None:
    user = await stored_user(database)
    head = await streams.head(user.id)
    assert head.sequence == 0
    assert await streams.start(user.id, encode_event_cursor(head)) == replace(
        head, at=head.at.replace(microsecond=head.at.microsecond // 1000 * 1000)
    )


class FailingDatabase:
    """A database that is away for some readings."""

    def __init__(self, database: PostgresDatabase, failures: int, clock: ManualClock) -> None:
        self._database = database
        self.failures = failures
        self._clock = clock

    def event_history(self) -> EventHistory:
        return self._database.event_history(self.read_only)

    @asynccontextmanager
    async def read_only(self) -> AsyncIterator[UnitOfWork]:
        if self.failures:
            self.failures -= 1
            self._clock.move(1)
            raise Unavailable("The database can't be reached now.")
        async with self._database.read_only() as reading:
            yield reading


@pytest.mark.parametrize(("failures", "survives"), [(5, True), (100, False)])
async def test_a_stream_waits_out_a_database_that_is_away_for_a_moment(
    database: PostgresDatabase, streams: EventLogReader, failures: int, *, survives: bool
) -> None:
    user, clock = await stored_user(database), ManualClock()
    await append(database, alert(user.id, "a"))
    failing = FailingDatabase(database, failures, clock)
    start = await streams.start(user.id, at_sequence(user, 0))
    stream = EventLogReader(failing, EmbeddedBus(), clock, 0.001).follow(start, orders_only=False)
    if survives:
        assert [event.message for event in await take(stream, 1)] == ["a"]
    else:
        with pytest.raises(Unavailable):
            await take(stream, 1)
    await stream.aclose()


async def test_a_stream_that_was_given_up_listens_no_more(
    database: PostgresDatabase, streams: EventLogReader, bus: EmbeddedBus
) -> None:
    user = await stored_user(database)
    async with following(streams, user, None) as stream:
        await append(database, alert(user.id, "a"))
        await take(stream, 1)
        assert bus.topics
    assert not bus.topics
