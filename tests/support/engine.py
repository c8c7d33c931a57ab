"""The real program `r3edge serve`, as a process that tests may kill, stop and start again on the same data.

async with running_engine(data_folder, "--seed", "7") as engine:
    client = engine.client()
    engine.kill()
    await engine.start()
"""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from tests.support.earlier_version import ENTRY, earlier_environment
from tests.support.forked_program import ForkedProcess, fork_server
from tests.support.graphql_client import Client
from tests.support.http_client import http_client
from tests.support.ports import free_port
from tests.support.postgres import copy_migrated_cluster
from tests.support.processes import processes_naming

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(sys.executable).with_name("r3edge")
READY_SECONDS = 90.0
STOP_SECONDS = 120.0
_PROC = Path("/proc")
_LISTENS = re.compile(r"http://127\.0\.0\.1:(\d+)\S*\n")


def engine_environment(**changes: str) -> dict[str, str]:
    """Return the environment without settings of the machine's own, and with `changes`; logs are JSON."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("R3EDGE_")}
    # Tests share an engine, and so the address that they register from.
    return {**kept, "R3EDGE_LOG_FORMAT": "json", "R3EDGE_REGISTRATIONS_PER_HOUR": "1000000", **changes}


def run_program(*arguments: str, timeout_seconds: float = 120.0, **settings: str) -> "subprocess.CompletedProcess[str]":
    """Run `r3edge` to its end and return what it said."""
    return subprocess.run(
        [PROGRAM, *arguments], env=engine_environment(**settings), cwd=ROOT, capture_output=True, text=True,
        check=False, timeout=timeout_seconds,
    )  # fmt: skip


class Engine:
    """One node: where it listens, what it logs, and the ways to end it. It keeps its port over restarts.

    It is started as `r3edge`, or as another `module`, from its file or as a fork of a process that has loaded it; as an
    earlier version while `source` is the folder of that.
    """

    def __init__(
        self,
        folder: Path,
        *arguments: str,
        settings: Mapping[str, str] | None = None,
        module: str | None = None,
        is_forked: bool = False,
    ) -> None:
        self.folder = folder
        self.port = free_port()
        self.settings = dict(settings or {})
        self.source: Path | None = None
        self._module = module
        self._is_forked = is_forked
        self._arguments = arguments
        self._output = folder.with_name(f"{folder.name}.output")
        self.log_file = folder.with_name(f"{folder.name}.log")
        self._process: subprocess.Popen[bytes] | ForkedProcess | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def graphql_url(self) -> str:
        return f"{self.url}/graphql"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def log(self) -> str:
        """All that it wrote to standard error, over all its lives."""
        return self.log_file.read_text()

    def client(self, token: str | None = None) -> Client:
        """Return a client that acts under this token."""
        return Client(self.graphql_url, token)

    async def start(self) -> None:
        """Start it on the same port as before and wait until it is ready."""
        self.spawn()
        self.port = await self.listening()
        await self.ready()

    async def listening(self) -> int:
        """Wait until it says where it listens; return the port."""
        await self._until(lambda: _LISTENS.search(self._output.read_text()), "listens")
        found = _LISTENS.search(self._output.read_text())
        assert found is not None
        return int(found[1])

    def spawn(self, output: int | None = None) -> None:
        """Start it and wait for nothing; it writes to the descriptor `output`, if one is given."""
        arguments = ["serve", "--port", str(self.port), "--data-dir", str(self.folder), *self._arguments]
        environment = engine_environment(**self.settings)
        with self._output.open("wb") as file, self.log_file.open("ab") as log, Path(os.devnull).open() as nothing:
            streams = nothing.fileno(), file.fileno() if output is None else output, log.fileno()
            if self._is_forked and self.source is None:
                self._process = fork_server().start(self._module, arguments, environment, streams)
                return
            program = [PROGRAM] if self._module is None else [sys.executable, "-m", self._module]
            if self.source is not None:
                program, environment = [sys.executable, "-c", ENTRY], environment | earlier_environment(self.source)
            stdin, stdout, stderr = streams
            self._process = subprocess.Popen(
                [*program, *arguments],
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
                cwd=self.source or ROOT,
                env=environment,
            )

    async def ready(self, timeout_seconds: float = READY_SECONDS) -> None:
        """Wait until it says that it is ready."""
        deadline = time.monotonic() + timeout_seconds
        async with http_client(timeout=30) as client:
            while True:
                readiness = await _readiness(client, f"{self.url}/readyz")
                if readiness == "200":
                    return
                assert self.is_running(), f"the engine ended: {self.log[-3000:]}"
                assert time.monotonic() < deadline, f"not ready, but {readiness}: {self.log[-3000:]}"
                await asyncio.sleep(0.05)

    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """End it as `kill -9` does: its children learn of it by themselves."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    async def terminate(self, within_seconds: float = STOP_SECONDS) -> None:
        """Stop it by SIGTERM: it ends in time, with exit code 0, and leaves no process behind."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        try:
            code = await asyncio.to_thread(self._process.wait, within_seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still runs {within_seconds} s after SIGTERM: {self.log[-3000:]}") from None
        assert code == 0, f"exit code {code}: {self.log[-3000:]}"
        assert not self.children(), f"left behind: {self.children()}"

    def children(self, word: str = "") -> dict[int, str]:
        """Return the command lines of other processes that work in the data folder and name `word`, by pid."""
        lines = processes_naming(str(self.folder))
        return {pid: line for pid, line in lines.items() if word in line and "serve --port" not in line}

    def postmaster(self) -> int:
        """Return the pid of the embedded PostgreSQL's first process."""
        return int((self.folder / "postgres" / "data" / "postmaster.pid").read_text().splitlines()[0])

    def memory_bytes(self) -> int:
        """Return how much memory the process holds now."""
        status = (_PROC / str(self.pid) / "status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) * 1024

    def assert_quiet(self, since: int = 0) -> None:
        """Hold that nothing went wrong inside: no traceback and no record of an error, from that character on."""
        log = self.log[since:]
        assert "Traceback" not in log, log[max(0, log.index("Traceback") - 1500) :][:6000]
        bad = [line for line in log.splitlines() if _is_bad(line)]
        assert not bad, bad

    def clean_up(self) -> None:
        """Kill what still runs, however the test ended, and forget what it said."""
        if self.is_running():
            self.kill()
        for pid in self.children():
            _kill(pid)
        for file in (self._output, self.log_file):
            file.unlink(missing_ok=True)

    async def _until(self, condition: Callable[[], object], what: str) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while not condition():
            assert self.is_running(), f"the engine ended before it {what}: {self.log[-3000:]}"
            assert time.monotonic() < deadline, (
                f"the engine never {what}: {self._output.read_text()} {self.log[-3000:]}"
            )
            await asyncio.sleep(0.02)


@asynccontextmanager
async def running_engine(
    folder: Path,
    *arguments: str,
    settings: Mapping[str, str] | None = None,
    quiet: bool = True,
    first_start: bool = False,
) -> AsyncIterator[Engine]:
    """Start a node; after the block it must stop cleanly and have logged no error (unless not `quiet`).

    It finds a migrated database in its folder and is forked, which saves ten seconds, unless this is
    to be its `first_start`.
    """
    engine = Engine(folder, *arguments, settings=settings, is_forked=not first_start)
    if not first_start and "R3EDGE_DATABASE_URL" not in (settings or {}):
        await asyncio.to_thread(copy_migrated_cluster, folder / "postgres")
    try:
        await engine.start()
        yield engine
        if engine.is_running():
            await engine.terminate()
        if quiet:
            engine.assert_quiet()
    finally:
        print(engine.log[-30_000:])  # noqa: T201  # pytest shows it beside a failure
        engine.clean_up()


async def _readiness(client: httpx.AsyncClient, url: str) -> str:
    try:
        answer = await client.get(url)
    except httpx.HTTPError as error:
        return repr(error)
    return "200" if answer.status_code == httpx.codes.OK else answer.text


def _is_bad(line: str) -> bool:
    """Return whether a line reports an error, or is no record: something wrote past the logger."""
    try:
        record = json.loads(line)
    except ValueError:
        return True
    return record.get("level") in {"error", "critical"} or "exception" in record


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
