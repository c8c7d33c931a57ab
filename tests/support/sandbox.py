"""A real sandbox exchange for tests: started as a process on a free port, ended with the block.

async with running_sandbox(tmp_path, seed=7) as sandbox:
    keys = await sandbox.create_account("ann", {"USDT": "100000"})
    await sandbox.inject_faults(swallowOrders=1)
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.ports import free_port
from tests.support.run_folder import new_folder

ROOT = Path(__file__).resolve().parents[2]
READY_SECONDS = 60.0


@dataclass(frozen=True)
class SandboxKeys:
    """What an account signs with."""

    api_key: str
    secret: str
    uid: int


@dataclass
class SandboxProcess:
    """A running exchange: its address, its state folder, and what an administrator may do with it."""

    folder: Path
    arguments: tuple[str, ...]
    module: str = "infra.sandbox"
    url: str = ""
    port: int = field(default_factory=free_port)
    process: asyncio.subprocess.Process | None = None
    errors: list[str] = field(default_factory=list)
    _reader: "asyncio.Task[None] | None" = None

    @property
    def websocket_url(self) -> str:
        return self.url.replace("http", "ws", 1)

    @property
    def admin_token(self) -> str:
        return (self.folder / "admin-token").read_text().strip()

    async def start(self) -> None:
        """Start on the same port as before and wait until it is ready."""
        command = [sys.executable, "-m", self.module, "--folder", str(self.folder), "--port", str(self.port)]
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        self.process = await asyncio.create_subprocess_exec(
            *command, *self.arguments, "--exit-with-stdin", cwd=ROOT, env=environment,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        self._reader = asyncio.create_task(self._read_errors(self.process.stderr))
        line = await asyncio.wait_for(self.process.stdout.readline(), READY_SECONDS)
        if not line:
            await self.process.wait()
            await self._reader
            raise RuntimeError(f"the sandbox didn't start: {''.join(self.errors)}")
        ready = json.loads(line)
        self.url, self.port = ready["url"], ready["port"]

    async def stop(self) -> int:
        """End it cleanly, as closing its standard input does; return its exit status."""
        if self.process.returncode is None:
            self.process.stdin.close()
        status = await asyncio.wait_for(self.process.wait(), READY_SECONDS)
        await self._reader
        return status

    async def kill(self) -> None:
        """End it as `kill -9` does."""
        self.process.send_signal(signal.SIGKILL)
        await self.process.wait()
        self.process.stdin.close()
        await self._reader

    async def restart(self) -> None:
        """Kill it and start it again on the same state and port."""
        await self.kill()
        await self.start()

    async def admin(self, action: str, body: dict[str, Any]) -> dict[str, Any]:
        """POST `body` to `/admin/<action>` and return the answer."""
        headers = {"authorization": f"Bearer {self.admin_token}", "content-type": "application/json"}
        request = urllib.request.Request(f"{self.url}/admin/{action}", json.dumps(body).encode(), headers)
        return await asyncio.to_thread(_fetch, request)

    async def create_account(self, name: str, balances: dict[str, str]) -> SandboxKeys:
        """Create an account, or return the keys of the one with this name."""
        account = await self.admin("accounts", {"name": name, "balances": balances})
        return SandboxKeys(account["apiKey"], account["secret"], account["uid"])

    async def deposit(self, name: str, currency: str, amount: str, key: str) -> bool:
        """Pay into an account once a `key`; return whether it was paid now."""
        return (await self.admin("deposits", {"name": name, "currency": currency, "amount": amount, "key": key}))[
            "deposited"
        ]

    async def inject_faults(self, **faults: int | bool) -> dict[str, Any]:
        """Request faults by the names of `infra.sandbox.faults.FaultPlan`, in camel case."""
        return await self.admin("misbehave", faults)

    async def skip_to_seconds_before_a_minute(self, seconds: int) -> None:
        """Advance the venue's clock, so that its next minute starts in so many seconds."""
        now = (await self.get("/api/v3/time"))["serverTime"]
        await self.inject_faults(driftMs=(-now - seconds * 1000) % 60_000)

    async def move_price(self, market: str, price: str) -> None:
        """Move a synthetic market's price; trades follow at once."""
        await self.admin("price", {"market": market, "price": price})

    async def get(self, path: str) -> Any:
        """Return the JSON of a public address."""
        return await asyncio.to_thread(_fetch, urllib.request.Request(self.url + path))

    async def _read_errors(self, stream: asyncio.StreamReader) -> None:
        while line := await stream.readline():
            self.errors.append(line.decode())


@asynccontextmanager
async def running_sandbox(
    folder: Path,
    *,
    seed: int = 1,
    replay: Sequence[Path] = (),
    unlimited: bool = True,
    speed: float | None = None,
    expect_errors: bool = False,
) -> AsyncIterator[SandboxProcess]:
    """Start an exchange with its state in `folder`; at the end it must have written nothing to standard error."""
    arguments = ["--seed", str(seed)]
    arguments += ["--replay", *map(str, replay)] if replay else []
    arguments += ["--unlimited"] if unlimited else []
    arguments += ["--speed", str(speed)] if speed is not None else []
    sandbox = SandboxProcess(folder, tuple(arguments))
    await sandbox.start()
    try:
        yield sandbox
    finally:
        if sandbox.process.returncode is None:
            await sandbox.stop()
    if not expect_errors:
        assert not sandbox.errors, "".join(sandbox.errors)


@contextmanager
def session_sandbox(seed: int = 7) -> Iterator[SandboxProcess]:
    """Start an exchange that outlives the event loop of a test, for tests that leave it as it is.

    Each test has accounts of its own there. A test that asks for faults, or kills it, takes `running_sandbox`.
    """
    folder = new_folder()
    command = [sys.executable, "-m", "infra.sandbox", "--folder", str(folder), "--port", "0", "--seed", str(seed)]
    process = subprocess.Popen(
        [*command, "--unlimited", "--exit-with-stdin"],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    with process:
        yield SandboxProcess(folder, (), url=json.loads(process.stdout.readline())["url"])


@asynccontextmanager
async def running_mirror(
    folder: Path, live: SandboxProcess, markets: str = "BTC/USDT"
) -> AsyncIterator[SandboxProcess]:
    """Start a mirror of another sandbox, in Binance's place; its stderr may have only log lines of the mirror."""
    arguments = (
        "--mirror",
        "binance",
        "--mirror-url",
        live.url,
        "--markets",
        markets,
        "--unlimited",
        "--log-format",
        "json",
    )
    mirror = SandboxProcess(folder, tuple(arguments), "infra.cli.mirror")
    await mirror.start()
    try:
        yield mirror
    finally:
        if mirror.process.returncode is None:
            await mirror.stop()
    assert not [line for line in mirror.errors if "infra.sandbox.market_data.mirror" not in line], "".join(
        mirror.errors
    )


def _fetch(request: urllib.request.Request) -> Any:
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            raise AssertionError(f"{request.full_url} answered {error.code}: {error.read().decode()}") from None
