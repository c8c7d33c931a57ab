"""The bus of several nodes: plain calls on the same node, Hazelcast's reliable topics to the others."""

import asyncio
import itertools
import logging
import secrets
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator

from cachetools import LRUCache

from domain.core.clock import Clock, to_milliseconds
from domain.ports.bus import BusSubscription
from infra.embedded.bus import EmbeddedBus
from infra.hazelcast.client import HazelcastConnection
from infra.hazelcast.frames import SENDER_BYTES, Frame, seal_context, shard_for
from infra.hazelcast.seal import Seal
from infra.hazelcast.shards import ShardReader, ShardWriter

_log = logging.getLogger(__name__)

_MAX_SENDERS = 10_000
MAX_AGE_SECONDS = 30.0
"""How far the time of a message may differ from this node's, in either direction.

Delivery takes milliseconds, so nearly all of this is for differences of the nodes' clocks. For the same time, a
recorded message can be replayed to a new node.
"""

_STALE_LOSS_SECONDS = 1.0
"""How often messages that are too old count as a loss, so that nodes whose clocks differ read the database."""

_LOGGED_REJECTIONS = 1
"""After so many rejections for a reason only every thousandth is logged, so that nobody can fill the log."""

_LOG_INTERVAL = 1_000

_REASONS = {
    "forged": "no node of this engine wrote it, or that node has another version or R3EDGE_SECRET_KEY",
    "old": f"it was sent more than {MAX_AGE_SECONDS:g} s ago or ahead: it is replayed, or the nodes' clocks differ",
    "repeated": "it was received before",
}


class HazelcastBus:
    """`domain.ports.bus.MessageBus` for several nodes.

    Listeners on the publisher's own node have had the message when `publish` returns, whether or not Hazelcast can be
    reached; the node's own messages that come back from the cluster are dropped. Other nodes get it a moment later. A
    node that couldn't send notifies the others of the loss as soon as it can, so that `on_loss` is called there too.
    Messages that no node has sealed, that were received before, or that weren't sent just now are rejected and counted.
    """

    def __init__(self, connection: HazelcastConnection, seal: Seal, clock: Clock) -> None:
        self.connection = connection
        self._seal = seal
        self._clock = clock
        self.rejected: Counter[str] = Counter(dict.fromkeys(_REASONS, 0))
        self._numbers: defaultdict[str, Iterator[int]] = defaultdict(lambda: itertools.count(1))
        self._loss_numbers: defaultdict[str, Iterator[int]] = defaultdict(lambda: itertools.count(1))
        self._last_numbers: LRUCache[tuple[str, bytes, bool], int] = LRUCache(_MAX_SENDERS)
        self._stale_losses: dict[str, float] = {}
        self._sender = secrets.token_bytes(SENDER_BYTES)
        self._local = EmbeddedBus()
        self._writers: dict[str, ShardWriter] = {}
        self._readers: dict[str, ShardReader] = {}

    @property
    def is_connected(self) -> bool:
        """Whether a member answers, as far as is known."""
        return self.connection.connected

    def publish_here(self, topic: str, message: bytes) -> None:
        """Hand `message` to every present listener of `topic` on this node alone."""
        self._local.publish_here(topic, message)

    async def publish(self, topic: str, message: bytes) -> None:
        """Hand `message` to every present listener of `topic` on this node, and send it to the other nodes."""
        self._local.publish_here(topic, message)
        shard = shard_for(topic)
        frame = Frame(self._sender, topic, message, number=next(self._numbers[shard]), sent_ms=self._now_ms())
        self._writer(shard).send(self._sealed(shard, frame))

    async def subscribe(
        self, topic: str, on_message: Callable[[bytes], None], on_loss: Callable[[], None] | None = None
    ) -> BusSubscription:
        """Call `on_message` for every message from now on.

        If Hazelcast can't be reached now, messages of this node come at once, those of others as soon as it can be,
        after a call of `on_loss`.
        """
        reader = self._reader(shard_for(topic))
        if self.connection.connected:
            await reader.wait_listening(self.connection.options.timeout_seconds)
        return await self._local.subscribe(topic, on_message, on_loss)

    async def close(self) -> None:
        """Close every subscription and stop all shards; the connection is closed by its owner."""
        await self._local.close()
        await asyncio.gather(*(reader.close() for reader in self._readers.values()))
        await asyncio.gather(*(writer.close() for writer in self._writers.values()))
        self._writers.clear()
        self._readers.clear()

    def _writer(self, shard: str) -> ShardWriter:
        if shard not in self._writers:
            self._writers[shard] = ShardWriter(self.connection, shard, lambda: self._sealed_loss(shard))
        return self._writers[shard]

    def _sealed_loss(self, shard: str) -> bytes:
        # Numbered separately: a loss is reported ahead of messages that were numbered before.
        frame = Frame(self._sender, shard, is_loss=True, number=next(self._loss_numbers[shard]), sent_ms=self._now_ms())
        return self._sealed(shard, frame)

    def _sealed(self, shard: str, frame: Frame) -> bytes:
        return self._seal.seal(frame.encode(), seal_context(shard))

    def _now_ms(self) -> int:
        return to_milliseconds(self._clock.now())

    def _reader(self, shard: str) -> ShardReader:
        if shard not in self._readers:
            self._readers[shard] = ShardReader(
                self.connection,
                shard,
                lambda data: self._receive(shard, data),
                lambda reason: self._notify_loss(shard, reason),
            )
        return self._readers[shard]

    def _receive(self, shard: str, data: bytes) -> None:
        opened = self._seal.open(data, seal_context(shard))
        try:
            frame = Frame.decode(opened) if opened is not None else None
        except ValueError:
            frame = None
        if frame is None:
            self._reject("forged")
        elif frame.sender == self._sender:
            return
        elif abs(self._now_ms() - frame.sent_ms) > MAX_AGE_SECONDS * 1_000:
            self._reject("old")
            self._notify_stale_loss(shard)
        elif frame.number <= (last := self._record(shard, frame)):
            self._reject("repeated")  # anybody who reaches Hazelcast can replay it
        else:
            if last and frame.number > last + 1 and not frame.is_loss:
                # Nobody reports what the smaller part of a cluster carried while a broken network had split it.
                self._notify_loss(shard, "missing")
            self._dispatch(frame)

    def _record(self, shard: str, frame: Frame) -> int:
        """Return the highest number received before from the same sender, 0 without one, and remember the highest."""
        key = (shard, frame.sender, frame.is_loss)
        last = self._last_numbers.get(key, 0)
        self._last_numbers[key] = max(last, frame.number)
        return last

    def _reject(self, reason: str) -> None:
        self.rejected[reason] += 1
        count = self.rejected[reason]
        if count <= _LOGGED_REJECTIONS or not count % _LOG_INTERVAL:
            _log.warning("rejected a message of the bus (%d so far): %s", count, _REASONS[reason])

    def _notify_stale_loss(self, shard: str) -> None:
        """Have listeners read the database: the message may have been late, or its sender's clock may differ."""
        now, last = self._clock.monotonic(), self._stale_losses.get(shard)
        if last is None or now - last >= _STALE_LOSS_SECONDS:
            self._stale_losses[shard] = now
            self._notify_loss(shard, "old")

    def _dispatch(self, frame: Frame) -> None:
        if frame.is_loss:
            self._notify_loss(frame.topic, "reported")
        else:
            self._local.publish_here(frame.topic, frame.message)

    def _notify_loss(self, shard: str, reason: str) -> None:
        self.connection.counts.losses[reason] += 1
        self._local.notify_loss(lambda topic: shard_for(topic) == shard)
