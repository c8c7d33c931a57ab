"""Waits on conditions instead of sleeping for luck."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

PATIENCE_SECONDS = 60.0
"""How long a test waits for what takes moments: many times what a busy machine needs, since only a failure waits."""

T = TypeVar("T")


async def eventually(condition: Callable[[], object], what: str, timeout_seconds: float = PATIENCE_SECONDS) -> None:
    """Return as soon as `condition` holds; AssertionError naming `what` where it doesn't within the time."""
    deadline = time.monotonic() + timeout_seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {timeout_seconds} s: {what}"
        await asyncio.sleep(0.005)


async def read_until(
    read: Callable[[], Awaitable[T]],
    condition: Callable[[T], object],
    what: str,
    timeout_seconds: float = PATIENCE_SECONDS,
) -> T:
    """Read again and again; return the first of which `condition` holds; AssertionError with the last otherwise."""
    deadline = time.monotonic() + timeout_seconds
    while not condition(found := await read()):
        assert time.monotonic() < deadline, f"not within {timeout_seconds} s: {what}; it is {found}"
        await asyncio.sleep(0.02)
    return found
