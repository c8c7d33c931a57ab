"""The bus between several nodes: plain calls on the same node, Hazelcast's reliable topics to the others."""

import asyncio
import itertools
import logging
import secrets
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable, Iterator

from domain.core.clock import Clock, to_milliseconds
from domain.ports.bus import BusSubscription
from infra.embedded.bus import EmbeddedBus
from infra.hazelcast.client import HazelcastConnection
from infra.hazelcast.frames import SENDER_BYTES, Frame, place_of, shard_for
from infra.hazelcast.seal import Seal
from infra.hazelcast.shards import ShardReader, ShardWriter

_log = logging.getLogger(__name__)

_REMEMBERED_SENDERS = 10_000
MAX_AGE_SECONDS = 30.0
"""How far the time of a message may be from this node's, either way.

Its way takes milliseconds, so nearly all of this is for the clocks of the nodes to differ. For as long, a recorded
message can be played to a node that is new.
"""

_STALE_GAP_SECONDS = 1.0
"""How often messages that are too old are taken for a gap, so that nodes whose clocks differ read the database."""

_LOUD_REFUSALS = 1
"""After so many refusals for a reason only every thousandth is told, so that nobody can fill the log."""

_QUIET_REFUSALS = 1_000

_REASONS = {
    "forged": "no node of this engine wrote it, or that node has another version or R3EDGE_SECRET_KEY",
    "old": f"it was sent more than {MAX_AGE_SECONDS:g} s ago or ahead: it is played again, or the nodes' clocks differ",
    "repeated": "it was heard before",
}


class HazelcastBus:
    """`domain.ports.bus.MessageBus` for several nodes.

    Listeners on the publisher's own node have had the message when `publish` returns, whether or not Hazelcast can be
    reached; the node's own messages that come back from the cluster are dropped. Other nodes get it a moment later. A
    node that couldn't send tells the others of the gap as soon as it can, so that `on_loss` is called there too. What
    no node has sealed, what was heard before, and what wasn't sent just now is refused and counted.
    """

    def __init__(self, connection: HazelcastConnection, seal: Seal, clock: Clock) -> None:
        self._connection = connection
        self._seal = seal
        self._clock = clock
        self.refused: Counter[str] = Counter(dict.fromkeys(_REASONS, 0))
        self._numbers: defaultdict[str, Iterator[int]] = defaultdict(lambda: itertools.count(1))
        self._gap_numbers: defaultdict[str, Iterator[int]] = defaultdict(lambda: itertools.count(1))
        self._heard: OrderedDict[tuple[str, bytes, bool], int] = OrderedDict()
        self._stale_gaps: dict[str, float] = {}
        self._sender = secrets.token_bytes(SENDER_BYTES)
        self._local = EmbeddedBus()
        self._writers: dict[str, ShardWriter] = {}
        self._readers: dict[str, ShardReader] = {}

    async def publish(self, topic: str, message: bytes) -> None:
        """Hand `message` to every present listener of `topic` here, and send it to those elsewhere."""
        self._local.dispatch(topic, message)
        lane = shard_for(topic)
        frame = Frame(self._sender, topic, message, number=next(self._numbers[lane]), sent_ms=self._now_ms())
        self._writer(lane).send(self._sealed(lane, frame))

    async def subscribe(
        self, topic: str, on_message: Callable[[bytes], None], on_loss: Callable[[], None] | None = None
    ) -> BusSubscription:
        """Call `on_message` for every message from now on.

        Where Hazelcast can't be reached now, messages of this node come at once, those of others as soon as it can,
        after a call of `on_loss`.
        """
        reader = self._reader(shard_for(topic))
        if self._connection.connected:
            await reader.wait_listening(self._connection.options.timeout_seconds)
        return await self._local.subscribe(topic, on_message, on_loss)

    async def close(self) -> None:
        """Close every subscription and stop all lanes; the connection is its owner's to close."""
        await self._local.close()
        await asyncio.gather(*(reader.close() for reader in self._readers.values()))
        await asyncio.gather(*(writer.close() for writer in self._writers.values()))
        self._writers.clear()
        self._readers.clear()

    def _writer(self, lane: str) -> ShardWriter:
        if lane not in self._writers:
            self._writers[lane] = ShardWriter(self._connection, lane, lambda: self._sealed(lane, self._gap(lane)))
        return self._writers[lane]

    def _gap(self, lane: str) -> Frame:
        # Numbered by themselves: a gap is told ahead of messages that were numbered before.
        return Frame(self._sender, lane, gap=True, number=next(self._gap_numbers[lane]), sent_ms=self._now_ms())

    def _sealed(self, lane: str, frame: Frame) -> bytes:
        return self._seal.seal(frame.encode(), place_of(lane))

    def _now_ms(self) -> int:
        return to_milliseconds(self._clock.now())

    def _reader(self, lane: str) -> ShardReader:
        if lane not in self._readers:
            self._readers[lane] = ShardReader(
                self._connection, lane, lambda data: self._receive(lane, data), lambda: self._tell_gap(lane)
            )
        return self._readers[lane]

    def _receive(self, lane: str, data: bytes) -> None:
        opened = self._seal.open(data, place_of(lane))
        try:
            frame = Frame.decode(opened) if opened is not None else None
        except ValueError:
            frame = None
        if frame is None:
            self._refuse("forged")
        elif frame.sender == self._sender:
            return
        elif abs(self._now_ms() - frame.sent_ms) > MAX_AGE_SECONDS * 1_000:
            self._refuse("old")
            self._tell_stale_gap(lane)
        elif not self._is_new(lane, frame):
            self._refuse("repeated")
        else:
            self._take(frame)

    def _is_new(self, lane: str, frame: Frame) -> bool:
        """Tell whether a message wasn't heard before: it could be played again by whoever reaches Hazelcast."""
        key = (lane, frame.sender, frame.gap)
        if frame.number <= self._heard.get(key, 0):
            return False
        self._heard[key] = frame.number
        self._heard.move_to_end(key)
        if len(self._heard) > _REMEMBERED_SENDERS:
            self._heard.popitem(last=False)
        return True

    def _refuse(self, reason: str) -> None:
        self.refused[reason] += 1
        count = self.refused[reason]
        if count <= _LOUD_REFUSALS or not count % _QUIET_REFUSALS:
            _log.warning("refused a message of the bus (%d so far): %s", count, _REASONS[reason])

    def _tell_stale_gap(self, lane: str) -> None:
        """Let listeners read the truth: the message may be one that was late, or whose sender has another clock."""
        now, last = self._clock.monotonic(), self._stale_gaps.get(lane)
        if last is None or now - last >= _STALE_GAP_SECONDS:
            self._stale_gaps[lane] = now
            self._tell_gap(lane)

    def _take(self, frame: Frame) -> None:
        if frame.gap:
            self._tell_gap(frame.topic)
        else:
            self._local.dispatch(frame.topic, frame.message)

    def _tell_gap(self, lane: str) -> None:
        self._local.notify_loss(lambda topic: shard_for(topic) == lane)
