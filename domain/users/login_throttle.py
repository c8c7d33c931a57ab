"""Slows down whoever tries wrong passwords, without locking an account's owner out, and bounds registrations."""

import asyncio
import math
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

from cachetools import LRUCache

from domain.core.clock import Clock
from domain.core.errors import RateLimited
from domain.core.fair_queue import FairQueue, QueueFull
from domain.ports.cache import Cache

FREE_FAILURES = 10
WINDOW_SECONDS = 60.0
DELAY_STEP_SECONDS = 0.5
MAXIMUM_DELAY_SECONDS = 5.0
MAXIMUM_REMEMBERED = 10_000
MAXIMUM_AT_ONCE = 5
"""How many tries of one address may wait or be under way; how many for one account are under way."""

WAITING_FOR_ACCOUNT = 5
"""How many tries of unknown addresses may wait for one account; who has none waiting displaces whoever has most.

More would not get in before a sign-in takes too long, and a flood is to be refused at once.
"""

HOUR_SECONDS = 3_600.0


@dataclass(frozen=True, slots=True)
class _Failures:
    count: int
    until: float


class LoginThrottle:
    """Counts wrong passwords by address and by account; after ten in a minute every further try waits longer.

    The counters are shared through the cache. What a node waits for is the sum that it saw last, so that a try needs no
    look-up, and tries that are under way count as failures, so that a burst of them gains nothing. Of one address all
    but a few at once are refused. For one account the addresses take turns, each with one try at a time, so that what
    one of them tries doesn't keep the owner's try waiting. An address from which the account has been signed in to
    isn't held back by what others try on it at all (OWASP, Authentication, calls it a device cookie).
    """

    def __init__(self, cache: Cache, clock: Clock, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self._cache = cache
        self._clock = clock
        self._sleep = sleep
        self._failures: dict[str, _Failures] = {}
        self._trying: Counter[str] = Counter()
        self._turns: dict[str, FairQueue] = {}
        self._at_turns: Counter[str] = Counter()
        self._known: LRUCache[tuple[str, str], None] = LRUCache(MAXIMUM_REMEMBERED)

    def is_known(self, address: str, account: str) -> bool:
        """Tell whether somebody has signed in to the account from this address."""
        return (address, account) in self._known

    def remember(self, address: str, account: str) -> None:
        """Note that somebody who may has signed in to the account from this address."""
        self._known[address, account] = None

    async def verify(self, address: str, account: str, check: Callable[[], Awaitable[bool]]) -> bool:
        """Return what `check` finds, after the wait that the last minute asks for; a wrong password is counted.

        The right password waits as long as a wrong one, and then gets in. Raises `RateLimited` where too many tries of
        the same address wait already, or those of very many addresses for the same account.
        """
        by_address = f"wrong-password:address:{address}"
        if self._trying[by_address] >= MAXIMUM_AT_ONCE:
            raise _too_many(self._delay((by_address,)))
        with self._counted(by_address):
            if self.is_known(address, account):
                right = await self._after_delay((by_address,), check)
            else:
                by_account = f"wrong-password:email:{account}"
                async with self._turn(address, account):
                    with self._counted(by_account):
                        right = await self._after_delay((by_address, by_account), check)
        if right:
            self.remember(address, account)
        return right

    async def _after_delay(self, keys: tuple[str, ...], check: Callable[[], Awaitable[bool]]) -> bool:
        delay = self._delay(keys)
        if delay:
            await self._sleep(delay)
        right = await check()
        if not right:
            await self._count(keys)
        return right

    @asynccontextmanager
    async def _turn(self, address: str, account: str) -> AsyncIterator[None]:
        """Hold one of the account's turns inside the block; the addresses that wait for one get it in turn."""
        turns = self._turns.setdefault(account, _account_turns())
        self._at_turns[account] += 1
        try:
            async with turns.turn(address):
                yield
        except QueueFull:
            raise _too_many(MAXIMUM_DELAY_SECONDS) from None
        finally:
            self._at_turns[account] -= 1
            if not self._at_turns[account]:
                del self._at_turns[account], self._turns[account]

    @contextmanager
    def _counted(self, key: str) -> Iterator[None]:
        self._trying[key] += 1
        try:
            yield
        finally:
            self._trying[key] -= 1
            if not self._trying[key]:
                del self._trying[key]

    def _delay(self, keys: tuple[str, ...]) -> float:
        """Return the wait of a try that is counted as under way itself."""
        now = self._clock.monotonic()
        known = (self._failures.get(key) for key in keys)
        failures = [found.count if found and found.until > now else 0 for found in known]
        pressure = max(count + self._trying[key] for count, key in zip(failures, keys, strict=True))
        return min(max(pressure - FREE_FAILURES, 0) * DELAY_STEP_SECONDS, MAXIMUM_DELAY_SECONDS)

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


def _account_turns() -> FairQueue:
    return FairQueue(
        MAXIMUM_AT_ONCE, per_client=1, waiting_per_client=MAXIMUM_AT_ONCE, waiting_in_all=WAITING_FOR_ACCOUNT
    )


def _too_many(delay_seconds: float) -> RateLimited:
    return RateLimited("Too many sign-ins are tried at once", math.ceil(max(delay_seconds, 1.0)))


class RegistrationLimit:
    """How many users may be registered from one address in an hour, all nodes taken together."""

    def __init__(self, cache: Cache, per_hour: int) -> None:
        self._cache = cache
        self._per_hour = per_hour

    async def count(self, address: str) -> None:
        """Count a registration; raises `RateLimited` where it is one too many."""
        if await self._cache.increment(f"registrations:{address}", HOUR_SECONDS) > self._per_hour:
            raise RateLimited("Too many users were registered from this address", int(HOUR_SECONDS))
