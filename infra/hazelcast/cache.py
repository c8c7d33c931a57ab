"""The cache shared by several nodes: a Hazelcast map a space."""

import struct
from collections.abc import Awaitable, Callable
from typing import TypeVar
from uuid import uuid4

from hazelcast.asyncio import HazelcastClient, Map

from domain.core.clock import Clock
from domain.ports.cache import CacheSpace
from infra.embedded.cache import EmbeddedCache
from infra.hazelcast.client import HazelcastConnection
from infra.hazelcast.seal import Seal

_Result = TypeVar("_Result")

# Hot public data, read far more often than written. What must be revoked at once is never near.
_NEAR_SPACES = frozenset({CacheSpace.DEPTH, CacheSpace.TICKER, CacheSpace.CANDLES})
_NEAR_SECONDS = 0.25
# A window's count outlives its window, whose end Hazelcast rounds to whole seconds.
_COUNT_GRACE_SECONDS = 2.0
# Zero would be for ever.
_SHORTEST_SECONDS = 0.001
_EXPIRY = struct.Struct(">d")


class HazelcastCache:
    """`domain.ports.cache.Cache` for several nodes.

    Hazelcast keeps time in whole seconds, so that an entry may go up to a second before its time. The spaces for hot
    market data are read through a near cache of our own, which is never more than 0.25 s behind: the client's own keeps
    misses too, and is stale for 10 s where the members batch invalidations, which is a setting of theirs. While
    Hazelcast is away `get` misses, and counters count on this node alone.

    Every value is sealed with its key and the time of its end: what no node has put there is not there, nor what
    somebody has kept and puts back later. Nodes whose clocks differ by more than an entry lives only miss each other's.
    Counters aren't sealed: Hazelcast itself must compare them.
    """

    def __init__(self, connection: HazelcastConnection, clock: Clock, seal: Seal) -> None:
        self._connection = connection
        self._clock = clock
        self._seal = seal
        self._near = EmbeddedCache(clock)
        self._alone = EmbeddedCache(clock)
        self._near_writes = 0

    async def get(self, space: CacheSpace, key: str) -> bytes | None:
        """Return what was put, or None where there is nothing (any more)."""
        if space not in _NEAR_SPACES:
            return await self._far_get(space, key)
        near = await self._near.get(space, key)
        if near is not None:
            return near
        writes = self._near_writes
        far = await self._far_get(space, key)
        # What was read while this node wrote may be older than what was written.
        if far is not None and writes == self._near_writes:
            await self._near.put(space, key, far, _NEAR_SECONDS)
        return far

    async def put(self, space: CacheSpace, key: str, value: bytes, ttl_seconds: float) -> None:
        """Keep `value` for at most `ttl_seconds`, of which Hazelcast counts whole ones."""
        await self._drop_near(space, key)
        expires = _EXPIRY.pack(self._clock.now().timestamp() + ttl_seconds)
        as_bytes = bytearray(self._seal.seal(expires + value, _place(space, key)))  # the client takes bytes for text
        await self._on(space, lambda entries: entries.set(key, as_bytes, max(ttl_seconds, _SHORTEST_SECONDS)), None)
        await self._drop_near(space, key)

    async def delete(self, space: CacheSpace, key: str) -> None:
        """Forget the entry; nothing happens where there is none."""
        await self._drop_near(space, key)
        await self._on(space, lambda entries: entries.delete(key), None)
        await self._drop_near(space, key)
        if space is CacheSpace.COUNTERS:
            await self._alone.delete(space, key)

    async def increment(self, key: str, ttl_seconds: float) -> int:
        """Add one to a counter that lives for `ttl_seconds` from its first increment, and return the sum."""
        total = await self._on(CacheSpace.COUNTERS, lambda entries: _count(entries, key, ttl_seconds), 0)
        return total or await self._alone.increment(key, ttl_seconds)

    async def close(self) -> None:
        """Forget what is near; the connection is its owner's to close."""
        await self._near.close()
        await self._alone.close()

    async def _far_get(self, space: CacheSpace, key: str) -> bytes | None:
        value = await self._on(space, lambda entries: entries.get(key), None)
        # Whoever reaches Hazelcast may have put anything there.
        opened = self._seal.open(bytes(value), _place(space, key)) if isinstance(value, bytes | bytearray) else None
        if opened is None or _EXPIRY.unpack_from(opened)[0] <= self._clock.now().timestamp():
            return None
        return opened[_EXPIRY.size :]

    async def _drop_near(self, space: CacheSpace, key: str) -> None:
        if space in _NEAR_SPACES:
            self._near_writes += 1
            await self._near.delete(space, key)

    async def _on(
        self, space: CacheSpace, operation: Callable[[Map], Awaitable[_Result]], otherwise: _Result
    ) -> _Result:
        async def run(client: HazelcastClient) -> _Result:
            return await operation(await client.get_map(f"r3edge-{space.value}"))

        return await self._connection.call(run, otherwise)


def _place(space: CacheSpace, key: str) -> str:
    return f"{space.value}/{key}"


async def _count(entries: Map, key: str, ttl_seconds: float) -> int:
    """Count in a window that begins with its first increment.

    `replace_if_same` resets an entry's time to live (measured), so that the window is an entry of its own, which is
    never replaced, and names the entry that counts.
    """
    fresh = uuid4().hex
    window = await entries.put_if_absent(key, fresh, ttl_seconds) or fresh
    counter = f"{key}/{window}"
    grace = ttl_seconds + _COUNT_GRACE_SECONDS
    while True:
        count = await entries.put_if_absent(counter, 1, grace)
        if count is None:
            return 1
        if not isinstance(count, int):  # put there by somebody else
            await entries.set(counter, 1, grace)
            return 1
        if await entries.replace_if_same(counter, count, count + 1):
            await entries.set_ttl(counter, grace)
            return int(count) + 1
