"""Tasks that run in the background for as long as the object that started them."""

import asyncio
import logging
import sys
from collections.abc import Awaitable, Collection, Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar

T = TypeVar("T")

log = logging.getLogger(__name__)

CANCEL_AGAIN_SECONDS = 20.0
"""How long a cancelled task may take to end: longer than the time limit of any request that it makes at its end."""

_SHOWN_FRAMES = 3


async def cancel_and_wait(*tasks: asyncio.Task[Any], again_after_seconds: float = CANCEL_AGAIN_SECONDS) -> None:
    """Cancel the tasks and wait until all have ended, however they end; their errors are dropped.

    One that still runs after `again_after_seconds` is logged and cancelled again, as often as it takes: it may have
    lost the cancellation, as `asyncio.wait_for` does on Python 3.11 if what it waits for comes at the same moment.
    """
    cancelled: asyncio.CancelledError | None = None
    running: Collection[asyncio.Task[Any]] = tasks
    while running := [task for task in running if not task.done()]:
        for task in running:
            task.cancel()
        try:
            await asyncio.wait(running, timeout=again_after_seconds)
        except asyncio.CancelledError as error:
            cancelled = error  # of the caller, which mustn't leave tasks behind
        else:
            _log_running(running, again_after_seconds)
    for task in tasks:
        drop_error(task)
    if cancelled is not None:
        raise cancelled


def drop_error(task: asyncio.Task[Any]) -> None:
    """Drop the error of a task that has ended, which asyncio logs if nobody has asked for it.

    A done callback of what several wait for by `asyncio.shield`: all of them may have been cancelled.
    """
    if not task.cancelled():
        task.exception()


async def close_within(seconds: float, what: str, closing: Awaitable[object]) -> None:
    """Wait for the end of what is closed for at most so many seconds; if it takes longer, that is logged."""
    try:
        async with asyncio.timeout(seconds):
            await closing
    except TimeoutError:
        log.warning("%s could not be closed within %g s, and is left", what, seconds)


def where_it_waits(task: asyncio.Task[Any]) -> str:
    """Return the innermost lines of code in which a task waits, the outer ones first, for a log."""
    lines: list[str] = []
    awaited: Any = task.get_coro()
    while (frame := getattr(awaited, "cr_frame", None) or getattr(awaited, "gi_frame", None)) is not None:
        file = "/".join(frame.f_code.co_filename.split("/")[-2:])
        lines.append(f"{file}:{frame.f_lineno} {frame.f_code.co_qualname}")
        awaited = getattr(awaited, "cr_await", None) or getattr(awaited, "gi_yieldfrom", None)
    return " > ".join(lines[-_SHOWN_FRAMES:]) or "its end"


def _log_running(tasks: Collection[asyncio.Task[Any]], seconds: float) -> None:
    for task in tasks:
        if not task.done():
            message = "the task %s was cancelled %g s ago, still runs and is cancelled again: it waits in %s"
            log.warning(message, task.get_name(), seconds, where_it_waits(task))


class TaskGroup(asyncio.TaskGroup):  # noqa: TID251  # mended here
    """An `asyncio.TaskGroup` that ends as cancelled if it was cancelled, although one of its tasks failed meanwhile.

    Python's own raises the failure alone (https://github.com/python/cpython/issues/116720; since 3.13 it cancels once
    more). What begins again after a failure would then go on, and who has cancelled it would wait for ever. Tasks
    of the group that lose their cancellation are cancelled again, as by `cancel_and_wait`.
    """

    def __init__(self, again_after_seconds: float = CANCEL_AGAIN_SECONDS) -> None:
        super().__init__()
        self._again_after_seconds = again_after_seconds
        self._timer: asyncio.TimerHandle | None = None
        self._cancel_requests = 0
        """How many cancellations of the group's own task were requested before it began."""

    async def __aenter__(self) -> Self:
        self._cancel_requests = _current().cancelling()
        await super().__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        by_failure = self._cancels_its_task
        is_cancelled = kind is asyncio.CancelledError and not by_failure
        try:
            await super().__aexit__(kind, error, traceback)
        except BaseExceptionGroup as failures:
            if sys.version_info < (3, 13) and self._cancels_its_task and not by_failure:
                _current().uncancel()  # which Python's own forgets if the first task failed after the block
            if is_cancelled or _current().cancelling() > self._cancel_requests:
                log.info("failed while it was cancelled: %s", "; ".join(repr(each) for each in failures.exceptions))
                raise asyncio.CancelledError from failures
            raise
        finally:
            if self._timer is not None:
                self._timer.cancel()

    @property
    def _cancels_its_task(self) -> bool:
        """Whether the group has cancelled its own task, since one of the others has failed."""
        return bool(self._parent_cancel_requested)  # type: ignore[attr-defined]  # not in the stubs

    def _abort(self) -> None:
        """Cancel the tasks; asyncio calls this once, when the first has failed or the group is cancelled."""
        super()._abort()  # type: ignore[misc]  # not in the stubs
        self._timer = asyncio.get_running_loop().call_later(self._again_after_seconds, self._cancel_again)

    def _cancel_again(self) -> None:
        _log_running(self._tasks, self._again_after_seconds)
        for task in self._tasks:
            task.cancel()
        self._timer = asyncio.get_running_loop().call_later(self._again_after_seconds, self._cancel_again)


def _current() -> asyncio.Task[Any]:
    task = asyncio.current_task()
    assert task is not None
    return task


class BackgroundTasks:
    """Holds the tasks of one owner; `close`, or the end of an `async with` block, cancels those that still run.

    asyncio itself keeps only weak references to tasks, so a task that nobody holds may vanish before it is done.
    """

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_raised: object) -> None:
        await self.close()

    def start(self, work: Coroutine[Any, Any, T], name: str | None = None) -> asyncio.Task[T]:
        """Start `work` as a task; asyncio logs its error if it fails and nobody awaits it."""
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def close(self) -> None:
        """Cancel all tasks and wait until they have ended."""
        await cancel_and_wait(*self._tasks)
