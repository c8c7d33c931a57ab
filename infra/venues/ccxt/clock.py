"""The venue's clock, known by its measured offset from this node's monotonic clock."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from domain.core.clock import Clock, from_milliseconds, to_milliseconds
from domain.core.wakeup import Wakeup

SAMPLES = 3
MEASURE_EVERY_SECONDS = 180.0
_AHEAD_MS = 1_000
_DOUBT_AGAIN_SECONDS = 10.0
_DRIFT = 200e-6
"""How far two clocks may drift apart, as a part of the time: a bad crystal's 100 ppm on either side."""
_UNMEASURED_SECONDS = 10.0
"""How far this node's own clock may be ahead of the venue's, for all that is known."""


class VenueClock:
    """The venue's time. Before the first measurement it is this node's own, which may be shown but is never signed."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._base_ms: float | None = None
        self._stale = Wakeup()
        self._doubt_after = float("-inf")
        self._measured_at = float("-inf")
        self.round_trip_seconds = 0.0

    @property
    def is_measured(self) -> bool:
        """Whether the offset was measured at least once."""
        return self._base_ms is not None

    @property
    def offset_seconds(self) -> float:
        """How far the venue's clock is ahead of this node's wall clock (for metrics alone)."""
        return (self.milliseconds() - to_milliseconds(self._clock.now())) / 1000

    def milliseconds(self) -> int:
        """Return the venue's time in milliseconds since 1970."""
        if self._base_ms is None:
            return to_milliseconds(self._clock.now())
        return int(self._base_ms + self._clock.monotonic() * 1000)

    def now(self) -> datetime:
        """Return the venue's time."""
        return from_milliseconds(self.milliseconds())

    def earliest(self) -> datetime:
        """Return the earliest time that the venue's clock may show now.

        The offset is known within half the round trip by which it was measured, and clocks drift apart since then.
        """
        since = self._clock.monotonic() - self._measured_at
        error = _UNMEASURED_SECONDS if self._base_ms is None else self.round_trip_seconds / 2 + since * _DRIFT
        return self.now() - timedelta(seconds=error, milliseconds=1)

    async def measure(self, fetch_milliseconds: Callable[[], Awaitable[int]]) -> None:
        """Measure the offset by Cristian's algorithm: of a few requests, the shortest round trip, halved, counts."""
        best: tuple[float, float, float] | None = None
        for _ in range(SAMPLES):
            started = self._clock.monotonic()
            venue_ms = await fetch_milliseconds()
            ended = self._clock.monotonic()
            # Half a millisecond more, because the venue rounds its time down.
            sample = (ended - started, venue_ms + 0.5 - (started + ended) * 500, ended)
            best = sample if best is None else min(best, sample)
        assert best is not None
        self.round_trip_seconds, self._base_ms, self._measured_at = best
        self._stale.clear()

    def invalidate(self) -> None:
        """Request a measurement now: the venue has rejected a timestamp."""
        self._stale.set()

    def notice(self, at: datetime) -> None:
        """Take note of when the venue says that something has happened, such as a trade.

        A time of the future shows that this clock is behind, for example because the machine has slept: it is measured,
        but not again and again for a venue whose times are never those of its clock.
        """
        now = self._clock.monotonic()
        if to_milliseconds(at) > self.milliseconds() + _AHEAD_MS and now >= self._doubt_after:
            self._doubt_after = now + _DOUBT_AGAIN_SECONDS
            self.invalidate()

    async def wait_for_next_measurement(self) -> None:
        """Return when the next measurement is due or requested."""
        await self._stale.wait(MEASURE_EVERY_SECONDS)
