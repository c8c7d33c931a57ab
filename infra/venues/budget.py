"""The rate budget of one venue and address, which every account and every public call of this process shares.

Binance counts a weight a minute by address and tells the sum in each answer (`x-mbx-used-weight-1m`); who goes on
after a 429 is banned with a 418 (https://developers.binance.com/docs/binance-spot-api-docs/rest-api/limits).
"""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from enum import Enum

from domain.clock import Clock
from domain.markets.ports import VenueUnreachable

USED_WEIGHT = "x-mbx-used-weight-1m"
TOO_MANY = frozenset({418, 429})
DEFAULT_BACK_OFF_SECONDS = 10.0
MINUTE_SECONDS = 60.0


class Urgency(Enum):
    """What a call is for; the value is the share of the budget up to which such calls may use it."""

    TRADING = 1.0
    LIVE = 0.9
    HISTORY = 0.6


_urgency: ContextVar[Urgency] = ContextVar("urgency", default=Urgency.LIVE)


@contextmanager
def urgency(value: Urgency) -> Iterator[None]:
    """Make calls inside the block count as `value`."""
    token = _urgency.set(value)
    try:
        yield
    finally:
        _urgency.reset(token)


class RateBudget:
    """A weight a minute. Calls wait for the next minute once those of their urgency have used their share."""

    def __init__(self, clock: Clock, weight_per_minute: int = 6_000) -> None:
        self._clock = clock
        self.weight_per_minute = weight_per_minute
        self._minute_started = clock.monotonic()
        self._used = 0
        self._silent_until = 0.0

    @property
    def used(self) -> int:
        """The weight used in the present minute, as far as is known."""
        self._begin_minute()
        return self._used

    @property
    def silent_seconds(self) -> float:
        """How long the venue still wants to be left alone; 0 where it doesn't."""
        return max(0.0, self._silent_until - self._clock.monotonic())

    async def take(self, weight: int) -> None:
        """Count a call of `weight`, after waiting where it must; raises `VenueUnreachable` while silence is asked."""
        wanted = _urgency.get()
        while True:
            if self.silent_seconds:
                raise VenueUnreachable("The venue asked for fewer requests.", self.silent_seconds)
            if self.used + weight <= self.weight_per_minute * wanted.value or not self._used:
                break
            await asyncio.sleep(self._seconds_left())
        self._used += weight

    def observe(self, status: int, headers: Mapping[str, str]) -> None:
        """Learn from an answer what the venue has counted, and whether it wants silence."""
        told = headers.get(USED_WEIGHT, "")
        if told.isdigit():
            self._begin_minute()
            # The venue's minute starts when the count falls; ours follows, so that waits end with its minute.
            if int(told) < self._used // 2:
                self._minute_started = self._clock.monotonic()
            self._used = int(told)
        if status in TOO_MANY:
            self._silent_until = self._clock.monotonic() + _retry_after(headers)

    def _begin_minute(self) -> None:
        if self._seconds_left() <= 0:
            self._minute_started = self._clock.monotonic()
            self._used = 0

    def _seconds_left(self) -> float:
        return self._minute_started + MINUTE_SECONDS - self._clock.monotonic()


def _retry_after(headers: Mapping[str, str]) -> float:
    told = headers.get("retry-after", "")
    return float(told) if told.isdigit() else DEFAULT_BACK_OFF_SECONDS
