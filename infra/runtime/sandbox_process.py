"""The sandbox exchange as a child process: started with the engine, restarted when it dies, gone when the engine is."""

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

from infra.sandbox.state.state_folder import LOCK_FILE, TOKEN_FILE
from infra.settings import Settings

ADDRESS_FILE = "address"
"""Tells commands that run beside the engine where its sandbox is."""
READY_SECONDS = 20.0
STOP_SECONDS = 5.0
RESTART_SECONDS = 0.5
MAXIMUM_RESTART_SECONDS = 10.0
STEADY_SECONDS = 30.0
"""How long an exchange must have run before its end is taken for an accident, and it is started at once again."""
PREVIOUS_SECONDS = 5.0
"""How long an exchange whose engine was killed may take to save its state and end."""

log = structlog.stdlib.get_logger("r3edge.sandbox")


class SandboxDidNotStart(Exception):
    """The sandbox exchange ended or kept silent before it was ready."""


@dataclass(frozen=True, slots=True)
class SandboxAddress:
    """Where the sandbox is reached, and what opens its administrative side."""

    url: str
    token: str


def sandbox_program(settings: Settings) -> list[str]:
    """Return what Python runs as the exchange with prices of its own or of a recording."""
    program = ["-m", "infra.sandbox"]
    if settings.seed is not None:
        program += ["--seed", str(settings.seed)]
    if settings.replay:
        program += ["--replay", *map(str, settings.replay)]
    return program


def mirror_program(settings: Settings) -> list[str]:
    """Return what Python runs as the exchange with the prices of the live venue that `settings.mirror` names."""
    assert settings.mirror is not None
    program = ["-m", "infra.cli.mirror", "--mirror", settings.mirror, "--log-format", settings.log_format]
    if settings.mirror_url is not None:
        program += ["--mirror-url", settings.mirror_url]
    if settings.mirror_markets:
        program += ["--markets", ",".join(settings.mirror_markets)]
    return program


class SandboxChild:
    """Keeps one sandbox process alive; its state is in its folder, so a new process goes on where the old one was.

    The child ends when its standard input closes, so it never outlives this process, however that ends.
    """

    def __init__(self, folder: Path, program: Sequence[str]) -> None:
        self._folder = folder
        self._program = program
        self._process: asyncio.subprocess.Process | None = None
        self._port = 0
        self._watch: asyncio.Task[None] | None = None

    async def start(self) -> SandboxAddress:
        """Start the process and wait until it serves; raises `SandboxDidNotStart`."""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            await self._previous_has_ended()
            url = await self._launch()
            token = (self._folder / TOKEN_FILE).read_text().strip()
        except OSError as error:
            raise SandboxDidNotStart(
                f"{self._folder} can't be used by the sandbox exchange: {error.strerror}"
            ) from None
        self._watch = asyncio.create_task(self._keep_alive(), name="sandbox")
        return SandboxAddress(url, token)

    async def stop(self) -> None:
        """Close its standard input and wait for its end; kill it when it doesn't come."""
        if self._watch is not None:
            self._watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watch
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
            told = json.loads(line)
        except (TimeoutError, ValueError):
            await self._end(self._process)
            raise SandboxDidNotStart("the sandbox exchange did not start; its messages stand above") from None
        self._port = int(told["port"])
        _write_address(self._folder / ADDRESS_FILE, str(told["url"]))
        return str(told["url"])

    def _command(self) -> list[str]:
        place = ["--folder", str(self._folder), "--port", str(self._port), "--exit-with-stdin"]
        return [sys.executable, *self._program, *place]

    async def _keep_alive(self) -> None:
        delay, began = RESTART_SECONDS, time.monotonic()
        while True:
            assert self._process is not None
            code = await self._process.wait()
            log.warning("sandbox_ended", exit_code=code)
            # A mirror learns only from its live venue that it can't show what it is to: it ends soon each time.
            delay = await self._restart(RESTART_SECONDS if time.monotonic() - began > STEADY_SECONDS else delay)
            began = time.monotonic()
            log.info("sandbox_restarted", port=self._port)

    async def _restart(self, delay: float) -> float:
        """Start it again on the same port, as often as it takes; return how long to wait before the next time."""
        while True:
            await asyncio.sleep(delay)
            delay = min(2 * delay, MAXIMUM_RESTART_SECONDS)
            try:
                await self._launch()
            except (SandboxDidNotStart, OSError) as error:
                log.warning("sandbox_not_restarted", reason=str(error))
            else:
                return delay

    async def _previous_has_ended(self) -> None:
        """Wait for the child of an engine that was killed a moment ago; one that stays is told by the new child."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PREVIOUS_SECONDS):
                while _is_locked(self._folder / LOCK_FILE):  # noqa: ASYNC110  # a lock of the kernel tells no event
                    await asyncio.sleep(0.02)


def find_running_sandbox(folder: Path) -> SandboxAddress | None:
    """Return where the sandbox exchange that an engine runs in `folder` is reached; None where none runs (yet)."""
    address, token = folder / ADDRESS_FILE, folder / TOKEN_FILE
    if not _is_locked(folder / LOCK_FILE) or not address.exists() or not token.exists():
        return None
    return SandboxAddress(address.read_text().strip(), token.read_text().strip())


def _write_address(path: Path, url: str) -> None:
    """Write beside the place first: a reader finds the old address or the new one, and no part of one."""
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
