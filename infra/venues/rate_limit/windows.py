"""How much may be asked of a venue: a weight a minute, as Binance counts it, or a steady pace, as ccxt keeps it."""

from collections.abc import Callable
from typing import Protocol

from domain.core.clock import Clock

MINUTE_SECONDS = 60.0
BEHIND_MS = 100
"""How much later than the venue a minute begins here: what is sent in a new minute is counted in no earlier one."""


class Allowance(Protocol):
    """Says when a call of some weight may go."""

    def seconds_until(self, weight: float, share: float) -> float:
        """Return how long a call of `weight` that may use `share` (0 to 1) of all has to wait; 0 where it may go."""
        ...

    def take(self, weight: float) -> None:
        """Count a call that goes now."""
        ...


class FixedWindow:
    """A weight a minute, the minute being the venue's own once its clock is known.

    Source: https://developers.binance.com/docs/binance-spot-api-docs/rest-api/limits.
    """

    def __init__(self, clock: Clock, limit: int) -> None:
        self.limit = limit
        self._clock = clock
        self._started = clock.monotonic()
        self._venue_ms: Callable[[], int] | None = None
        self._minute = 0
        self._used = 0.0

    @property
    def used(self) -> float:
        """The weight used in the present minute, as far as is known."""
        self._begin()
        return self._used

    @property
    def minute(self) -> int:
        """The number of the present minute."""
        self._begin()
        return self._minute

    def follow(self, venue_ms: Callable[[], int]) -> None:
        """Let minutes be those of the venue's clock, in milliseconds since 1970."""
        if self._venue_ms is None:
            self._venue_ms = venue_ms
            self._minute = int(self._seconds() // MINUTE_SECONDS)

    def seconds_until(self, weight: float, share: float) -> float:
        """Return 0 where the share holds it, or nothing was used yet; else what is left of the minute."""
        if not self.used or self._used + weight <= self.limit * share:
            return 0.0
        return MINUTE_SECONDS - self._seconds() % MINUTE_SECONDS

    def take(self, weight: float) -> None:
        """Count a call that goes now."""
        self._begin()
        self._used += weight

    def told(self, used: float) -> None:
        """Learn what the venue has counted. Without its clock, a count that falls says when its minute began."""
        self._begin()
        if self._venue_ms is None and used < self._used // 2:
            self._started = self._clock.monotonic() - self._minute * MINUTE_SECONDS
        self._used = used

    def _begin(self) -> None:
        minute = int(self._seconds() // MINUTE_SECONDS)
        if minute != self._minute:
            self._minute, self._used = minute, 0.0

    def _seconds(self) -> float:
        if self._venue_ms is not None:
            return (self._venue_ms() - BEHIND_MS) / 1000
        return self._clock.monotonic() - self._started


class TokenBucket:
    """A token every so often, as ccxt's own throttle has it (`ccxt.async_support.base.throttler`), and one at most.

    What has a share of less than all pays before it goes, so that a call that may use all never waits for it: it goes
    while nothing is owed, and pays afterwards.
    """

    CAPACITY = 1.0

    def __init__(self, clock: Clock, token_seconds: float) -> None:
        self.token_seconds = token_seconds
        self._clock = clock
        self._tokens = self.CAPACITY
        self._counted_at = clock.monotonic()

    def seconds_until(self, weight: float, share: float) -> float:
        """Return how long the tokens that it needs take to come."""
        self._count()
        needed = 0.0 if share >= 1 else min(weight, self.CAPACITY)
        return max(0.0, needed - self._tokens) * self.token_seconds

    def take(self, weight: float) -> None:
        """Pay for a call that goes now, with tokens to come where there are none."""
        self._count()
        self._tokens -= weight

    def _count(self) -> None:
        now = self._clock.monotonic()
        come = (now - self._counted_at) / self.token_seconds if self.token_seconds else self.CAPACITY
        self._counted_at = now
        # A hair more: tokens that were waited for to the second must not be short of a rounding error.
        self._tokens = min(self.CAPACITY, self._tokens + come * (1 + 1e-9))
