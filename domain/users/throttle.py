"""Slows down whoever tries wrong passwords, without ever locking anybody out."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from domain.clock import Clock
from domain.ports import Cache

FREE_FAILURES = 10
WINDOW_SECONDS = 60.0
DELAY_STEP_SECONDS = 0.5
MAXIMUM_DELAY_SECONDS = 5.0
MAXIMUM_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class _Failures:
    count: int
    until: float


class LoginThrottle:
    """Counts wrong passwords by address and by account; after ten in a minute every further try waits longer.

    The counters are shared through the cache. What a node waits for is the sum that it saw last, so that a try needs no
    look-up, and tries that are under way count as failures, so that a burst of them gains nothing.
    """

    def __init__(self, cache: Cache, clock: Clock, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self._cache = cache
        self._clock = clock
        self._sleep = sleep
        self._failures: dict[str, _Failures] = {}
        self._trying: Counter[str] = Counter()

    async def checked(self, address: str, email: str, check: Callable[[], Awaitable[bool]]) -> bool:
        """Return what `check` finds, after the wait that the last minute asks for; a wrong password is counted.

        The right password waits as long as a wrong one, and then gets in.
        """
        keys = _keys(address, email)
        delay = self._delay(keys)
        self._trying.update(keys)
        try:
            if delay:
                await self._sleep(delay)
            right = await check()
            if not right:
                await self._count(keys)
        finally:
            self._finish(keys)
        return right

    def _delay(self, keys: tuple[str, ...]) -> float:
        now = self._clock.monotonic()
        known = (self._failures.get(key) for key in keys)
        failures = [found.count if found and found.until > now else 0 for found in known]
        pressure = max(count + self._trying[key] for count, key in zip(failures, keys, strict=True))
        return min(max(pressure - FREE_FAILURES + 1, 0) * DELAY_STEP_SECONDS, MAXIMUM_DELAY_SECONDS)

    async def _count(self, keys: tuple[str, ...]) -> None:
        for key in keys:
            count = await self._cache.increment(key, WINDOW_SECONDS)
            self._remember(key, count)

    def _remember(self, key: str, count: int) -> None:
        now = self._clock.monotonic()
        if len(self._failures) >= MAXIMUM_REMEMBERED:
            self._failures = {known: found for known, found in self._failures.items() if found.until > now}
        if key in self._failures or len(self._failures) < MAXIMUM_REMEMBERED:
            known = self._failures.get(key)
            # The window begins with its first failure, as the shared counter's does.
            until = known.until if known and known.until > now and count > 1 else now + WINDOW_SECONDS
            self._failures[key] = _Failures(count, until)

    def _finish(self, keys: tuple[str, ...]) -> None:
        self._trying.subtract(keys)
        for key in keys:
            if self._trying[key] <= 0:
                del self._trying[key]


def _keys(address: str, email: str) -> tuple[str, str]:
    return f"wrong-password:address:{address}", f"wrong-password:email:{email}"
