"""The cache of several nodes: one Hazelcast map for each space."""

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

# Hot public data, read far more often than written. Data that must be revocable at once is never cached near.
_NEAR_SPACES = frozenset({CacheSpace.DEPTH, CacheSpace.TICKER})
_NEAR_SECONDS = 0.25
# A window's count outlives its window, whose end Hazelcast rounds to whole seconds.
_COUNT_GRACE_SECONDS = 2.0
# To Hazelcast, zero means for ever.
_SHORTEST_SECONDS = 0.001
_EXPIRY = struct.Struct(">d")


class HazelcastCache:
    """`domain.ports.cache.Cache` for several nodes.

    Hazelcast keeps time in whole seconds, so an entry may expire up to a second early. The spaces for hot market data
    are read through a near cache of our own, which is never more than 0.25 s behind: the client's own caches misses
    too, and is stale for 10 s if the members batch invalidations, which is a setting of theirs. While Hazelcast can't
    be reached, `get` misses, and counters count on this node only.

    Every value is sealed with its key and its expiry: a value that no node has written is ignored, and so is one that
    somebody copied and writes back later. Nodes whose clocks differ by more than an entry's life miss each other's
    entries. Counters aren't sealed: Hazelcast itself must compare them.
    """

    def __init__(self, connection: HazelcastConnection, clock: Clock, seal: Seal) -> None:
        self._connection = connection
        self._clock = clock
        self._seal = seal
        self._near = EmbeddedCache(clock)
        self._fallback = EmbeddedCache(clock)
        self._near_writes = 0

    async def get(self, space: CacheSpace, key: str) -> bytes | None:
        if space not in _NEAR_SPACES:
            return await self._get_remote(space, key)
        near = await self._near.get(space, key)
        if near is not None:
            return near
        writes = self._near_writes
        remote = await self._get_remote(space, key)
        # A value that was read while this node wrote may be older than what it wrote.
        if remote is not None and writes == self._near_writes:
            await self._near.put(space, key, remote, _NEAR_SECONDS)
        return remote

    async def put(self, space: CacheSpace, key: str, value: bytes, ttl_seconds: float) -> None:
        """Store `value` for at most `ttl_seconds`, which Hazelcast rounds to whole seconds."""
        await self._invalidate_near(space, key)
        expires = _EXPIRY.pack(self._clock.now().timestamp() + ttl_seconds)
        sealed = self._seal.seal(expires + value, _seal_context(space, key))
        data = bytearray(sealed)  # the client writes bytes as text
        await self._call(space, lambda entries: entries.set(key, data, max(ttl_seconds, _SHORTEST_SECONDS)), None)
        await self._invalidate_near(space, key)

    async def delete(self, space: CacheSpace, key: str) -> None:
        await self._invalidate_near(space, key)
        await self._call(space, lambda entries: entries.delete(key), None)
        await self._invalidate_near(space, key)
        if space is CacheSpace.COUNTERS:
            await self._fallback.delete(space, key)

    async def increment(self, key: str, ttl_seconds: float, amount: int = 1) -> int:
        total = await self._call(CacheSpace.COUNTERS, lambda entries: _count(entries, key, ttl_seconds, amount), 0)
        return total or await self._fallback.increment(key, ttl_seconds, amount)

    async def close(self) -> None:
        """Empty the near cache; the connection is closed by its owner."""
        await self._near.close()
        await self._fallback.close()

    async def _get_remote(self, space: CacheSpace, key: str) -> bytes | None:
        value = await self._call(space, lambda entries: entries.get(key), None)
        if not isinstance(value, bytes | bytearray):  # anybody who reaches Hazelcast may have put anything there
            return None
        opened = self._seal.open(bytes(value), _seal_context(space, key))
        if opened is None or _EXPIRY.unpack_from(opened)[0] <= self._clock.now().timestamp():
            return None
        return opened[_EXPIRY.size :]

    async def _invalidate_near(self, space: CacheSpace, key: str) -> None:
        if space in _NEAR_SPACES:
            self._near_writes += 1
            await self._near.delete(space, key)

    async def _call(
        self, space: CacheSpace, operation: Callable[[Map], Awaitable[_Result]], otherwise: _Result
    ) -> _Result:
        async def run(client: HazelcastClient) -> _Result:
            return await operation(await client.get_map(f"r3edge-{space.value}"))

        return await self._connection.call(run, otherwise)


def _seal_context(space: CacheSpace, key: str) -> str:
    return f"{space.value}/{key}"


async def _count(entries: Map, key: str, ttl_seconds: float, amount: int) -> int:
    """Count in a window that starts with its first increment.

    `replace_if_same` resets an entry's time to live (measured), so the window is an entry of its own, which is never
    replaced, and which names the entry that counts.
    """
    fresh = uuid4().hex
    window = await entries.put_if_absent(key, fresh, ttl_seconds) or fresh
    counter = f"{key}/{window}"
    grace = ttl_seconds + _COUNT_GRACE_SECONDS
    while True:
        count = await entries.put_if_absent(counter, amount, grace)
        if count is None:
            return amount
        if not isinstance(count, int):  # written by somebody else
            await entries.set(counter, amount, grace)
            return amount
        if await entries.replace_if_same(counter, count, count + amount):
            await entries.set_ttl(counter, grace)
            return int(count) + amount
