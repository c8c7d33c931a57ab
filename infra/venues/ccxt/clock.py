"""The venue's clock, known by its measured offset from this node's monotonic clock."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime

from domain.core.clock import Clock, from_milliseconds, to_milliseconds

SAMPLES = 3
MEASURE_EVERY_SECONDS = 180.0


class VenueClock:
    """The venue's time. Before the first measurement it is this node's own, good enough to show and never signed."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._base_ms: float | None = None
        self._stale = asyncio.Event()
        self.round_trip_seconds = 0.0

    @property
    def is_measured(self) -> bool:
        """Whether the venue was ever asked."""
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

    async def measure(self, ask: Callable[[], Awaitable[int]]) -> None:
        """Ask for the venue's milliseconds a few times; the shortest round trip, halved, gives the offset."""
        best: tuple[float, float] | None = None
        for _ in range(SAMPLES):
            started = self._clock.monotonic()
            told = await ask()
            ended = self._clock.monotonic()
            # Half a millisecond more: the venue cuts its time to whole ones.
            sample = (ended - started, told + 0.5 - (started + ended) * 500)
            best = sample if best is None else min(best, sample)
        assert best is not None
        self.round_trip_seconds, self._base_ms = best
        self._stale.clear()

    def doubt(self) -> None:
        """Say that the venue refused a timestamp: measure again now."""
        self._stale.set()

    async def wait_for_next_measurement(self) -> None:
        """Return when it is time to measure again."""
        try:
            async with asyncio.timeout(MEASURE_EVERY_SECONDS):
                await self._stale.wait()
        except TimeoutError:
            return
