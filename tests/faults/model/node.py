"""A node of the engine with a switch: it is killed, frozen, moved in time, and started again as soon as it has died."""

import asyncio
import json
import os
import shutil
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from tests.faults.model.plan import CrashStep
from tests.faults.model.program import CONTROL
from tests.support.engine import Engine

_MODULE = "tests.faults.model.program"
_BACK_SECONDS = 120


class Node:
    """One process of the engine.

    `down_seconds` is how long it stays down after a crash, at the start of which `crashed` is called.
    """

    def __init__(
        self, folder: Path, settings: dict[str, str], down_seconds: float, crashed: Callable[[], None]
    ) -> None:
        self._control = folder.with_suffix(".control")
        self._down_seconds = down_seconds
        self._crash: dict[str, object] = {}
        self._clock_offset = 0
        self._log_start = 0
        self._crashed = crashed
        self.engine = Engine(folder, settings={**settings, CONTROL: str(self._control)}, module=_MODULE, is_forked=True)

    async def start(self) -> None:
        """Start it, and return once it is ready."""
        self._write_control()
        await self.engine.start()

    async def close(self) -> None:
        """Stop it."""
        if self.engine.is_running():
            await self.engine.terminate()

    async def keep_alive(self) -> None:
        """Start it again whenever it has died, as an operator's supervisor does."""
        while True:
            await asyncio.sleep(0.05)
            if not self.engine.is_running():
                self._crashed()
                self.spare()
                await asyncio.sleep(self._down_seconds)
                self.engine.spawn()

    async def ready(self) -> None:
        """Wait until it is up and ready, after a crash as well."""
        deadline = time.monotonic() + _BACK_SECONDS
        while True:
            if self.engine.is_running():
                with suppress(AssertionError):
                    await self.engine.ready()
                    return
            assert time.monotonic() < deadline, "the engine doesn't come back"
            await asyncio.sleep(0.1)

    # ---- what strikes it

    def crash_at(self, step: CrashStep, count: int) -> None:
        """Have it kill itself at the `count`th passage of a step from now on."""
        self._crash = {"step": step.value, "count": count}
        self._apply_control()

    def move_clock(self, seconds: int) -> None:
        """Move its wall clock."""
        self._clock_offset = seconds
        self._apply_control()

    async def freeze(self, seconds: float) -> None:
        """Stop its process for so long, then let it go on as if nothing had been."""
        pid = self.engine.pid
        with suppress(ProcessLookupError):  # an earlier fault may have killed it
            os.kill(pid, signal.SIGSTOP)
            await asyncio.sleep(seconds)
            os.kill(pid, signal.SIGCONT)

    def spare(self) -> None:
        """Take back a step at which it was to crash."""
        if self._crash:
            self._crash = {}
            self._apply_control()

    def heal(self) -> None:
        """Take back what was done to it."""
        self._crash, self._clock_offset = {}, 0
        self._apply_control()

    # ---- what it says

    def mark_log(self) -> None:
        """Have `assert_quiet` look at what is logged from now on."""
        self._log_start = self.engine.log.rfind("\n") + 1  # it may be writing a line just now

    def assert_quiet(self) -> None:
        """Hold that it has logged no error since the mark."""
        self.engine.assert_quiet(self._log_start)

    async def dump_tasks(self) -> None:
        """Have it write where each of its tasks waits, to be read beside a violation."""
        if self.engine.is_running():
            os.kill(self.engine.pid, signal.SIGUSR2)
            await asyncio.sleep(1)

    def keep_log(self) -> None:
        """Copy its log beside its data folder, where it outlives the node."""
        shutil.copy(self.engine.log_file, self.engine.folder.with_suffix(".kept.log"))

    def _apply_control(self) -> None:
        self._write_control()
        if self.engine.is_running() and _catches_usr1(self.engine.pid):
            os.kill(self.engine.pid, signal.SIGUSR1)

    def _write_control(self) -> None:
        temporary = self._control.with_suffix(".new")
        temporary.write_text(json.dumps({**self._crash, "clockOffset": self._clock_offset}))
        temporary.replace(self._control)


def _catches_usr1(pid: int) -> bool:
    """Return whether the process has its handler already: without one, the signal would end it."""
    with suppress(OSError):
        status = Path(f"/proc/{pid}/status").read_text()
        caught = int(status.split("SigCgt:")[1].split()[0], 16)
        return bool(caught >> (signal.SIGUSR1 - 1) & 1)
    return False
