"""How a message of the bus looks on its way through Hazelcast, and which way it takes."""

import struct
import zlib
from dataclasses import dataclass

# All nodes of a cluster must agree on these.
LANES = tuple(f"r3edge-bus-{number}" for number in range(16))

SENDER_BYTES = 16
_HEAD = struct.Struct(f">?{SENDER_BYTES}sQQH")


def place_of(lane: str) -> str:
    """Return the place that a frame of the lane is sealed for: it changes with the frame's layout.

    Nodes that still have another layout, as during an upgrade, drop each other's frames and go on by the database.
    """
    return f"{lane}/timed"


def shard_for(topic: str) -> str:
    """Return the reliable topic that carries `topic`: always the same, so that the order of a publisher is kept.

    A reliable topic costs its members a ring buffer of 10,000 places, and each listener a parked read; one for every
    user and market would multiply them.
    """
    return LANES[zlib.crc32(topic.encode()) % len(LANES)]


@dataclass(frozen=True, slots=True)
class Frame:
    """A message; or, with `gap`, the word that messages of the lane named as its topic were lost on their way.

    `sender` is the random identity of a node's bus, by which it knows its own messages when they come back; `number`
    grows with each of its messages, or else of its gaps, on the lane; `sent_ms` is the sender's time, in milliseconds
    since 1970.
    """

    sender: bytes
    topic: str = ""
    message: bytes = b""
    gap: bool = False
    number: int = 0
    sent_ms: int = 0

    def encode(self) -> bytes:
        """Return gap flag (1 byte), sender (16), number (8), time (8), length of the topic (2), topic, message."""
        topic = self.topic.encode()
        return _HEAD.pack(self.gap, self.sender, self.number, self.sent_ms, len(topic)) + topic + self.message

    @classmethod
    def decode(cls, data: bytes) -> "Frame":
        """Read what `encode` wrote; ValueError where it can't have been."""
        if len(data) < _HEAD.size:
            raise ValueError(f"a frame has at least {_HEAD.size} bytes, this one {len(data)}")
        gap, sender, number, sent_ms, length = _HEAD.unpack_from(data)
        body = data[_HEAD.size :]
        if len(body) < length:
            raise ValueError(f"a frame of {len(data)} bytes can't hold a topic of {length}")
        return cls(sender, body[:length].decode(), body[length:], gap, number, sent_ms)
