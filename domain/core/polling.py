"""Reads something again and again until it is as expected, or the time is over."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from domain.core.backoff import Backoff
from domain.core.clock import Clock

FIRST_READ_SECONDS = 0.05
SLOWEST_READ_SECONDS = 0.4

T = TypeVar("T")


async def read_until(
    read: Callable[[], Awaitable[T]], is_done: Callable[[T], bool], clock: Clock, within_seconds: float
) -> T:
    """Return what `read` returns once `is_done`, or as it is after so many seconds; it is read with growing delays."""
    deadline = clock.monotonic() + within_seconds
    backoff = Backoff(FIRST_READ_SECONDS, SLOWEST_READ_SECONDS)
    while True:
        found = await read()
        if is_done(found) or clock.monotonic() >= deadline:
            return found
        await asyncio.sleep(backoff.next_delay())
