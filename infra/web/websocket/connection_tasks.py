"""Background tasks and named timers of one WebSocket connection, all cancelled when it closes."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

Work = Callable[..., Coroutine[Any, Any, None]]


class ConnectionTasks:
    """The timers and tasks of one connection."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self._timers: dict[str, asyncio.TimerHandle] = {}

    def schedule(self, name: str, seconds: float, work: Work, *arguments: object) -> None:
        """Start the work after `seconds`, unless `cancel` is called with the name before."""
        self._timers[name] = asyncio.get_running_loop().call_later(seconds, self._start, work, *arguments)

    def cancel(self, name: str) -> None:
        """Stop a timer, if there is one of that name."""
        if timer := self._timers.pop(name, None):
            timer.cancel()

    def track(self, task: asyncio.Task[None]) -> None:
        """Keep a reference to a task until it is done."""
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def cancel_all(self) -> list[asyncio.Task[None]]:
        """Stop all timers and cancel all tasks; return the tasks, to be waited for."""
        for name in tuple(self._timers):
            self.cancel(name)
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        return tasks

    def _start(self, work: Work, *arguments: object) -> None:
        self.track(asyncio.create_task(work(*arguments)))
