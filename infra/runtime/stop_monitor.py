"""Reports what an engine that stops slowly still waits for."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final, NoReturn

from domain.core.background import cancel_and_wait, where_it_waits

log = logging.getLogger(__name__)

REPORT_SECONDS: Final = 10.0
_NAME: Final = "stop monitor"
_MOST_TASKS: Final = 20
"""How many tasks are named at a time."""


@asynccontextmanager
async def reporting_slow_stop(stopping: asyncio.Event, every_seconds: float = REPORT_SECONDS) -> AsyncGenerator[None]:
    """Log every so many seconds since `stopping` was set, until the block ends, where it waits and for which tasks."""
    block = asyncio.current_task()
    assert block is not None
    watching = asyncio.create_task(_report(block, stopping, every_seconds), name=_NAME)
    try:
        yield
    finally:
        await cancel_and_wait(watching)


async def end_other_tasks() -> None:
    """Cancel all tasks of the loop but this one and the monitor, and wait until they have ended."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    await cancel_and_wait(*(task for task in others if task.get_name() != _NAME))


async def _report(block: asyncio.Task[object], stopping: asyncio.Event, every_seconds: float) -> NoReturn:
    await stopping.wait()
    seconds = 0.0
    while True:
        await asyncio.sleep(every_seconds)
        seconds += every_seconds
        log.warning("the engine still stops after %g s: it waits in %s", seconds, where_it_waits(block))
        ending = [task for task in asyncio.all_tasks() if task.cancelling()]
        for task in ending[:_MOST_TASKS]:
            name = task.get_name()
            log.warning("the task %s was cancelled and still runs: it waits in %s", name, where_it_waits(task))
        if len(ending) > _MOST_TASKS:
            log.warning("so do %d more tasks", len(ending) - _MOST_TASKS)
