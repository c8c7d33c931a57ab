"""Waits on conditions instead of sleeping for luck."""

import asyncio
import time
from collections.abc import Callable


async def eventually(condition: Callable[[], object], what: str, timeout_seconds: float = 15.0) -> None:
    """Return as soon as `condition` holds; AssertionError naming `what` where it doesn't within the time."""
    deadline = time.monotonic() + timeout_seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {timeout_seconds} s: {what}"
        await asyncio.sleep(0.005)
