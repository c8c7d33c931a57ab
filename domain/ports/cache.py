"""The port of the cache: fast and forgetful. It only saves a look-up; what must not be lost is in the database."""

from enum import StrEnum
from typing import Protocol


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
