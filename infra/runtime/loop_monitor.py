"""Notices that something kept the event loop from running: meanwhile no lease was renewed and nobody was answered."""

import asyncio
import logging
from typing import Final, NoReturn

from prometheus_client import CollectorRegistry, Counter

log = logging.getLogger(__name__)

EVERY_SECONDS: Final = 0.5
REPORTED_SECONDS: Final = 1.0
"""What is reported is well below the 6 s after which a lease lapses."""


class LoopMonitor:
    """Sleeps briefly again and again; what it oversleeps by, the loop was blocked or the process stood still."""

    def __init__(self, registry: CollectorRegistry, reported_seconds: float = REPORTED_SECONDS) -> None:
        self._reported_seconds = reported_seconds
        self._blocked = Counter(
            "r3edge_event_loop_blocked_seconds",
            f"Seconds in which nothing ran, of stretches of at least {REPORTED_SECONDS:g} s.",
            registry=registry,
        )

    async def run(self) -> NoReturn:
        """Watch until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + EVERY_SECONDS
            await asyncio.sleep(EVERY_SECONDS)
            late = loop.time() - due
            if late >= self._reported_seconds:
                self._blocked.inc(late)
                log.warning("the event loop was blocked for %.1f s: leases lapse where that takes 6 s", late)
