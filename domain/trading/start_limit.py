"""Bounds how many accounts of a venue start at once: each asks it for orders, fills and balances, and the database."""

import asyncio
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress


class StartLimit:
    """Lets at most `most` accounts of a venue start at once, in the order in which they come.

    Another one starts once an account is ready, or has had `seconds`: accounts of a venue that doesn't answer hold up
    neither each other for ever nor those of other venues.
    """

    def __init__(self, most: int, seconds: float, poll_interval: float) -> None:
        self._seconds = seconds
        self._poll_interval = poll_interval
        self._slots: defaultdict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(most))

    async def start(self, venue: str, start: Callable[[], object], is_ready: Callable[[], bool]) -> None:
        """Call `start` when it is the caller's turn, and return when it is ready or has had its time."""
        async with self._slots[venue]:
            start()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._seconds):
                    while not is_ready():  # noqa: ASYNC110  # nothing tells that it is ready
                        await asyncio.sleep(self._poll_interval)
