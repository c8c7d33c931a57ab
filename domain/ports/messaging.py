"""The ports that every part of the domain may need: the cache and the bus.

Both are fast and forgetful. What must not be lost is in the database; these two only save a look-up or a wait.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import Protocol
from uuid import UUID


class CacheSpace(StrEnum):
    """The maps of the cache; each has its time to live."""

    LOGIN_SESSIONS = "login-sessions"
    DEPTH = "depth"
    TICKER = "ticker"
    CANDLES = "candles"
    COUNTERS = "counters"


class Cache(Protocol):
    """Bytes by key, in named spaces, each entry with a time to live.

    A cache never raises for its own failure: while it can't be reached `get` misses and the rest does nothing. A value
    may be gone at any time, and one of `DEPTH`, `TICKER` or `CANDLES` may be a few seconds old where another node wrote
    it. What must be revoked at once is checked where it is kept: a `delete` while the cache is away is lost.
    """

    async def get(self, space: CacheSpace, key: str) -> bytes | None:
        """Return what was put, or None where there is nothing (any more)."""
        ...

    async def put(self, space: CacheSpace, key: str, value: bytes, ttl_seconds: float) -> None:
        """Keep `value` for at most `ttl_seconds`; it may go up to a second earlier, so give whole seconds."""
        ...

    async def delete(self, space: CacheSpace, key: str) -> None:
        """Forget the entry; nothing happens where there is none."""
        ...

    async def increment(self, key: str, ttl_seconds: float) -> int:
        """Add one to a counter of `CacheSpace.COUNTERS` and return the sum.

        The counter starts at zero and lives for `ttl_seconds` from its first increment, however often it grows. Two
        nodes that count at once may both see the same sum; a limit may thus be passed by the number of nodes, as it may
        while the cache is away and each node counts alone. `delete` sets a counter back; `get` doesn't read one.
        """
        ...

    async def close(self) -> None:
        """Let go of all resources; nothing may be called afterwards."""
        ...


class BusSubscription(Protocol):
    """A listener on a topic, until it is closed."""

    async def close(self) -> None:
        """Stop listening; no call of the listener starts after this has returned."""
        ...


class MessageBus(Protocol):
    """Messages by topic to every listener on every node, in the order of each publisher.

    A hint, not a truth: a message may be lost when a connection breaks. `on_loss` is then called, at least once after
    listening works again, so that the listener reads the truth from where it is kept. It may be called for messages of
    other topics too. Listeners on the publisher's own node miss nothing.
    """

    async def publish(self, topic: str, message: bytes) -> None:
        """Hand `message` to every present listener of `topic`; never raises for the bus's own failure.

        Listeners on this node have had it on return; for those elsewhere it is on its way, and nobody waits for them.
        """
        ...

    async def subscribe(
        self, topic: str, on_message: Callable[[bytes], None], on_loss: Callable[[], None] | None = None
    ) -> BusSubscription:
        """Call `on_message` on the event loop for every message from now on; it must hand over and return.

        A listener that raises is logged the first time, and keeps the message from nobody else.
        """
        ...

    async def close(self) -> None:
        """Close every subscription and let go of all resources."""
        ...


def commands_topic(account_id: UUID) -> str:
    """Return the topic that wakes an account's executor when it has something to do; the message is empty."""
    return f"commands:{account_id}"
