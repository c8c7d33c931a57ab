"""The rate limiter of one venue and address, which all accounts and public calls of this process share.

Binance counts a weight per minute and address and reports the sum with each answer (`x-mbx-used-weight-1m`), so nodes
behind one address learn of each other's requests. A client that goes on after a 429 is banned with a 418
(https://developers.binance.com/docs/binance-spot-api-docs/rest-api/limits). Other venues are asked at ccxt's pace.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import Enum

from domain.core.clock import Clock
from domain.core.wakeup import Wakeup
from domain.ports.market_data import VenueUnreachable
from infra.venues.rate_limit.ban import BAN_STATUSES, VenueBan
from infra.venues.rate_limit.windows import FixedWindow, RateLimitAlgorithm, TokenBucket

USED_WEIGHT_HEADER = "x-mbx-used-weight-1m"
CLIENT_ERROR = 400
TRADING_WAITS_SECONDS = 5.0
"""How long an order may wait for the limiter: sent much later, it would meet another market."""

HISTORY_WAITS_SECONDS = 60.0
"""How long a request for history waits before it counts as live data, so that a busy venue doesn't starve it."""

RECHECK_SECONDS = 5.0


class Priority(Enum):
    """What a request is for; the value is the share of the limit up to which such requests may use it."""

    TRADING = 1.0
    LIVE = 0.9
    HISTORY = 0.6


_priority: ContextVar[Priority] = ContextVar("priority", default=Priority.LIVE)


@contextmanager
def request_priority(value: Priority) -> Iterator[None]:
    """Give the requests inside the block the priority `value`."""
    token = _priority.set(value)
    try:
        yield
    finally:
        _priority.reset(token)


@dataclass(frozen=True, slots=True)
class _Request:
    """A request in flight, and the minute in which it was counted."""

    weight: float
    minute: int


_request: ContextVar[_Request | None] = ContextVar("request", default=None)


@dataclass(eq=False, slots=True)
class _Waiter:
    """A request that waits for its turn."""

    weight: float
    priority: Priority
    since: float
    wakeup: Wakeup = field(default_factory=Wakeup)

    def priority_at(self, now: float) -> Priority:
        """Return its priority, which rises after a long wait."""
        is_old = self.priority is Priority.HISTORY and now - self.since >= HISTORY_WAITS_SECONDS
        return Priority.LIVE if is_old else self.priority


class RateLimiter:
    """Delays requests until the share of their priority has room: by priority first, then in order of arrival."""

    def __init__(self, clock: Clock, weight_per_minute: int = 6_000) -> None:
        self.venue_ban = VenueBan(clock)
        self.on_ban: Callable[[], None] = lambda: None
        """Called after the venue has rejected a request for being one too many."""
        self._clock = clock
        self._window = FixedWindow(clock, weight_per_minute)
        self._bucket: TokenBucket | None = None
        self._in_flight_weight = 0.0
        self._waiters: list[_Waiter] = []

    @property
    def weight_per_minute(self) -> int | None:
        """The weight that the venue allows per minute; None if a token bucket is used instead."""
        return self._window.limit if self._bucket is None else None

    @property
    def used(self) -> float:
        """The weight used in the present minute, as far as is known."""
        return self._window.used

    @property
    def waiting(self) -> int:
        """How many requests wait."""
        return len(self._waiters)

    @property
    def banned_seconds(self) -> float:
        """How many seconds the venue's ban still lasts; 0 without one."""
        return self.venue_ban.seconds

    def set_limit(self, weight_per_minute: int) -> None:
        """Set the limit that the venue publishes."""
        self._window.limit = weight_per_minute

    def sync_clock(self, venue_ms: Callable[[], int]) -> None:
        """Count by the minutes of the venue's clock from now on."""
        self._window.sync_clock(venue_ms)

    def use_token_bucket(self, token_seconds: float) -> None:
        """Allow one request of weight 1 every `token_seconds`, as ccxt does, instead of a weight per minute."""
        if self._bucket is None or self._bucket.token_seconds != token_seconds:
            self._bucket = TokenBucket(self._clock, token_seconds)

    async def acquire(self, weight: float) -> None:
        """Count a request of `weight`, after waiting for its turn.

        Raises `VenueUnreachable` during a ban, and if a request of trading would wait longer than
        `TRADING_WAITS_SECONDS`.
        """
        waiter = _Waiter(weight, _priority.get(), self._clock.monotonic())
        self._waiters.append(waiter)
        try:
            while (seconds := self._delay(waiter)) > 0:
                waiter.wakeup.clear()
                await waiter.wakeup.wait(min(seconds, RECHECK_SECONDS))
            self._algorithm.consume(weight)
        finally:
            self._waiters.remove(waiter)
            self._wake_waiters()

    @contextmanager
    def reserve(self, weight: float) -> Iterator[None]:
        """Count the already acquired request inside the block as one that the venue may not have counted yet."""
        token = _request.set(_Request(weight, self._window.minute))
        self._in_flight_weight += weight
        try:
            yield
        finally:
            self._in_flight_weight -= weight
            _request.reset(token)

    def observe(self, status: int, headers: Mapping[str, str], text: str = "") -> None:
        """Apply what an answer shows: the weight that the venue has counted, and whether it bans us."""
        request = _request.get()
        used = headers.get(USED_WEIGHT_HEADER, "")
        # The answer to a request of an earlier minute has that minute's sum.
        if used.isdigit() and (request is None or request.minute == self._window.minute):
            others = self._in_flight_weight - (request.weight if request is not None else 0.0)
            self._window.observe(int(used) + max(0.0, others))
        if status in BAN_STATUSES:
            self.on_rejected(status, headers, text)
        elif status < CLIENT_ERROR:
            self.venue_ban.on_success()
        self._wake_waiters()

    def on_rejected(self, status: int, headers: Mapping[str, str], text: str = "") -> None:
        """Send nothing for as long as the venue asks for."""
        self.venue_ban.on_rejected(status, headers, text)
        self.on_ban()
        self._wake_waiters()

    def ban(self, seconds: float) -> None:
        """Send nothing for `seconds`, because the venue has banned another node."""
        self.venue_ban.extend(seconds)
        self._wake_waiters()

    @property
    def _algorithm(self) -> RateLimitAlgorithm:
        return self._window if self._bucket is None else self._bucket

    def _delay(self, waiter: _Waiter) -> float:
        """Return the seconds until the next check; 0 if the request may be sent. Raises as `acquire` does."""
        if self.banned_seconds:
            raise VenueUnreachable("The venue asked for fewer requests.", self.banned_seconds)
        now = self._clock.monotonic()
        seconds = self._algorithm.seconds_until(waiter.weight, waiter.priority_at(now).value)
        if waiter.priority is Priority.TRADING and now + seconds > waiter.since + TRADING_WAITS_SECONDS:
            raise VenueUnreachable("The venue's rate limit is used up.", seconds)
        return max(seconds, RECHECK_SECONDS) if self._is_behind(waiter, now) else seconds

    def _is_behind(self, waiter: _Waiter, now: float) -> bool:
        """Return whether another request goes first."""
        rank = _rank(waiter, now)
        return any(other is not waiter and _rank(other, now) < rank for other in self._waiters)

    def _wake_waiters(self) -> None:
        for waiter in self._waiters:
            waiter.wakeup.set()


def _rank(waiter: _Waiter, now: float) -> tuple[float, float, int]:
    return (-waiter.priority_at(now).value, waiter.since, id(waiter))
