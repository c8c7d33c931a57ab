import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest
from graphql import GraphQLError
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from domain.core.errors import RequestFault
from infra.web.errors import RequestErrors
from infra.web.metrics import WebMetrics
from infra.web.rooms.registry import RoomKey, Rooms
from infra.web.rooms.subscriber import Subscriber
from resolvers.streams import DeltaStream, LatestPerKeyStream, LatestStream, MergingStream, SharedStream
from tests.support.waiting import eventually

KEY = RoomKey("subscription { depth }", None, "[]")


class Numbers:
    """A feed of numbers whose snapshot is the newest, negative."""

    def __init__(self) -> None:
        self.newest = 0
        self.queue: asyncio.Queue[int | None] = asyncio.Queue()
        self.closed = 0

    def push(self, number: int) -> None:
        self.newest = number
        self.queue.put_nowait(number)

    async def events(self) -> AsyncIterator[int]:
        try:
            while (number := await self.queue.get()) is not None:
                yield number
        finally:
            self.closed += 1

    def snapshot(self) -> int | None:
        return -self.newest or None


class StubExecutor:
    def __init__(self, source: SharedStream[int], gate: asyncio.Event | None = None) -> None:
        self.source = source
        self.gate = gate
        self.rendered: list[object] = []

    async def make(self) -> "StubExecutor":
        return self

    async def open(self) -> SharedStream[int]:
        if self.gate:
            await self.gate.wait()
        return self.source

    async def render(self, event: object) -> str:
        self.rendered.append(event)
        return str(event)

    def failure(self, error: Exception) -> RequestErrors:
        return RequestErrors([GraphQLError(str(error), original_error=error)])


def covers(snapshot: int, event: int) -> bool:
    return event <= -snapshot


def chain(numbers: Numbers) -> DeltaStream[int]:
    return DeltaStream(numbers.events(), numbers.snapshot, covers)


@pytest.fixture
def numbers() -> Numbers:
    return Numbers()


@pytest.fixture
async def rooms() -> AsyncIterator[Rooms]:
    rooms = Rooms(3, 2, WebMetrics(CollectorRegistry()))
    yield rooms
    await rooms.aclose()


async def take(subscriber: Subscriber, count: int) -> list[str]:
    async with asyncio.timeout(60):
        return [(await anext(subscriber)).text for _ in range(count)]


async def drained(numbers: Numbers) -> None:
    await eventually(numbers.queue.empty, "the pump has read all")
    for _ in range(5):
        await asyncio.sleep(0)


async def test_what_the_snapshot_holds_does_not_follow_it(rooms: Rooms, numbers: Numbers) -> None:
    executor = StubExecutor(chain(numbers))
    subscriber = rooms.join(KEY, executor.make)
    for number in (1, 2, 3):
        numbers.push(number)
    assert await take(subscriber, 1) == ["-3"]  # taken before the pump has seen any of them
    numbers.push(4)
    assert await take(subscriber, 1) == ["4"]


async def test_two_who_ask_at_the_same_moment_meet_and_the_source_opens_once(rooms: Rooms, numbers: Numbers) -> None:
    gate = asyncio.Event()
    executor = StubExecutor(chain(numbers), gate)
    subscribers = [rooms.join(KEY, executor.make) for _ in range(2)]
    assert len(rooms) == 1
    gate.set()
    numbers.push(1)
    assert [await take(subscriber, 1) for subscriber in subscribers] == [["-1"], ["-1"]]


async def test_unsubscribing_while_the_source_opens_leaves_nothing_behind(rooms: Rooms, numbers: Numbers) -> None:
    executor = StubExecutor(chain(numbers), asyncio.Event())
    rooms.join(KEY, executor.make).unsubscribe()
    assert len(rooms) == 0
    again = StubExecutor(chain(numbers))
    subscriber = rooms.join(KEY, again.make)
    numbers.push(1)
    assert await take(subscriber, 1) == ["-1"]


async def test_the_last_to_leave_closes_the_source(rooms: Rooms, numbers: Numbers) -> None:
    executor = StubExecutor(chain(numbers))
    first, second = (rooms.join(KEY, executor.make) for _ in range(2))
    numbers.push(1)
    await take(first, 1)
    first.unsubscribe()
    first.unsubscribe()
    await asyncio.sleep(0)
    assert not numbers.closed
    second.unsubscribe()
    await eventually(lambda: numbers.closed == 1, "the source is closed")
    assert len(rooms) == 0


async def test_a_slow_reader_of_a_chain_gets_one_snapshot_of_the_moment_it_is_ready(
    rooms: Rooms, numbers: Numbers
) -> None:
    executor = StubExecutor(chain(numbers))
    subscriber = rooms.join(KEY, executor.make)
    numbers.push(1)
    assert await take(subscriber, 1) == ["-1"]
    for number in range(2, 20):
        numbers.push(number)
        await drained(numbers)
        assert len(subscriber) <= 3
    assert await take(subscriber, 1) == ["-19"]
    numbers.push(20)
    assert await take(subscriber, 1) == ["20"]


async def test_a_slow_reader_of_whole_states_gets_the_newest(rooms: Rooms, numbers: Numbers) -> None:
    executor = StubExecutor(LatestStream(numbers.events()))
    subscriber = rooms.join(KEY, executor.make)
    for number in range(1, 10):
        numbers.push(number)
        await drained(numbers)
    assert (await take(subscriber, 1))[0] in {"9", "8", "7"}
    late = rooms.join(KEY, executor.make)
    assert await take(late, 1) == ["9"]
    assert executor.rendered.count(9) == 1


async def test_merged_events_are_rendered_for_the_slow_one_alone(rooms: Rooms, numbers: Numbers) -> None:
    def merge(queued: Sequence[int]) -> Sequence[int]:
        return [sum(queued[:-1]), queued[-1]]

    executor = StubExecutor(MergingStream(numbers.events(), merge))
    slow, quick = (rooms.join(KEY, executor.make) for _ in range(2))
    seen = []
    for number in range(1, 8):
        numbers.push(number)
        seen += await take(quick, 1)
        assert len(slow) <= 3
    assert seen == ["1", "2", "3", "4", "5", "6", "7"]
    rest = await take(slow, len(slow))
    assert sum(map(int, rest)) == 28


async def test_a_room_that_ends_ends_its_subscribers_after_what_is_queued(rooms: Rooms, numbers: Numbers) -> None:
    executor = StubExecutor(chain(numbers))
    subscriber = rooms.join(KEY, executor.make)
    numbers.push(1)
    assert await take(subscriber, 1) == ["-1"]
    numbers.push(2)
    numbers.queue.put_nowait(None)
    await eventually(lambda: len(rooms) == 0, "the room has ended")
    assert await take(subscriber, 1) == ["2"]
    with pytest.raises(StopAsyncIteration):
        await anext(subscriber)


async def test_there_is_a_cap_on_rooms(rooms: Rooms) -> None:
    for n in range(2):
        rooms.join(RoomKey(str(n), None, ""), StubExecutor(chain(Numbers())).make)
    with pytest.raises(RequestFault, match="already serves 2 different live queries"):
        rooms.join(KEY, StubExecutor(chain(Numbers())).make)
    assert len(rooms) == 2


async def test_a_source_that_cannot_be_closed_is_logged_and_ends_its_room_all_the_same(
    rooms: Rooms, numbers: Numbers
) -> None:
    class Stuck(DeltaStream[int]):
        async def aclose(self) -> None:
            raise ZeroDivisionError

    subscriber = rooms.join(KEY, StubExecutor(Stuck(numbers.events(), numbers.snapshot, covers)).make)
    numbers.push(1)
    await take(subscriber, 1)
    with capture_logs() as logged:
        await rooms.aclose()
    with pytest.raises(StopAsyncIteration):
        await anext(subscriber)
    assert [line["event"] for line in logged] == ["source_not_closed"]


async def test_closing_all_ends_every_subscriber(numbers: Numbers) -> None:
    rooms = Rooms(3, 2, WebMetrics(CollectorRegistry()))
    subscriber = rooms.join(KEY, StubExecutor(chain(numbers)).make)
    numbers.push(1)
    await take(subscriber, 1)
    await rooms.aclose()
    with pytest.raises(StopAsyncIteration):
        await anext(subscriber)
    assert numbers.closed == 1


def of_each_of_ten(numbers: Numbers) -> LatestPerKeyStream[int]:
    """Return a source of the states of ten things: a number is an event of the thing that its last digit names."""
    return LatestPerKeyStream(numbers.events(), lambda number: number % 10, 10)


async def test_a_joiner_gets_the_newest_of_each_thing_and_each_is_rendered_once(rooms: Rooms, numbers: Numbers) -> None:
    executor = StubExecutor(of_each_of_ten(numbers))
    first = rooms.join(KEY, executor.make)
    for number in (1, 2, 12, 3):
        numbers.push(number)
    assert await take(first, 4) == ["1", "2", "12", "3"]
    for _ in range(3):
        late = rooms.join(KEY, executor.make)
        assert await take(late, 3) == ["1", "12", "3"]
    numbers.push(13)
    assert await take(late, 1) == ["13"]
    assert all(executor.rendered.count(known) == 1 for known in (1, 12, 3))


async def test_a_slow_reader_gets_the_newest_of_each_thing_however_few_events_a_queue_has_room_for(
    rooms: Rooms, numbers: Numbers
) -> None:
    executor = StubExecutor(of_each_of_ten(numbers))
    slow, quick = (rooms.join(KEY, executor.make) for _ in range(2))
    numbers.push(0)
    assert await take(slow, 1) == await take(quick, 1) == ["0"]
    for number in range(1, 200):
        numbers.push(number)
        await take(quick, 1)
        assert len(slow) <= 20
    got = [int(payload) for payload in await take(slow, len(slow))]
    assert set(range(190, 200)) <= set(got)
    assert got[-1] == 199
    numbers.push(200)
    assert await take(slow, 1) == ["200"]
