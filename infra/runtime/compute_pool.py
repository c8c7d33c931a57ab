"""Runs computations in child processes that are started when they are first needed and kept for the next ones."""

import asyncio
import contextlib
import os
import pickle
import sys
from collections.abc import Callable
from typing import Final, TypeVar, cast

from domain.core.background import BackgroundTasks
from domain.research.compute_pool import (
    ComputationCrashed,
    ComputationFailed,
    ComputationTooLarge,
    ComputationTooLong,
    OnProgress,
)
from infra.runtime.compute_process import LENGTH_BYTES, frame

MAX_CALLS: Final = 100
"""After so many calls a process is replaced, so that what it didn't give back to the system is free again."""

IDLE_SECONDS: Final = 60.0
"""How long a process waits for its next call before it is ended: it keeps some 100 MB."""

MAX_SECONDS: Final = 3_600.0
"""How long a computation of a node may take."""

PROGRAM: Final = ("-m", "infra.runtime.compute_process")
# The processes are parallel among themselves; a library's own threads would only compete.
_ONE_THREAD: Final = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")

A = TypeVar("A")
R = TypeVar("R")


class ProcessPool:
    """At most `size` processes at a time; see `domain.research.compute_pool.ComputePool`.

    A call may take `most_seconds`; None: for as long as it takes.
    Each is a new Python, never a fork: a fork of a process with threads, connections and locks may hang.
    """

    def __init__(self, size: int, idle_seconds: float = IDLE_SECONDS, most_seconds: float | None = None) -> None:
        self._free = asyncio.Semaphore(size)
        self._idle: list[_Process] = []
        self._idle_seconds = idle_seconds
        self._most_seconds = most_seconds
        self._endings = BackgroundTasks()
        self._is_closed = False

    @property
    def idle_processes(self) -> tuple[int, ...]:
        """The ids of the processes that wait for a call."""
        return tuple(process.pid for process in self._idle)

    async def run(self, function: Callable[[A, OnProgress], R], argument: A, on_progress: OnProgress) -> R:
        async with self._free:
            # The argument may be as large as a million candles.
            call = await asyncio.to_thread(frame, (function, argument))
            try:
                answer = await self._call(await self._acquire(), call, on_progress)
            except _DiedIdle:
                answer = await self._call(await _Process.start(), call, on_progress)
            return cast("R", answer)

    async def close(self) -> None:
        """End the processes; those that compute end with their calls, which the caller has cancelled."""
        self._is_closed = True
        await self._endings.close()
        while self._idle:
            await self._idle.pop().end()

    async def _call(self, process: "_Process", call: bytes, on_progress: OnProgress) -> object:
        try:
            async with asyncio.timeout(self._most_seconds):
                answer = await process.call(call, on_progress)
        except (ComputationFailed, ComputationTooLarge):
            await self._release(process)
            raise
        except TimeoutError:
            await process.end()
            assert self._most_seconds is not None
            raise ComputationTooLong(self._most_seconds) from None
        except BaseException:
            await process.end()
            raise
        await self._release(process)
        return answer

    async def _acquire(self) -> "_Process":
        while self._idle:
            process = self._idle.pop()
            if process.is_running:
                return process
            await process.end()
        return await _Process.start()

    async def _release(self, process: "_Process") -> None:
        if self._is_closed or process.calls >= MAX_CALLS:
            await process.end()
        else:
            self._idle.append(process)
            self._endings.start(self._end_if_idle(process, process.calls))

    async def _end_if_idle(self, process: "_Process", calls: int) -> None:
        await asyncio.sleep(self._idle_seconds)
        if process in self._idle and process.calls == calls:
            self._idle.remove(process)
            await process.end()


class _DiedIdle(Exception):
    """A process that was kept for the next call had ended before it read it."""


class _Process:
    """A child process that answers one call after another."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._process = process
        self._input, self._output = process.stdin, process.stdout
        self.calls = 0

    @classmethod
    async def start(cls) -> "_Process":
        # It needs none of the node's secrets.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("R3EDGE_")}
        return cls(
            await asyncio.create_subprocess_exec(
                sys.executable,
                *PROGRAM,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                env=environment | _ONE_THREAD,
                start_new_session=True,
            )
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process.returncode is None

    async def call(self, call: bytes, on_progress: OnProgress) -> object:
        self.calls += 1
        has_started = False
        try:
            self._input.write(call)
            await self._input.drain()
            while True:
                kind, value = await self._read()
                if kind == "result":
                    return value
                if kind == "too large":
                    raise ComputationTooLarge
                if kind == "failed":
                    raise ComputationFailed(value)
                has_started = True
                if kind == "progress":
                    on_progress(float(value))  # type: ignore[arg-type]
        except (OSError, asyncio.IncompleteReadError):
            status = await self._process.wait()
            if not has_started and self.calls > 1:
                raise _DiedIdle from None
            raise ComputationCrashed(f"the process ended with status {status}") from None

    async def _read(self) -> tuple[str, object]:
        length = int.from_bytes(await self._output.readexactly(LENGTH_BYTES))
        data = await self._output.readexactly(length)
        answer: tuple[str, object] = await asyncio.to_thread(pickle.loads, data)
        return answer

    async def end(self) -> None:
        """Kill the process, which holds nothing that it would have to close, and wait for its end."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()
        self._input.close()
