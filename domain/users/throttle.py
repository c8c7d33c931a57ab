"""Slows down whoever tries wrong passwords, without ever locking a known client out, and bounds registrations."""

import asyncio
import math
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from domain.clock import Clock
from domain.errors import RateLimited
from domain.ports import Cache

FREE_FAILURES = 10
WINDOW_SECONDS = 60.0
DELAY_STEP_SECONDS = 0.5
MAXIMUM_DELAY_SECONDS = 5.0
MAXIMUM_REMEMBERED = 10_000
MAXIMUM_AT_ONCE = 5
"""How many tries of one address, or for one account, may wait or be under way."""

HOUR_SECONDS = 3_600.0


@dataclass(frozen=True, slots=True)
class _Failures:
    count: int
    until: float


class LoginThrottle:
    """Counts wrong passwords by address and by account; after ten in a minute every further try waits longer.

    The counters are shared through the cache. What a node waits for is the sum that it saw last, so that a try needs no
    look-up, and tries that are under way count as failures, so that a burst of them gains nothing: beyond a few at once
    they are refused. An address from which an account has been signed in to isn't held back by what others try on that
    account (OWASP, Authentication, calls it a device cookie), so that nobody can keep its owner out.
    """

    def __init__(self, cache: Cache, clock: Clock, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self._cache = cache
        self._clock = clock
        self._sleep = sleep
        self._failures: dict[str, _Failures] = {}
        self._trying: Counter[str] = Counter()
        self._known: OrderedDict[tuple[str, str], None] = OrderedDict()

    def is_known(self, address: str, account: str) -> bool:
        """Tell whether somebody has signed in to the account from this address."""
        return (address, account) in self._known

    def remember(self, address: str, account: str) -> None:
        """Note that somebody who may has signed in to the account from this address."""
        self._known[address, account] = None
        self._known.move_to_end((address, account))
        if len(self._known) > MAXIMUM_REMEMBERED:
            self._known.popitem(last=False)

    async def checked(self, address: str, account: str, check: Callable[[], Awaitable[bool]]) -> bool:
        """Return what `check` finds, after the wait that the last minute asks for; a wrong password is counted.

        The right password waits as long as a wrong one, and then gets in. Raises `RateLimited` where too many tries of
        the same address, or for the same account, wait already.
        """
        keys = self._keys(address, account)
        delay = self._delay(keys)
        if any(self._trying[key] >= MAXIMUM_AT_ONCE for key in keys):
            raise RateLimited("Too many sign-ins are tried at once", math.ceil(max(delay, 1.0)))
        self._trying.update(keys)
        try:
            if delay:
                await self._sleep(delay)
            right = await check()
            if right:
                self.remember(address, account)
            else:
                await self._count(keys)
        finally:
            self._finish(keys)
        return right

    def _keys(self, address: str, account: str) -> tuple[str, ...]:
        by_address = f"wrong-password:address:{address}"
        return (by_address,) if self.is_known(address, account) else (by_address, f"wrong-password:email:{account}")

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


class RegistrationLimit:
    """How many users may be registered from one address in an hour, all nodes taken together."""

    def __init__(self, cache: Cache, per_hour: int) -> None:
        self._cache = cache
        self._per_hour = per_hour

    async def count(self, address: str) -> None:
        """Count a registration; raises `RateLimited` where it is one too many."""
        if await self._cache.increment(f"registrations:{address}", HOUR_SECONDS) > self._per_hour:
            raise RateLimited("Too many users were registered from this address", int(HOUR_SECONDS))
