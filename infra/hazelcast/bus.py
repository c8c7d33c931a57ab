"""The bus between several nodes: plain calls on the same node, Hazelcast's reliable topics to the others."""

import asyncio
import itertools
import logging
import secrets
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterator

from domain.ports.messaging import BusSubscription
from infra.embedded.bus import EmbeddedBus
from infra.hazelcast.client import HazelcastConnection
from infra.hazelcast.frames import SENDER_BYTES, Frame, shard_for
from infra.hazelcast.seal import Seal
from infra.hazelcast.shards import ShardReader, ShardWriter

_log = logging.getLogger(__name__)

_REMEMBERED_SENDERS = 10_000
_LOUD_DROPS = 10
"""After so many frames that were dropped only every thousandth is told, so that nobody can fill the log."""

_QUIET_DROPS = 1_000


class HazelcastBus:
    """`domain.ports.messaging.MessageBus` for several nodes.

    Listeners on the publisher's own node have had the message when `publish` returns, whether or not Hazelcast can be
    reached; the node's own messages that come back from the cluster are dropped. Other nodes get it a moment later. A
    node that couldn't send tells the others of the gap as soon as it can, so that `on_gap` is called there too. What no
    node has sealed, and what was heard before, is dropped.
    """

    def __init__(self, connection: HazelcastConnection, seal: Seal) -> None:
        self._connection = connection
        self._seal = seal
        self._numbers: defaultdict[str, Iterator[int]] = defaultdict(lambda: itertools.count(1))
        self._heard: OrderedDict[tuple[str, bytes], int] = OrderedDict()
        self._dropped = 0
        self._sender = secrets.token_bytes(SENDER_BYTES)
        self._local = EmbeddedBus()
        self._writers: dict[str, ShardWriter] = {}
        self._readers: dict[str, ShardReader] = {}

    async def publish(self, topic: str, message: bytes) -> None:
        """Hand `message` to every present listener of `topic` here, and send it to those elsewhere."""
        self._local.deliver(topic, message)
        lane = shard_for(topic)
        frame = Frame(self._sender, topic, message, number=next(self._numbers[lane]))
        self._writer(lane).send(self._seal.seal(frame.encode(), lane))

    async def subscribe(
        self, topic: str, on_message: Callable[[bytes], None], on_gap: Callable[[], None] | None = None
    ) -> BusSubscription:
        """Call `on_message` for every message from now on.

        Where Hazelcast can't be reached now, messages of this node come at once, those of others as soon as it can,
        after a call of `on_gap`.
        """
        reader = self._reader(shard_for(topic))
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

    def _writer(self, lane: str) -> ShardWriter:
        if lane not in self._writers:
            gap = self._seal.seal(Frame(self._sender, lane, gap=True).encode(), lane)
            self._writers[lane] = ShardWriter(self._connection, lane, gap)
        return self._writers[lane]

    def _reader(self, lane: str) -> ShardReader:
        if lane not in self._readers:
            self._readers[lane] = ShardReader(
                self._connection, lane, lambda data: self._receive(lane, data), lambda: self._tell_gap(lane)
            )
        return self._readers[lane]

    def _receive(self, lane: str, data: bytes) -> None:
        opened = self._seal.open(data, lane)
        if opened is None:
            self._drop("it is forged, or that node has another R3EDGE_SECRET_KEY")
            return
        try:
            frame = Frame.decode(opened)
        except ValueError as error:
            self._drop(str(error))
            return
        if frame.sender != self._sender and self._is_new(lane, frame):
            self._take(frame)

    def _is_new(self, lane: str, frame: Frame) -> bool:
        """Tell whether a message wasn't heard before: it could be played again by whoever reaches Hazelcast."""
        if frame.gap:
            return True
        key = (lane, frame.sender)
        if frame.number <= self._heard.get(key, 0):
            return False
        self._heard[key] = frame.number
        self._heard.move_to_end(key)
        if len(self._heard) > _REMEMBERED_SENDERS:
            self._heard.popitem(last=False)
        return True

    def _drop(self, reason: str) -> None:
        self._dropped += 1
        if self._dropped <= _LOUD_DROPS or not self._dropped % _QUIET_DROPS:
            _log.warning("dropped a message that no node of this engine wrote (%d so far): %s", self._dropped, reason)

    def _take(self, frame: Frame) -> None:
        if frame.gap:
            self._tell_gap(frame.topic)
        else:
            self._local.deliver(frame.topic, frame.message)

    def _tell_gap(self, lane: str) -> None:
        self._local.tell_gap(lambda topic: shard_for(topic) == lane)
