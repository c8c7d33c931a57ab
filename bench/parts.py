"""The real parts that benches run on: the engine and the exchange as processes in temporary folders, on free ports."""

import asyncio
import os
import signal
import sys
import tempfile
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from ctypes import CDLL
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from bench.figures import ROOT
from infra.postgres.migrate import migrate
from infra.postgres.server.embedded import EmbeddedPostgres
from tests.support.sandbox import SandboxProcess, running_sandbox

ENGINE = Path(sys.executable).with_name("r3edge")
START_SECONDS = 60.0
_PR_SET_PDEATHSIG = 1  # prctl(2)
_LIBC = CDLL(None) if sys.platform == "linux" else None


@dataclass
class Engine:
    """A running `r3edge serve`: where it listens, and how long it took to listen and to be ready."""

    process: asyncio.subprocess.Process
    url: str
    listening_seconds: float
    ready_seconds: float = 0.0

    @property
    def socket_url(self) -> str:
        return self.url.replace("http", "ws", 1) + "/graphql"


@asynccontextmanager
async def exchange(folder: Path) -> AsyncGenerator[SandboxProcess]:
    """Run a sandbox exchange without rate limits."""
    async with running_sandbox(folder / "exchange", seed=1, unlimited=True) as sandbox:
        yield sandbox


@asynccontextmanager
async def engine(
    folder: Path, sandbox: SandboxProcess | None = None, *, log: Path | None = None, **changes: str
) -> AsyncGenerator[Engine]:
    """Run the engine until the end of the block, on `sandbox` where one is given; it is ready when the block begins.

    `changes` are further settings by their variables; its messages go to the file `log` where one is given.
    """
    settings = {
        "R3EDGE_LOG_LEVEL": "warning",
        "R3EDGE_REGISTRATIONS_PER_HOUR": "1000000",
        "R3EDGE_REQUESTS_PER_SECOND_PER_ADDRESS": "1000000",
        "R3EDGE_MESSAGES_PER_SECOND_PER_ADDRESS": "1000000",  # all clients of a bench have one address
        **changes,
    }
    if sandbox is not None:
        settings |= {"R3EDGE_SANDBOX_URL": sandbox.url, "R3EDGE_SANDBOX_TOKEN": sandbox.admin_token}
    started = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        *(ENGINE, "serve", "--port", "0", "--data-dir", str(folder / "engine")),
        cwd=ROOT,
        env=_clean_environment() | settings,
        stdout=asyncio.subprocess.PIPE,
        stderr=await asyncio.to_thread(log.open, "wb") if log is not None else None,
        start_new_session=True,
        preexec_fn=_end_with_parent,
    )
    try:
        running = Engine(process, await _address(process), time.perf_counter() - started)
        await _ready(running.url)
        running.ready_seconds = time.perf_counter() - started
        yield running
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        await process.communicate()


@asynccontextmanager
async def database(folder: Path) -> AsyncGenerator[str]:
    """Give the address of an empty database with the engine's durable settings."""
    server = EmbeddedPostgres(folder / "postgres")
    await server.start()
    try:
        await migrate(server.dsn)
        yield server.dsn
    finally:
        await server.stop()


@asynccontextmanager
async def scratch() -> AsyncGenerator[Path]:
    """Give a folder that is removed at the end, also if SIGTERM ends the bench."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    with tempfile.TemporaryDirectory(prefix="r3edge-bench-") as folder:
        yield Path(folder)


def _end_with_parent() -> None:
    """Have a child end in order when its parent has been killed, which can't end it any more."""
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _clean_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("R3EDGE_")}


async def _address(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    async with asyncio.timeout(START_SECONDS):
        while line := (await process.stdout.readline()).decode():
            if "listens on" in line:
                return line.split()[-1].removesuffix("/graphql")
    raise RuntimeError("the engine did not start; its messages stand above")


async def _ready(url: str) -> None:
    async with asyncio.timeout(START_SECONDS), aiohttp.ClientSession() as session:
        while True:
            async with session.get(f"{url}/readyz") as response:
                if response.status == 200:
                    return
            await asyncio.sleep(0.01)
