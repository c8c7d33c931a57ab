"""The two ends of a shard of the bus: a writer that delays no publisher, and a reader that always listens again."""

import asyncio
from collections import deque
from collections.abc import Callable

from hazelcast.asyncio import HazelcastClient, ReliableMessageListener
from hazelcast.proxy.base import TopicMessage

from domain.core.background import cancel_and_wait
from domain.core.wakeup import Wakeup
from infra.hazelcast.client import HazelcastConnection

_QUEUE_FRAMES = 5_000
_BATCH_FRAMES = 100
_FLUSH_SECONDS = 0.5


class ShardWriter:
    """Sends frames in order, in batches, from a bounded queue.

    Frames that can't be sent aren't sent again, since a write that raised may have taken effect. Instead `loss_frame`
    is sent ahead of the next frames, so that the other nodes read the database.
    """

    def __init__(self, connection: HazelcastConnection, shard: str, loss_frame: Callable[[], bytes]) -> None:
        self._connection = connection
        self._shard = shard
        self._loss_frame = loss_frame
        self._queue: deque[bytes] = deque()
        self._lost = False
        self._wakeup = Wakeup()
        self._idle = Wakeup()
        self._task = asyncio.get_running_loop().create_task(self._run(), name=f"write {shard}")

    def send(self, frame: bytes) -> None:
        """Queue `frame`; if the queue is full, the oldest frame is dropped."""
        if len(self._queue) == _QUEUE_FRAMES:
            self._queue.popleft()
            self._lost = True
        self._queue.append(frame)
        self._idle.clear()
        self._wakeup.set()

    async def close(self) -> None:
        """Send what is queued, within half a second, and stop."""
        await self._idle.wait(_FLUSH_SECONDS)
        await cancel_and_wait(self._task)

    async def _run(self) -> None:
        while True:
            while self._queue:
                await self._flush()
            self._idle.set()
            await self._wait_for_work()

    async def _wait_for_work(self) -> None:
        # A loss is reported even if nothing more is ever published on the shard.
        await self._wakeup.wait(self._connection.options.retry_seconds if self._lost else None)
        self._wakeup.clear()
        if self._lost and not self._queue:
            await self._flush()

    async def _flush(self) -> None:
        batch = [self._queue.popleft() for _ in range(min(len(self._queue), _BATCH_FRAMES))]
        if self._lost:
            batch.insert(0, self._loss_frame())
        self._lost = False
        sent = await self._connection.call(lambda client: _publish(client, self._shard, batch), otherwise=False)
        self._lost = self._lost or not sent


class ShardReader:
    """Calls `on_frame` for every frame, and `on_loss` with the reason, each time that it has begun to listen too."""

    def __init__(
        self,
        connection: HazelcastConnection,
        shard: str,
        on_frame: Callable[[bytes], None],
        on_loss: Callable[[str], None],
    ) -> None:
        self._connection = connection
        self._shard = shard
        self._on_frame = on_frame
        self._on_loss = on_loss
        self._listening = Wakeup()
        self._task = asyncio.get_running_loop().create_task(self._run(), name=f"read {shard}")

    async def wait_listening(self, timeout_seconds: float) -> None:
        """Wait until it listens, for at most `timeout_seconds`."""
        await self._listening.wait(timeout_seconds)

    async def close(self) -> None:
        """Stop listening."""
        await cancel_and_wait(self._task)

    async def _run(self) -> None:
        while True:
            session = await self._connection.session()
            listener = _Listener(self._on_frame, self._on_loss)
            session.on_disconnect(listener.ended.set)
            try:
                await self._listen(listener)
            finally:
                session.remove_callback(listener.ended.set)
                listener.ended.set()
                self._listening.clear()

    async def _listen(self, listener: "_Listener") -> None:
        if not await self._connection.call(lambda client: _listen(client, self._shard, listener), otherwise=False):
            listener.ended.set()  # it may be registered after all, and must not call back together with the next one
            await asyncio.sleep(self._connection.options.retry_seconds)
            return
        self._connection.counts.registrations += 1
        self._listening.set()
        self._on_loss("listening")
        await listener.ended.wait()


class _Listener(ReliableMessageListener):  # type: ignore[misc]  # the client ships no usable types
    """The callbacks of one registration, until it has `ended`."""

    def __init__(self, on_frame: Callable[[bytes], None], on_loss: Callable[[str], None]) -> None:
        self.ended = asyncio.Event()
        self._on_frame = on_frame
        self._on_loss = on_loss

    def on_message(self, message: TopicMessage[bytes]) -> None:
        if not self.ended.is_set():
            self._on_frame(bytes(message.message))

    def retrieve_initial_sequence(self) -> int:
        return -1

    def store_sequence(self, sequence: int) -> None:
        """Nothing is resumed: what was missed is read from the database."""

    def is_loss_tolerant(self) -> bool:
        # The client calls this when, and only when, frames were lost (reliable_topic.py, _is_loss_tolerable).
        if not self.ended.is_set():
            self._on_loss("overrun")
        return True

    def is_terminal(self, error: Exception) -> bool:  # noqa: ARG002  # the client passes it by position
        return False

    def on_cancel(self) -> None:
        self.ended.set()


async def _publish(client: HazelcastClient, shard: str, frames: list[bytes]) -> bool:
    topic = await client.get_reliable_topic(shard)
    await topic.publish_all([bytearray(frame) for frame in frames])  # the client writes bytes as text
    return True


async def _listen(client: HazelcastClient, shard: str, listener: _Listener) -> bool:
    topic = await client.get_reliable_topic(shard)
    await topic.add_listener(listener)
    return True
