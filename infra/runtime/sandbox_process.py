"""Runs the sandbox exchange as a child process: restarted when it dies, and stopped with the engine."""

import asyncio
import contextlib
import fcntl
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog

from domain.core.background import cancel_and_wait
from infra.sandbox.state.state_folder import LOCK_FILE, TOKEN_FILE
from infra.settings import Settings

ADDRESS_FILE = "address"
"""The file with the address of a running engine's sandbox, for commands."""
READY_SECONDS = 20.0
STOP_SECONDS = 5.0
RESTART_SECONDS = 0.5
MAXIMUM_RESTART_SECONDS = 10.0
STEADY_SECONDS = 30.0
"""After running for this long, an exchange that ends is restarted without a growing delay."""
PREVIOUS_SECONDS = 5.0
"""Time allowed to an exchange whose engine was killed to save its state and end."""

log = structlog.stdlib.get_logger("r3edge.sandbox")


class SandboxDidNotStart(Exception):
    """The sandbox exchange ended, or didn't answer, before it was ready."""


@dataclass(frozen=True, slots=True)
class SandboxAddress:
    """The sandbox's URL and its administrative token."""

    url: str
    token: str


def sandbox_program(settings: Settings) -> list[str]:
    """Return Python's arguments for an exchange with synthetic or recorded prices."""
    program = ["-m", "infra.sandbox"]
    if settings.seed is not None:
        program += ["--seed", str(settings.seed)]
    if settings.replay:
        program += ["--replay", *map(str, settings.replay)]
    return program


def mirror_program(settings: Settings) -> list[str]:
    """Return Python's arguments for an exchange with the prices of the live venue in `settings.mirror`."""
    assert settings.mirror is not None
    program = ["-m", "infra.cli.mirror", "--mirror", settings.mirror, "--log-format", settings.log_format]
    if settings.mirror_url is not None:
        program += ["--mirror-url", settings.mirror_url]
    if settings.mirror_markets:
        program += ["--markets", ",".join(settings.mirror_markets)]
    return program


class SandboxChild:
    """Keeps one sandbox process running; its state is in its folder, so a new process resumes where the old one ended.

    The child ends when its standard input closes, so it never outlives this process, however that ends.
    """

    def __init__(self, folder: Path, program: Sequence[str]) -> None:
        self._folder = folder
        self._program = program
        self._process: asyncio.subprocess.Process | None = None
        self._port = 0
        self._watch: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int:
        """The process id of the exchange, another one after each restart."""
        assert self._process is not None
        return self._process.pid

    async def start(self) -> SandboxAddress:
        """Start the process and wait until it serves; raises `SandboxDidNotStart`."""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            await self._wait_for_previous()
            url = await self._launch()
            token = (self._folder / TOKEN_FILE).read_text().strip()
        except OSError as error:
            raise SandboxDidNotStart(
                f"{self._folder} can't be used by the sandbox exchange: {error.strerror}"
            ) from None
        self._watch = asyncio.create_task(self._keep_alive(), name="sandbox")
        return SandboxAddress(url, token)

    async def stop(self) -> None:
        """Close its standard input and wait for its end; kill it after `STOP_SECONDS`."""
        if self._watch is not None:
            await cancel_and_wait(self._watch)
        if self._process is not None:
            await self._end(self._process)

    async def _end(self, process: asyncio.subprocess.Process) -> None:
        if process.returncode is not None:
            return
        assert process.stdin is not None
        process.stdin.close()
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()

    async def _launch(self) -> str:
        self._process = await asyncio.create_subprocess_exec(
            *self._command(),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            # Ctrl-C in a terminal is the engine's to handle: it stops the child when it no longer needs it.
            start_new_session=True,
        )
        assert self._process.stdout is not None
        try:
            async with asyncio.timeout(READY_SECONDS):
                line = await self._process.stdout.readline()
            ready = json.loads(line)
        except (TimeoutError, ValueError):
            await self._end(self._process)
            raise SandboxDidNotStart("the sandbox exchange did not start; its messages stand above") from None
        self._port = int(ready["port"])
        _write_address(self._folder / ADDRESS_FILE, str(ready["url"]))
        return str(ready["url"])

    def _command(self) -> list[str]:
        place = ["--folder", str(self._folder), "--port", str(self._port), "--exit-with-stdin"]
        return [sys.executable, *self._program, *place]

    async def _keep_alive(self) -> None:
        delay, began = RESTART_SECONDS, time.monotonic()
        while True:
            assert self._process is not None
            code = await self._process.wait()
            log.warning("sandbox_ended", exit_code=code)
            # A mirror that can't serve its live venue's markets only finds out from the venue, and ends soon each time.
            delay = await self._restart(RESTART_SECONDS if time.monotonic() - began > STEADY_SECONDS else delay)
            began = time.monotonic()
            log.info("sandbox_restarted", port=self._port)

    async def _restart(self, delay: float) -> float:
        """Retry until it runs again on the same port; return the delay for the next restart."""
        while True:
            await asyncio.sleep(delay)
            delay = min(2 * delay, MAXIMUM_RESTART_SECONDS)
            try:
                await self._launch()
            except (SandboxDidNotStart, OSError) as error:
                log.warning("sandbox_not_restarted", reason=str(error))
            else:
                return delay

    async def _wait_for_previous(self) -> None:
        """Wait for the child of an engine that was just killed; the new child reports one that stays."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PREVIOUS_SECONDS):
                while _is_locked(self._folder / LOCK_FILE):  # noqa: ASYNC110  # the kernel has no event for a lock
                    await asyncio.sleep(0.02)


def find_running_sandbox(folder: Path) -> SandboxAddress | None:
    """Return the address of the sandbox exchange that an engine runs in `folder`; None if none runs (yet)."""
    address, token = folder / ADDRESS_FILE, folder / TOKEN_FILE
    if not _is_locked(folder / LOCK_FILE) or not address.exists() or not token.exists():
        return None
    return SandboxAddress(address.read_text().strip(), token.read_text().strip())


def _write_address(path: Path, url: str) -> None:
    """Write to a temporary file first, so that a reader finds the old address or the new one, and no part of one."""
    fresh = path.with_suffix(".new")
    fresh.write_text(f"{url}\n")
    fresh.replace(path)


def _is_locked(path: Path) -> bool:
    if not path.exists():
        return False
    with path.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
