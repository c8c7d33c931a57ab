"""The port of the cache: fast, but any entry may be lost. What must not be lost is in the database."""

from enum import StrEnum
from typing import Protocol


class CacheSpace(StrEnum):
    """The maps of the cache; each has its own time to live."""

    LOGIN_SESSIONS = "login-sessions"
    DEPTH = "depth"
    TICKER = "ticker"
    COUNTERS = "counters"


class Cache(Protocol):
    """Bytes by key, in named spaces, each entry with a time to live.

    A cache never raises for its own failure: while it is unreachable, `get` misses and the rest does nothing. An entry
    may disappear at any time, and one of `DEPTH` or `TICKER` that another node wrote may be a few seconds old. A
    `delete` while the cache is unreachable is lost: what must be revoked at once is checked in the database.
    """

    async def get(self, space: CacheSpace, key: str) -> bytes | None:
        """Return the value, or None if there is none (any more)."""
        ...

    async def put(self, space: CacheSpace, key: str, value: bytes, ttl_seconds: float) -> None:
        """Store `value` for `ttl_seconds`; it may expire up to a second earlier, so give whole seconds."""
        ...

    async def delete(self, space: CacheSpace, key: str) -> None:
        """Remove the entry, if there is one."""
        ...

    async def increment(self, key: str, ttl_seconds: float, amount: int = 1) -> int:
        """Add `amount` to a counter of `CacheSpace.COUNTERS` and return its new value.

        The counter starts at zero and expires `ttl_seconds` after its first increment, however often it is incremented.
        Two nodes that count at once may get the same value, and each counts alone while the cache is unreachable: with
        n nodes a limit may be exceeded by up to n times. `delete` resets a counter; `get` doesn't read it.
        """
        ...

    async def close(self) -> None:
        """Release all resources; nothing may be called afterwards."""
        ...
