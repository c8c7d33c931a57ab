"""Reports when something blocked the event loop, during which no lease is renewed and no client is answered."""

import asyncio
import logging
from typing import Final, NoReturn

from prometheus_client import CollectorRegistry, Counter

log = logging.getLogger(__name__)

EVERY_SECONDS: Final = 0.5
REPORTED_SECONDS: Final = 1.0
"""What is reported is well below the 6 s after which a lease lapses."""


class LoopMonitor:
    """Sleeps repeatedly; the time by which it oversleeps is how long the loop was blocked or the process stopped."""

    def __init__(self, registry: CollectorRegistry, reported_seconds: float = REPORTED_SECONDS) -> None:
        self._reported_seconds = reported_seconds
        self._blocked = Counter(
            "r3edge_event_loop_blocked_seconds",
            f"Seconds in which nothing ran, of stretches of at least {REPORTED_SECONDS:g} s.",
            registry=registry,
        )
        self._longest_lag = 0.0

    def take_longest_lag(self) -> float:
        """Return the longest time by which the loop was late since this was asked last, in seconds."""
        longest, self._longest_lag = self._longest_lag, 0.0
        return longest

    async def run(self) -> NoReturn:
        """Watch until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + EVERY_SECONDS
            await asyncio.sleep(EVERY_SECONDS)
            late = loop.time() - due
            self._longest_lag = max(self._longest_lag, late)
            if late >= self._reported_seconds:
                self._blocked.inc(late)
                log.warning("the event loop was blocked for %.1f s: leases lapse after 6 s", late)
