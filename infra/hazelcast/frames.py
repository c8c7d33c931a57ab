"""The format of the bus's messages in Hazelcast, and the reliable topics (shards) that carry them."""

import struct
import zlib
from dataclasses import dataclass

# All nodes of a cluster must agree on these.
SHARDS = tuple(f"r3edge-bus-{number}" for number in range(16))

SENDER_BYTES = 16
_HEAD = struct.Struct(f">?{SENDER_BYTES}sQQH")


def seal_context(shard: str) -> str:
    """Return the context that frames of the shard are sealed with; it changes with the layout of frames.

    Nodes with different layouts, as during an upgrade, drop each other's frames and work by the database.
    """
    return f"{shard}/timed"


def shard_for(topic: str) -> str:
    """Return the reliable topic that carries `topic`: always the same one, so that each publisher's order is kept.

    A reliable topic costs its members a ring buffer of 10,000 places, and each listener a parked read; a reliable topic
    for every user and market would multiply them.
    """
    return SHARDS[zlib.crc32(topic.encode()) % len(SHARDS)]


@dataclass(frozen=True, slots=True)
class Frame:
    """A message; or, with `is_loss`, the notice that messages of the shard named as its topic were lost.

    `sender` is the random identity of a node's bus, by which it recognises its own messages; `number` grows with each
    of its messages on the shard, or else with each of its notices; `sent_ms` is the sender's time, in milliseconds
    since 1970.
    """

    sender: bytes
    topic: str = ""
    message: bytes = b""
    is_loss: bool = False
    number: int = 0
    sent_ms: int = 0

    def encode(self) -> bytes:
        """Return the loss flag (1 byte), sender (16), number (8), time (8), length of the topic (2), topic, message."""
        topic = self.topic.encode()
        return _HEAD.pack(self.is_loss, self.sender, self.number, self.sent_ms, len(topic)) + topic + self.message

    @classmethod
    def decode(cls, data: bytes) -> "Frame":
        """Return the frame that `encode` wrote; raise ValueError if it can't have been written by it."""
        if len(data) < _HEAD.size:
            raise ValueError(f"a frame has at least {_HEAD.size} bytes, this one {len(data)}")
        is_loss, sender, number, sent_ms, length = _HEAD.unpack_from(data)
        body = data[_HEAD.size :]
        if len(body) < length:
            raise ValueError(f"a frame of {len(data)} bytes can't hold a topic of {length}")
        return cls(sender, body[:length].decode(), body[length:], is_loss, number, sent_ms)
