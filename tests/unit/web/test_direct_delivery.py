"""Whatever a transport takes at once and whatever waits in the queue: a subscriber's events keep their order."""

import asyncio
from collections.abc import AsyncIterator

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from infra.web.metrics import WebMetrics
from infra.web.rooms.payload import SharedPayload
from infra.web.rooms.subscriber import Subscriber
from resolvers.streams import DeltaStream

QUEUED = 3
STEPS = st.lists(st.sampled_from(["event", "event", "block", "unblock", "turn"]), max_size=60)


class ChainRoom:
    """A room of numbers, each of which follows the one before; its snapshot is the newest, negative."""

    width = 1

    def __init__(self) -> None:
        self.newest = 0
        self.has_left = False
        self.source = DeltaStream(
            self._none(), lambda: -self.newest or None, lambda snapshot, event: event <= -snapshot
        )

    async def render(self, event: object) -> SharedPayload:
        await asyncio.sleep(0)
        return SharedPayload(str(event))

    def remove(self, subscriber: Subscriber) -> None:
        self.has_left = True

    @staticmethod
    async def _none() -> AsyncIterator[int]:
        return
        yield


class Reader:
    """A transport that takes payloads while it isn't blocked, and the task that sends what it didn't take at once."""

    def __init__(self, subscriber: Subscriber) -> None:
        self.written: list[int] = []
        self.at_once = 0
        self.writable = asyncio.Event()
        self.writable.set()
        subscriber.write_directly(self._try_write)
        self._subscriber = subscriber
        self.task = asyncio.create_task(self._send())

    def _try_write(self, payload: SharedPayload) -> bool:
        if not self.writable.is_set():
            return False
        self.at_once += 1
        self.written.append(int(payload.text))
        return True

    async def _send(self) -> None:
        async for payload in self._subscriber:
            await self.writable.wait()
            self.written.append(int(payload.text))


async def turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def play(steps: list[str]) -> tuple[ChainRoom, Reader]:
    """Do the steps, let everything be written, and return what it came to."""
    room = ChainRoom()
    subscriber = Subscriber(room, QUEUED, WebMetrics(CollectorRegistry()))
    reader = Reader(subscriber)
    await turns(3)
    for step in steps:
        match step:
            case "event":
                room.newest += 1
                subscriber.deliver(room.newest, SharedPayload(str(room.newest)))
                assert len(subscriber) <= QUEUED
            case "block":
                reader.writable.clear()
            case "unblock":
                reader.writable.set()
            case _:
                await turns(1)
    reader.writable.set()
    await turns(20)
    subscriber.end(None)
    await reader.task
    return room, reader


@given(STEPS)
def test_the_chain_of_events_is_never_broken_and_ends_with_the_newest(steps: list[str]) -> None:
    room, reader = asyncio.run(play(steps))
    last = 0
    for number in reader.written:
        assert number == last + 1 or -number >= last, reader.written
        last = abs(number)
    assert last == room.newest


def test_a_transport_that_takes_everything_is_given_everything_at_once() -> None:
    _, reader = asyncio.run(play(["event"] * 20))
    assert reader.written == list(range(1, 21))
    assert reader.at_once == 20


def test_nothing_is_written_after_leaving() -> None:
    async def leave() -> list[int]:
        subscriber = Subscriber(ChainRoom(), QUEUED, WebMetrics(CollectorRegistry()))
        reader = Reader(subscriber)
        await turns(3)
        subscriber.unsubscribe()
        subscriber.deliver(1, SharedPayload("1"))
        reader.task.cancel()
        return reader.written

    assert asyncio.run(leave()) == []
