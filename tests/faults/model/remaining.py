"""Waits until nothing is left that should go, and says what is."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

Violations = list[str]
"""Sentences about what doesn't hold."""


async def remaining(read: Callable[[], Awaitable[list[Any]]], seconds: float) -> list[Any]:
    """Read until nothing is left, or the time is over; return what is left."""
    deadline = time.monotonic() + seconds
    while True:
        left = await read()
        if not left or time.monotonic() > deadline:
            return left
        await asyncio.sleep(0.25)


def name_of(order: dict[str, Any]) -> str:
    """Return what identifies an order in a violation."""
    names = ("clientOrderId", "side", "type", "role", "status", "quantity", "filledQuantity", "rejectCode")
    return " ".join(str(order[name]) for name in names)
