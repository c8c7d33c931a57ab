"""The bus between several nodes: plain calls on the same node, Hazelcast's reliable topics to the others."""

import asyncio
import logging
import secrets
from collections.abc import Callable

from domain.ports import BusSubscription
from infra.embedded.bus import EmbeddedBus
from infra.hazelcast.client import HazelcastConnection
from infra.hazelcast.frames import SENDER_BYTES, Frame, lane_of
from infra.hazelcast.lanes import LaneReader, LaneWriter

_log = logging.getLogger(__name__)


class HazelcastBus:
    """`domain.ports.Bus` for several nodes.

    Listeners on the publisher's own node have had the message when `publish` returns, whether or not Hazelcast can be
    reached; the node's own messages that come back from the cluster are dropped. Other nodes get it a moment later. A
    node that couldn't send tells the others of the gap as soon as it can, so that `on_gap` is called there too.
    """

    def __init__(self, connection: HazelcastConnection) -> None:
        self._connection = connection
        self._sender = secrets.token_bytes(SENDER_BYTES)
        self._local = EmbeddedBus()
        self._writers: dict[str, LaneWriter] = {}
        self._readers: dict[str, LaneReader] = {}

    async def publish(self, topic: str, message: bytes) -> None:
        """Hand `message` to every present listener of `topic` here, and send it to those elsewhere."""
        self._local.deliver(topic, message)
        self._writer(lane_of(topic)).send(Frame(self._sender, topic, message).encode())

    async def subscribe(
        self, topic: str, on_message: Callable[[bytes], None], on_gap: Callable[[], None] | None = None
    ) -> BusSubscription:
        """Call `on_message` for every message from now on.

        Where Hazelcast can't be reached now, messages of this node come at once, those of others as soon as it can,
        after a call of `on_gap`.
        """
        reader = self._reader(lane_of(topic))
        if self._connection.connected:
            await reader.wait_listening(self._connection.options.timeout_seconds)
        return await self._local.subscribe(topic, on_message, on_gap)

    async def close(self) -> None:
        """Close every subscription and stop all lanes; the connection is its owner's to close."""
        await self._local.close()
        await asyncio.gather(*(reader.close() for reader in self._readers.values()))
        await asyncio.gather(*(writer.close() for writer in self._writers.values()))
        self._writers.clear()
        self._readers.clear()

    def _writer(self, lane: str) -> LaneWriter:
        if lane not in self._writers:
            self._writers[lane] = LaneWriter(self._connection, lane, Frame(self._sender, lane, gap=True).encode())
        return self._writers[lane]

    def _reader(self, lane: str) -> LaneReader:
        if lane not in self._readers:
            self._readers[lane] = LaneReader(self._connection, lane, self._receive, lambda: self._tell_gap(lane))
        return self._readers[lane]

    def _receive(self, data: bytes) -> None:
        try:
            frame = Frame.decode(data)
        except ValueError as error:
            _log.warning("dropped a message that no node of this engine wrote: %s", error)
            return
        if frame.sender != self._sender:
            self._take(frame)

    def _take(self, frame: Frame) -> None:
        if frame.gap:
            self._tell_gap(frame.topic)
        else:
            self._local.deliver(frame.topic, frame.message)

    def _tell_gap(self, lane: str) -> None:
        self._local.tell_gap(lambda topic: lane_of(topic) == lane)
