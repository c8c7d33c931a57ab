"""Slows down password guessing without locking the account's owner out, and limits registrations."""

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
"""How many attempts of one address may be waiting or running, and how many for one account may be running."""

WAITING_FOR_ACCOUNT = 5
"""How many attempts from unknown addresses may wait for one account.

More would wait longer than a sign-in may take, and a flood is refused at once. An address that has none waiting
displaces an attempt of the address that has most.
"""

HOUR_SECONDS = 3_600.0


@dataclass(frozen=True, slots=True)
class _Failures:
    count: int
    until: float


class LoginThrottle:
    """Counts wrong passwords by address and by account; after ten in a minute each further attempt is delayed longer.

    The counters are shared by the nodes through the cache. The delay follows from the count that this node got last, so
    that an attempt needs no look-up; running attempts count as failures, so that a burst gains nothing. More than a few
    attempts of one address at once are refused. For one account the addresses take turns, each with one attempt at a
    time, so that attempts of one address don't delay the owner's. An address from which the account has been signed in
    to isn't delayed by the attempts of others at all (the idea of OWASP's device cookies, Authentication Cheat Sheet).
    """

    def __init__(self, cache: Cache, clock: Clock, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self._cache = cache
        self._clock = clock
        self._sleep = sleep
        self._failures: dict[str, _Failures] = {}
        self._attempts: Counter[str] = Counter()
        self._turns: dict[str, FairQueue] = {}
        self._turn_users: Counter[str] = Counter()
        self._known: LRUCache[tuple[str, str], None] = LRUCache(MAXIMUM_REMEMBERED)

    def is_known(self, address: str, account: str) -> bool:
        """Return whether the account has been signed in to from this address."""
        return (address, account) in self._known

    @property
    def attempt_count(self) -> int:
        """How many attempts are waiting or running."""
        return max(self._attempts.total(), self._turn_users.total())

    def remember(self, address: str, account: str) -> None:
        """Remember that the account has been signed in to from this address."""
        self._known[address, account] = None

    async def verify(self, address: str, account: str, check: Callable[[], Awaitable[bool]]) -> bool:
        """Return the result of `check` (whether the password is right), after a delay; count a wrong password.

        The right password is delayed as long as a wrong one, and then accepted. Raises `RateLimited` if too many
        attempts of the address, or of very many addresses for the account, are waiting already.
        """
        by_address = f"wrong-password:address:{address}"
        if self._attempts[by_address] >= MAXIMUM_AT_ONCE:
            raise _too_many(self._delay((by_address,)))
        with self._count_attempt(by_address):
            if self.is_known(address, account):
                right = await self._after_delay((by_address,), check)
            else:
                by_account = f"wrong-password:email:{account}"
                async with self._turn(address, account):
                    with self._count_attempt(by_account):
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
            await self._count_failure(keys)
        return right

    @asynccontextmanager
    async def _turn(self, address: str, account: str) -> AsyncIterator[None]:
        """Hold one of the account's turns for the block; waiting addresses are served round robin."""
        turns = self._turns.setdefault(account, _account_turns())
        self._turn_users[account] += 1
        try:
            async with turns.turn(address):
                yield
        except QueueFull:
            raise _too_many(MAXIMUM_DELAY_SECONDS) from None
        finally:
            self._turn_users[account] -= 1
            if not self._turn_users[account]:
                del self._turn_users[account], self._turns[account]

    @contextmanager
    def _count_attempt(self, key: str) -> Iterator[None]:
        self._attempts[key] += 1
        try:
            yield
        finally:
            self._attempts[key] -= 1
            if not self._attempts[key]:
                del self._attempts[key]

    def _delay(self, keys: tuple[str, ...]) -> float:
        """Return the delay of an attempt that is itself counted as running."""
        now = self._clock.monotonic()
        known = (self._failures.get(key) for key in keys)
        failures = [found.count if found and found.until > now else 0 for found in known]
        pressure = max(count + self._attempts[key] for count, key in zip(failures, keys, strict=True))
        return min(max(pressure - FREE_FAILURES, 0) * DELAY_STEP_SECONDS, MAXIMUM_DELAY_SECONDS)

    async def _count_failure(self, keys: tuple[str, ...]) -> None:
        for key in keys:
            count = await self._cache.increment(key, WINDOW_SECONDS)
            self._remember_failures(key, count)

    def _remember_failures(self, key: str, count: int) -> None:
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
    """Limits how many users are registered from one address in an hour, on all nodes together."""

    def __init__(self, cache: Cache, per_hour: int) -> None:
        self._cache = cache
        self._per_hour = per_hour

    async def count(self, address: str) -> None:
        """Count a registration; raises `RateLimited` if it exceeds the limit."""
        if await self._cache.increment(f"registrations:{address}", HOUR_SECONDS) > self._per_hour:
            raise RateLimited("Too many users were registered from this address", int(HOUR_SECONDS))
