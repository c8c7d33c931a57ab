"""The two ends of a lane of the bus: a writer that keeps nobody waiting, a reader that never falls silent."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable

from hazelcast.asyncio import HazelcastClient, ReliableMessageListener
from hazelcast.proxy.base import TopicMessage

from infra.hazelcast.client import HazelcastConnection

_QUEUE_FRAMES = 5_000
_BATCH_FRAMES = 100
_RETRY_SECONDS = 0.5
_FLUSH_SECONDS = 0.5


class ShardWriter:
    """Sends frames in order, in batches, from a bounded queue.

    What can't be sent is not sent again, for a write that raised may have happened: instead `gap_frame` goes ahead of
    the next frames that arrive, so that the other nodes read the truth from where it is kept.
    """

    def __init__(self, connection: HazelcastConnection, lane: str, gap_frame: Callable[[], bytes]) -> None:
        self._connection = connection
        self._lane = lane
        self._gap_frame = gap_frame
        self._queue: deque[bytes] = deque()
        self._lost = False
        self._work = asyncio.Event()
        self._idle = asyncio.Event()
        self._task = asyncio.get_running_loop().create_task(self._run(), name=f"write {lane}")

    def send(self, frame: bytes) -> None:
        """Queue `frame`; the oldest makes room where the queue is full."""
        if len(self._queue) == _QUEUE_FRAMES:
            self._queue.popleft()
            self._lost = True
        self._queue.append(frame)
        self._idle.clear()
        self._work.set()

    async def close(self) -> None:
        """Send what is queued if that takes no time worth telling, and stop."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_FLUSH_SECONDS):
                await self._idle.wait()
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            while self._queue:
                await self._flush()
            self._idle.set()
            await self._wait_for_work()

    async def _wait_for_work(self) -> None:
        # A loss is told even where nothing more is ever said on the lane.
        with contextlib.suppress(TimeoutError):
            # Not `wait_for`, which in Python 3.11 loses a cancellation that comes together with the event.
            async with asyncio.timeout(_RETRY_SECONDS if self._lost else None):
                await self._work.wait()
        self._work.clear()
        if self._lost and not self._queue:
            await self._flush()

    async def _flush(self) -> None:
        batch = [self._queue.popleft() for _ in range(min(len(self._queue), _BATCH_FRAMES))]
        if self._lost:
            batch.insert(0, self._gap_frame())
        self._lost = False
        sent = await self._connection.call(lambda client: _publish(client, self._lane, batch), otherwise=False)
        self._lost = self._lost or not sent


class ShardReader:
    """Calls `on_frame` for every frame, and `on_loss` each time that it has begun to listen (again)."""

    def __init__(
        self, connection: HazelcastConnection, lane: str, on_frame: Callable[[bytes], None], on_loss: Callable[[], None]
    ) -> None:
        self._connection = connection
        self._lane = lane
        self._on_frame = on_frame
        self._on_loss = on_loss
        self._listening = asyncio.Event()
        self._task = asyncio.get_running_loop().create_task(self._run(), name=f"read {lane}")

    async def wait_listening(self, timeout_seconds: float) -> None:
        """Return when it listens, or after `timeout_seconds`."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_seconds):
                await self._listening.wait()

    async def close(self) -> None:
        """Stop listening."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            link = await self._connection.link()
            listener = _Listener(self._on_frame, self._on_loss)
            link.when_lost(listener.ended.set)
            try:
                await self._listen(listener)
            finally:
                link.forget(listener.ended.set)
                listener.ended.set()
                self._listening.clear()

    async def _listen(self, listener: "_Listener") -> None:
        if not await self._connection.call(lambda client: _listen(client, self._lane, listener), otherwise=False):
            listener.ended.set()  # it may be registered after all, and must not speak beside the next one
            await asyncio.sleep(_RETRY_SECONDS)
            return
        self._listening.set()
        self._on_loss()
        await listener.ended.wait()


class _Listener(ReliableMessageListener):  # type: ignore[misc]  # the client ships no usable types
    """What the client calls for one registration, until it has `ended`."""

    def __init__(self, on_frame: Callable[[bytes], None], on_loss: Callable[[], None]) -> None:
        self.ended = asyncio.Event()
        self._on_frame = on_frame
        self._on_loss = on_loss

    def on_message(self, message: TopicMessage[bytes]) -> None:
        if not self.ended.is_set():
            self._on_frame(bytes(message.message))

    def retrieve_initial_sequence(self) -> int:
        return -1

    def store_sequence(self, sequence: int) -> None:
        """Nothing is resumed: what was missed is read from where it is kept."""

    def is_loss_tolerant(self) -> bool:
        # The client asks when, and only when, frames were lost (reliable_topic.py, _is_loss_tolerable).
        if not self.ended.is_set():
            self._on_loss()
        return True

    def is_terminal(self, error: Exception) -> bool:  # noqa: ARG002  # the client passes it by position
        return False

    def on_cancel(self) -> None:
        self.ended.set()


async def _publish(client: HazelcastClient, lane: str, frames: list[bytes]) -> bool:
    topic = await client.get_reliable_topic(lane)
    await topic.publish_all([bytearray(frame) for frame in frames])  # the client takes bytes for text
    return True


async def _listen(client: HazelcastClient, lane: str, listener: _Listener) -> bool:
    topic = await client.get_reliable_topic(lane)
    await topic.add_listener(listener)
    return True
