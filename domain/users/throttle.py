"""Slows down whoever tries wrong passwords, without ever locking anybody out."""

import asyncio
from collections.abc import Awaitable, Callable

from domain.ports import Cache, CacheSpace

FREE_FAILURES = 10
WINDOW_SECONDS = 60.0
DELAY_STEP_SECONDS = 0.5
MAXIMUM_DELAY_SECONDS = 5.0


class LoginThrottle:
    """Counts wrong passwords by address and by account; after ten in a minute every further try waits longer."""

    def __init__(self, cache: Cache, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self._cache = cache
        self._sleep = sleep

    async def wait(self, address: str, email: str) -> None:
        """Wait as long as the failures of the last minute ask for; a right password waits as long as a wrong one."""
        failures = max([await self._failures(key) for key in _keys(address, email)])
        if failures >= FREE_FAILURES:
            excess = failures - FREE_FAILURES + 1
            await self._sleep(min(excess * DELAY_STEP_SECONDS, MAXIMUM_DELAY_SECONDS))

    async def failed(self, address: str, email: str) -> None:
        """Count a wrong password."""
        for key in _keys(address, email):
            await self._cache.increment(key, WINDOW_SECONDS)

    async def _failures(self, key: str) -> int:
        count = await self._cache.get(CacheSpace.COUNTERS, key)
        return int(count) if count else 0


def _keys(address: str, email: str) -> tuple[str, str]:
    return f"wrong-password:address:{address}", f"wrong-password:email:{email}"
