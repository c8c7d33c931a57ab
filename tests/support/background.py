"""Runs a coroutine while a test runs."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager

from domain.core.background import cancel_and_wait


@asynccontextmanager
async def running(work: Coroutine[object, object, None]) -> AsyncIterator["asyncio.Task[None]"]:
    task = asyncio.create_task(work)
    try:
        yield task
    finally:
        await cancel_and_wait(task)
