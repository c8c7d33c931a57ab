"""How many requests a minute are accepted of an API key, a user and an address, on all nodes together.

Minutes are those of the clock (UTC), as venues count them. A node reserves requests from the shared counter of a minute
in portions of a hundredth of the limit, and spends them without asking again; so the limit is never exceeded, and what
a node has reserved and not spent is refused on other nodes. While the cache is away each node counts alone.
"""

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final
from uuid import UUID

from cachetools import LRUCache

from domain.core.clock import Clock
from domain.core.errors import RateLimited
from domain.model.administration import ManagedUser
from domain.model.users import Identity, User
from domain.ports.cache import Cache

MINUTE_SECONDS: Final = 60
COUNTER_SECONDS: Final = 2.0 * MINUTE_SECONDS
PORTIONS: Final = 100
REMEMBERED: Final = 100_000
REMEMBERED_CLIENTS: Final = 4_096


@dataclass(frozen=True, slots=True)
class RequestLimit:
    """What is counted under `key`, and how many requests a minute are accepted; `reason` says whose limit that is."""

    key: str
    per_minute: int
    reason: str
    plan: str | None = None


@dataclass(frozen=True, slots=True)
class RequestRate:
    """How much of a limit is used in this minute, as far as this node knows, and when the next one begins."""

    limit: int
    used: int
    resets_at: datetime
    seconds_left: int

    @property
    def remaining(self) -> int:
        """How many more requests are accepted in this minute."""
        return max(self.limit - self.used, 0)


class RequestRateExceeded(RateLimited):
    """More requests came within a minute than are accepted."""

    def __init__(self, limit: RequestLimit, rate: RequestRate) -> None:
        super().__init__(f"{limit.reason}, and {rate.used:,} were made in this one", rate.seconds_left)
        self.rate = rate
        self.extensions |= {"entitlement": "REQUESTS_PER_MINUTE", **rate_fields(rate)}
        if limit.plan is not None:
            self.extensions["plan"] = limit.plan


def rate_fields(rate: RequestRate) -> dict[str, str | int | float]:
    """Return the rate as responses show it."""
    return {
        "limit": rate.limit,
        "used": rate.used,
        "remaining": rate.remaining,
        "resetsAt": _time_text(rate.resets_at),
    }


@lru_cache(2)
def _time_text(at: datetime) -> str:
    """Return the end of a minute as text, which is that of all requests in it."""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def limits_of(identity: Identity) -> Sequence[RequestLimit]:
    """Return what a user's request is counted by: the API key that it came with, if it has a limit, and the plan."""
    of_user = limit_of_user(identity.user)
    if identity.requests_per_minute is None:
        return (of_user,)
    own = identity.requests_per_minute
    reason = f"This API key was made for {own:,} requests a minute (make another one for more)"
    return (RequestLimit(f"key:{identity.credential_id}", own, reason), of_user)


def limit_of_user(user: User | ManagedUser) -> RequestLimit:
    """Return what all requests of a user are counted by."""
    return _limit_of_plan(user.id, user.plan.name, user.plan.requests_per_minute)


@lru_cache(REMEMBERED_CLIENTS)
def _limit_of_plan(user_id: UUID, plan: str, per_minute: int) -> RequestLimit:
    reason = (
        f"Your plan {plan} allows {per_minute:,} requests a minute (the operator of this engine can give you another "
        "plan)"
    )
    return RequestLimit(f"user:{user_id}", per_minute, reason, plan)


@lru_cache(REMEMBERED_CLIENTS)
def limit_of_address(address: str, per_minute: int) -> RequestLimit:
    """Return what the request of somebody who isn't signed in is counted by."""
    reason = f"{per_minute:,} requests a minute are accepted from one address without a token (sign in for your own)"
    return RequestLimit(f"address:{address}", per_minute, reason)


@dataclass(slots=True)
class _Window:
    """The requests of a minute: `spent` on this node out of `granted`, and the `total` that nodes have reserved."""

    minute: int
    most: int
    granted: int = 0
    spent: int = 0
    total: int = 0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def used(self) -> int:
        return max(self.total - self.granted, 0) + self.spent

    def change(self, most: int) -> None:
        """Count by another limit from now on: what was reserved by the one before says nothing about it."""
        self.most, self.granted, self.total = most, self.spent, self.spent

    def take(self) -> bool:
        """Spend one of the granted requests; False if there is none."""
        if self.spent >= self.granted or self.used >= self.most:
            return False
        self.spent += 1
        return True


class RequestRates:
    """Counts requests; see the module."""

    def __init__(self, cache: Cache, clock: Clock) -> None:
        self._cache = cache
        self._clock = clock
        self._windows: LRUCache[str, _Window] = LRUCache(REMEMBERED)

    async def take(self, limit: RequestLimit) -> RequestRate:
        """Count a request, and return the rate with it; raises `RequestRateExceeded`."""
        window = self._window(limit)
        if not window.take():
            async with window.lock:  # one reservation at a time, which serves those who wait for it too
                while not window.take():
                    if window.used >= limit.per_minute or window.total >= limit.per_minute:
                        raise RequestRateExceeded(limit, self._rate(limit, limit.per_minute))
                    await self._reserve(window, limit)
        return self._rate(limit, window.used)

    def rate(self, limit: RequestLimit) -> RequestRate:
        """Return how much of a limit is used in this minute, without counting a request."""
        return self._rate(limit, min(self._window(limit).used, limit.per_minute))

    def _window(self, limit: RequestLimit) -> _Window:
        minute = int(self._clock.now().timestamp()) // MINUTE_SECONDS
        window = self._windows.get(limit.key)
        if window is None or window.minute != minute:
            window = self._windows[limit.key] = _Window(minute, limit.per_minute)
        elif window.most != limit.per_minute:
            window.change(limit.per_minute)
        return window

    async def _reserve(self, window: _Window, limit: RequestLimit) -> None:
        portion = max(limit.per_minute // PORTIONS, 1)
        key = f"requests:{limit.key}:{limit.per_minute}:{window.minute}"
        total = await self._cache.increment(key, COUNTER_SECONDS, portion)
        window.granted += min(portion, max(limit.per_minute - (total - portion), 0))
        window.total = min(total, limit.per_minute)

    def _rate(self, limit: RequestLimit, used: int) -> RequestRate:
        now = self._clock.now().timestamp()
        end = (int(now) // MINUTE_SECONDS + 1) * MINUTE_SECONDS
        return RequestRate(limit.per_minute, used, datetime.fromtimestamp(end, UTC), max(math.ceil(end - now), 1))
