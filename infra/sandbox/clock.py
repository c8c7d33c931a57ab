"""The exchange's clock, which a replay may set to another time or speed, and a test may let drift."""

import time

NANOSECONDS = 1_000_000_000


class SandboxClock:
    """The exchange's time in milliseconds since 1970.

    It never goes back, except by a drift that a test sets, or by `ahead_ms`, by which a mirror follows its venue.
    """

    def __init__(self, start_ms: int | None = None, speed: float = 1.0) -> None:
        self._start_ms = time.time_ns() // 1_000_000 if start_ms is None else start_ms
        self._speed = speed
        self._origin = time.monotonic_ns()
        self.drift_ms = 0
        self.ahead_ms = 0

    def now_ms(self) -> int:
        """Return the venue's time in milliseconds."""
        elapsed = (time.monotonic_ns() - self._origin) * self._speed
        return self._start_ms + int(elapsed // 1_000_000) + self.drift_ms + self.ahead_ms


def monotonic_seconds() -> float:
    """Return seconds for pacing and windows; unrelated to the venue's time."""
    return time.monotonic_ns() / NANOSECONDS
