"""The cache in the memory of one process."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from cachetools import LRUCache

from domain.core.clock import Clock
from domain.ports.cache import CacheSpace

MAX_ENTRIES: Mapping[CacheSpace, int] = MappingProxyType(
    {
        CacheSpace.LOGIN_SESSIONS: 50_000,
        CacheSpace.DEPTH: 2_000,
        CacheSpace.TICKER: 5_000,
        # Generous: a flood of new keys pushes out the counters that limit others.
        CacheSpace.COUNTERS: 200_000,
    }
)


@dataclass(frozen=True, slots=True)
class _Entry:
    value: bytes
    expires_at: float
    count: int = 0


class EmbeddedCache:
    """`domain.ports.cache.Cache` for one node: exact times to live, at most `max_entries` entries in each space.

    The entry that was used longest ago makes room for a new one.
    """

    def __init__(self, clock: Clock, max_entries: Mapping[CacheSpace, int] = MAX_ENTRIES) -> None:
        self._clock = clock
        self._spaces = {space: LRUCache[str, _Entry](max_entries[space]) for space in CacheSpace}

    async def get(self, space: CacheSpace, key: str) -> bytes | None:
        entry = self._find(space, key)
        return None if entry is None else entry.value

    async def put(self, space: CacheSpace, key: str, value: bytes, ttl_seconds: float) -> None:
        self._spaces[space][key] = _Entry(value, self._clock.monotonic() + ttl_seconds)

    async def delete(self, space: CacheSpace, key: str) -> None:
        self._spaces[space].pop(key, None)

    async def increment(self, key: str, ttl_seconds: float, amount: int = 1) -> int:
        entry = self._find(CacheSpace.COUNTERS, key) or _Entry(b"", self._clock.monotonic() + ttl_seconds)
        self._spaces[CacheSpace.COUNTERS][key] = replace(entry, count=entry.count + amount)
        return entry.count + amount

    async def close(self) -> None:
        for space in self._spaces.values():
            space.clear()

    def _find(self, space: CacheSpace, key: str) -> _Entry | None:
        entries = self._spaces[space]
        entry = entries.get(key)
        if entry is not None and entry.expires_at <= self._clock.monotonic():
            del entries[key]
            return None
        return entry
