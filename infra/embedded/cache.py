"""The cache in the memory of one process."""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from domain.core.clock import Clock
from domain.ports.cache import CacheSpace

MAX_ENTRIES: Mapping[CacheSpace, int] = MappingProxyType(
    {
        CacheSpace.LOGIN_SESSIONS: 50_000,
        CacheSpace.DEPTH: 2_000,
        CacheSpace.TICKER: 5_000,
        CacheSpace.CANDLES: 5_000,
        # Generous, for whoever floods it with fresh keys pushes out the counters that hold others back.
        CacheSpace.COUNTERS: 200_000,
    }
)


@dataclass(frozen=True, slots=True)
class _Entry:
    value: bytes
    expires_at: float
    count: int = 0


class _Space:
    """One bounded map; the entry that was used longest ago makes room for a new one."""

    def __init__(self, clock: Clock, max_entries: int) -> None:
        self._clock = clock
        self._max_entries = max_entries
        self._entries: OrderedDict[str, _Entry] = OrderedDict()

    def find(self, key: str) -> _Entry | None:
        entry = self._entries.get(key)
        if entry is None:
            return None
        if entry.expires_at <= self._clock.monotonic():
            del self._entries[key]
            return None
        self._entries.move_to_end(key)
        return entry

    def keep(self, key: str, entry: _Entry) -> None:
        self._entries[key] = entry
        self._entries.move_to_end(key)
        if len(self._entries) > self._max_entries:
            self._entries.popitem(last=False)

    def forget(self, key: str) -> None:
        self._entries.pop(key, None)

    def clear(self) -> None:
        self._entries.clear()


class EmbeddedCache:
    """`domain.ports.cache.Cache` for one node: exact times to live, at most `max_entries` entries a space."""

    def __init__(self, clock: Clock, max_entries: Mapping[CacheSpace, int] = MAX_ENTRIES) -> None:
        self._clock = clock
        self._spaces = {space: _Space(clock, max_entries[space]) for space in CacheSpace}

    async def get(self, space: CacheSpace, key: str) -> bytes | None:
        """Return what was put, or None where there is nothing (any more)."""
        entry = self._spaces[space].find(key)
        return None if entry is None else entry.value

    async def put(self, space: CacheSpace, key: str, value: bytes, ttl_seconds: float) -> None:
        """Keep `value` for exactly `ttl_seconds`, unless younger entries need its place."""
        self._spaces[space].keep(key, _Entry(value, self._clock.monotonic() + ttl_seconds))

    async def delete(self, space: CacheSpace, key: str) -> None:
        """Forget the entry; nothing happens where there is none."""
        self._spaces[space].forget(key)

    async def increment(self, key: str, ttl_seconds: float) -> int:
        """Add one to a counter that lives for `ttl_seconds` from its first increment, and return the sum."""
        counters = self._spaces[CacheSpace.COUNTERS]
        entry = counters.find(key) or _Entry(b"", self._clock.monotonic() + ttl_seconds)
        counters.keep(key, replace(entry, count=entry.count + 1))
        return entry.count + 1

    async def close(self) -> None:
        """Forget everything."""
        for space in self._spaces.values():
            space.clear()
