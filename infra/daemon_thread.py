"""Work in a thread without which the process can end: what waits for a dead disk or peer may never return."""

import asyncio
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


async def in_daemon_thread(work: Callable[[], T]) -> T:
    """Return the result of `work`, done in a daemon thread, or raise what it raises."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, failure: BaseException | None) -> None:
        if done.cancelled():
            return
        if failure is not None:
            done.set_exception(failure)
        else:
            done.set_result(result)  # type: ignore[arg-type]  # None is a result of a T that may be None

    def run() -> None:
        try:
            result, failure = work(), None
        except BaseException as caught:  # noqa: BLE001  # it is raised where it is awaited
            result, failure = None, caught
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, result, failure)

    threading.Thread(target=run, daemon=True, name="r3edge").start()
    return await done
