"""The two rate limiting algorithms: a fixed window, as Binance counts, and a token bucket, as ccxt throttles."""

from collections.abc import Callable
from typing import Protocol

from domain.core.clock import Clock

MINUTE_SECONDS = 60.0
CLOCK_MARGIN_MS = 100
"""How much later than at the venue a minute begins here, so that the venue counts no request in an earlier minute."""


class RateLimitAlgorithm(Protocol):
    """Decides when a request of some weight may be sent."""

    def seconds_until(self, weight: float, share: float) -> float:
        """Return the seconds until a request of `weight` that may use `share` (0 to 1) of the limit; 0 for now."""
        ...

    def consume(self, weight: float) -> None:
        """Count a request that is sent now."""
        ...


class FixedWindow:
    """A fixed window counter: a weight per minute, the venue's own minute once its clock is known.

    Source: https://en.wikipedia.org/wiki/Rate_limiting (fixed window), and for Binance's weights and minutes
    https://developers.binance.com/docs/binance-spot-api-docs/rest-api/limits.
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
        self._roll_over()
        return self._used

    @property
    def minute(self) -> int:
        """The number of the present minute."""
        self._roll_over()
        return self._minute

    def sync_clock(self, venue_ms: Callable[[], int]) -> None:
        """Count by the minutes of the venue's clock, in milliseconds since 1970."""
        if self._venue_ms is None:
            self._venue_ms = venue_ms
            self._minute = int(self._seconds() // MINUTE_SECONDS)

    def seconds_until(self, weight: float, share: float) -> float:
        """Return 0 if the share has room or nothing was used yet, else the seconds left of the minute."""
        if not self.used or self._used + weight <= self.limit * share:
            return 0.0
        return MINUTE_SECONDS - self._seconds() % MINUTE_SECONDS

    def consume(self, weight: float) -> None:
        """Count a request that is sent now."""
        self._roll_over()
        self._used += weight

    def observe(self, used: float) -> None:
        """Set the weight that the venue has counted. Without its clock, a count that falls shows a new minute."""
        self._roll_over()
        if self._venue_ms is None and used < self._used // 2:
            self._started = self._clock.monotonic() - self._minute * MINUTE_SECONDS
        self._used = used

    def _roll_over(self) -> None:
        minute = int(self._seconds() // MINUTE_SECONDS)
        if minute != self._minute:
            self._minute, self._used = minute, 0.0

    def _seconds(self) -> float:
        if self._venue_ms is not None:
            return (self._venue_ms() - CLOCK_MARGIN_MS) / 1000
        return self._clock.monotonic() - self._started


class TokenBucket:
    """A token bucket of capacity 1 that gains a token every `token_seconds`.

    Source: https://en.wikipedia.org/wiki/Token_bucket, with the parameters of ccxt's own throttle
    (`ccxt.async_support.base.throttler`).

    A request with a share of less than 1 waits for its tokens. One that may use everything waits only while tokens are
    owed, and is paid for afterwards, so that an order never waits for market data.
    """

    CAPACITY = 1.0

    def __init__(self, clock: Clock, token_seconds: float) -> None:
        self.token_seconds = token_seconds
        self._clock = clock
        self._tokens = self.CAPACITY
        self._refilled_at = clock.monotonic()

    def seconds_until(self, weight: float, share: float) -> float:
        """Return the seconds until the bucket holds the tokens that the request needs."""
        self._refill()
        needed = 0.0 if share >= 1 else min(weight, self.CAPACITY)
        return max(0.0, needed - self._tokens) * self.token_seconds

    def consume(self, weight: float) -> None:
        """Pay for a request that is sent now; the count of tokens may fall below zero."""
        self._refill()
        self._tokens -= weight

    def _refill(self) -> None:
        now = self._clock.monotonic()
        gained = (now - self._refilled_at) / self.token_seconds if self.token_seconds else self.CAPACITY
        self._refilled_at = now
        # Slightly more, so that a wait of exactly the right length isn't cut short by a rounding error.
        self._tokens = min(self.CAPACITY, self._tokens + gained * (1 + 1e-9))
