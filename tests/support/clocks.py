"""Clocks that a test owns."""

from datetime import UTC, datetime, timedelta

from infra.clock import SystemClock


class ManualClock:
    """Stands still until it is moved."""

    def __init__(self, start: datetime = datetime(2024, 8, 8, tzinfo=UTC)) -> None:
        self._start = start
        self.seconds = 0.0

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds

    def move(self, seconds: float) -> None:
        self.seconds += seconds


class AdjustableClock(SystemClock):
    """The machine's clock, whose wall clock a test sets forward or back; the monotonic one goes on."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def now(self) -> datetime:
        return super().now() + self.ahead
