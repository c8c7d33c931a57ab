"""A venue's time that never leaps ahead: a wrong measurement of its clock must not close candles that aren't over."""

from collections.abc import Callable
from datetime import datetime, timedelta

LEAP = timedelta(seconds=1)
"""How far the venue's clock may be corrected at once; measurements by round trips are that exact."""

CATCH_UP = 0.1
"""Seconds gained in a second, where the clock was corrected by more."""


class SlewedClock:
    """The venue's time as far as this node's own monotonic clock bears it out since `reset`."""

    def __init__(self, venue_now: Callable[[], datetime], monotonic: Callable[[], float]) -> None:
        self._venue_now = venue_now
        self._monotonic = monotonic
        self._at = 0.0
        self._time: datetime | None = None

    def reset(self) -> None:
        """Believe the venue's clock as it is: what happened up to now is known otherwise."""
        self._time = None

    def now(self) -> datetime:
        """Return the venue's time, or less while its clock is further ahead than has passed."""
        told, at = self._venue_now(), self._monotonic()
        if self._time is not None:
            passed = timedelta(seconds=at - self._at)
            expected = self._time + passed
            if told > expected + LEAP:
                told = expected + CATCH_UP * passed
        self._time, self._at = told, at
        return told
