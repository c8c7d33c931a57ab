"""Waiting for an event or for a time, whichever comes first."""

import asyncio


class Wakeup:
    """Wakes a loop that otherwise runs at intervals: an `asyncio.Event` that is waited for with a time limit."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def set(self) -> None:
        """Wake those that wait, now and until `clear`."""
        self._event.set()

    def clear(self) -> None:
        """Make the next `wait` wait until `set` is called again."""
        self._event.clear()

    def is_set(self) -> bool:
        """Return whether `wait` would return at once."""
        return self._event.is_set()

    async def wait(self, timeout_seconds: float | None = None) -> bool:
        """Wait until `set` or for `timeout_seconds` (None: no limit); return whether it was set.

        It stays set: the caller clears it before it looks at what there is to do, so that a change in between wakes it.
        """
        try:
            # Not wait_for: on Python 3.11 it loses a cancellation that comes together with the event.
            async with asyncio.timeout(timeout_seconds):
                return await self._event.wait()
        except TimeoutError:
            return False
