"""The parts that run: a real engine with its PostgreSQL, and a real sandbox exchange beside it.

They outlive a run; each run has users and accounts of its own.
"""

import asyncio
import hmac
import json
import os
import signal
import sys
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx

from tests.faults.model.plan import CrashStep
from tests.faults.model.program import CONTROL
from tests.support.engine import Engine
from tests.support.postgres import copy_migrated_cluster
from tests.support.sandbox import SandboxKeys, SandboxProcess

MARKET = "BTCUSDT"
_PROGRAM = (sys.executable, "-m", "tests.faults.model.program")
_NEXT_MINUTE_SECONDS = 1


_REFUSED = (httpx.HTTPError, OSError, AssertionError)
_INSIST_SECONDS = 60
_RECORD_SECONDS = 0.5
_LOT = "0.00001"
_TRADES_KEPT = 200_000


class VenueKey:
    """The venue's API under an account's own key, as another program of its owner uses it."""

    def __init__(self, url: str, keys: SandboxKeys) -> None:
        self._url = url
        self._keys = keys

    async def get(self, path: str, **parameters: object) -> Any:
        """Return the answer of a signed GET, asked until the venue gives it, since faults strike here too."""
        return await _insist(lambda: self._request("GET", path, parameters))

    async def post(self, path: str, **parameters: object) -> None:
        """Send a signed POST once, whatever becomes of it."""
        with suppress(*_REFUSED):
            await self._request("POST", path, parameters)

    async def _request(self, method: str, path: str, parameters: dict[str, object]) -> Any:
        async with httpx.AsyncClient(base_url=self._url, timeout=30) as client:
            answer = await client.get("/api/v3/time")
            answer.raise_for_status()
            now = answer.json()["serverTime"]
            query = str(httpx.QueryParams({**parameters, "timestamp": now, "recvWindow": 60_000}))  # type: ignore[arg-type]
            signature = hmac.digest(self._keys.secret.encode(), query.encode(), "sha256").hex()
            headers = {"X-MBX-APIKEY": self._keys.api_key}
            response = await client.request(method, f"{path}?{query}&signature={signature}", headers=headers)
            response.raise_for_status()
        return response.json()


class World:
    """One engine, its exchange, and what is done to them."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder
        self.sandbox = SandboxProcess(folder / "exchange", ("--seed", str(seed), "--unlimited"))
        self.engine = Engine(folder / "data", program=_PROGRAM)
        self._control = folder / "control.json"
        self._clock_offset = 0
        self._drift_ms = 0
        self._crash: dict[str, object] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._next_trade = 0
        self._trades: deque[tuple[int, Decimal]] = deque(maxlen=_TRADES_KEPT)

    async def start(self) -> None:
        """Start the exchange, then the engine."""
        self.folder.mkdir(parents=True, exist_ok=True)
        await self.sandbox.start()
        self._write_control()
        self.engine.settings |= {
            "R3EDGE_SANDBOX_URL": self.sandbox.url, "R3EDGE_SANDBOX_TOKEN": self.sandbox.admin_token,
            CONTROL: str(self._control),
        }  # fmt: skip
        await asyncio.to_thread(copy_migrated_cluster, self.engine.folder / "postgres")
        await self.engine.start()
        loops = (self._restart_after_crashes(), self._record_trades())
        self._tasks = [asyncio.create_task(loop) for loop in loops]

    async def close(self) -> None:
        """End both; however they ended, nothing stays behind."""
        for task in self._tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        if self.engine.is_running():
            await self.engine.terminate()
        if self.sandbox.process is not None and self.sandbox.process.returncode is None:
            await self.sandbox.stop()

    async def key_of(self, account_id: str) -> VenueKey:
        """Return the venue's API under the key of an account of the engine."""
        return VenueKey(self.sandbox.url, await self.sandbox.create_account(account_id, {}))

    # ---- what strikes the engine

    def crash_at(self, step: CrashStep, count: int) -> None:
        """Have the engine kill itself at the `count`th passage of a step from now on."""
        self._crash = {"step": step.value, "count": count}
        self._apply_control()

    def crash(self) -> None:
        """Kill the engine now; it is started again."""
        self.engine.kill()

    async def freeze(self, seconds: float) -> None:
        """Stop the engine's process for so long, then let it go on as if nothing had been."""
        pid = self.engine.pid
        with suppress(ProcessLookupError):  # an earlier fault may have killed it
            os.kill(pid, signal.SIGSTOP)
            await asyncio.sleep(seconds)
            os.kill(pid, signal.SIGCONT)

    def move_node_clock(self, seconds: int) -> None:
        """Move the engine's wall clock."""
        self._clock_offset = seconds
        self._apply_control()

    async def dump_tasks(self) -> None:
        """Have the engine write where each of its tasks waits, to be read beside a violation."""
        if self.engine.is_running():
            os.kill(self.engine.pid, signal.SIGUSR2)
            await asyncio.sleep(1)

    def kill_postgres(self) -> None:
        """Kill the engine's PostgreSQL; the engine starts it again."""
        with suppress(ProcessLookupError, OSError):
            os.kill(self.engine.postmaster(), signal.SIGKILL)

    async def restart_exchange(self) -> None:
        """Kill the exchange and start it again on its state; its clock goes on as it went, its trades are forgotten."""
        await self._read_trades()
        await self.sandbox.restart()
        await self.inject(driftMs=self._drift_ms)

    async def heal(self) -> None:
        """Take all faults back, and wait until the engine is ready."""
        self._crash, self._clock_offset = {}, 0
        self._apply_control()
        await self.inject(clear=True, silenceMarketStreams=False)
        await self.set_lot_size(_LOT)
        await self.ready()

    async def ready(self) -> None:
        """Wait until the engine is up and ready, after a crash as well."""
        deadline = time.monotonic() + 120
        while True:
            if self.engine.is_running():
                with suppress(AssertionError):
                    await self.engine.ready()
                    return
            assert time.monotonic() < deadline, "the engine doesn't come back"
            await asyncio.sleep(0.1)

    async def next_minute(self) -> None:
        """Move the venue's clock to just before its next minute, and wait until that has begun."""
        now = await self.venue_time()
        await self.move_venue_clock((-now - _NEXT_MINUTE_SECONDS * 1_000) % 60_000)
        await asyncio.sleep(_NEXT_MINUTE_SECONDS + 0.7)

    async def move_venue_clock(self, milliseconds: int) -> None:
        """Move the venue's clock forward."""
        self._drift_ms += milliseconds
        await self.inject(driftMs=self._drift_ms)

    async def set_lot_size(self, lot: str) -> None:
        """Change the step of quantities at the venue, which tells nobody."""
        lot_size = {"filterType": "LOT_SIZE", "minQty": lot, "stepSize": lot}
        await self._administer("filters", {"market": "BTC/USDT", "filters": [lot_size]})

    async def move_price(self, price: str) -> None:
        """Move the market to a price; trades follow at once."""
        await self._administer("price", {"market": "BTC/USDT", "price": price})

    async def inject(self, **faults: int | bool) -> None:
        """Have the venue misbehave."""
        await self._administer("misbehave", faults)

    async def _administer(self, action: str, body: dict[str, Any]) -> None:
        """Ask the exchange until it has answered: another fault of the plan may be killing it."""
        await _insist(lambda: self.sandbox.admin(action, body))

    async def price(self) -> float:
        """Return the last price at the venue."""
        return float((await self.venue(f"/api/v3/ticker/price?symbol={MARKET}"))["price"])

    async def venue_time(self) -> int:
        """Return the venue's time in milliseconds."""
        return int((await self.venue("/api/v3/time"))["serverTime"])

    async def venue(self, path: str) -> Any:
        """Return the venue's answer at a public address, asked until it gives it."""
        return await _insist(lambda: self.sandbox.get(path))

    def traded_prices(self, start_ms: int, end_ms: int) -> list[Decimal]:
        """Return the prices traded in a stretch of the venue's time, both ends included."""
        return [price for at, price in self._trades if start_ms <= at <= end_ms]

    def _apply_control(self) -> None:
        self._write_control()
        if self.engine.is_running() and _catches_usr1(self.engine.pid):
            os.kill(self.engine.pid, signal.SIGUSR1)

    def _write_control(self) -> None:
        temporary = self._control.with_suffix(".new")
        temporary.write_text(json.dumps({**self._crash, "clockOffset": self._clock_offset}))
        temporary.replace(self._control)

    async def _record_trades(self) -> None:
        """Keep what is traded: the venue itself forgets its trades after a while, and when it is killed."""
        while True:
            with suppress(*_REFUSED):
                await self._read_trades()
            await asyncio.sleep(_RECORD_SECONDS)

    async def _read_trades(self) -> None:
        path = f"/api/v3/historicalTrades?symbol={MARKET}&limit=1000"
        for trade in await self.venue(f"{path}&fromId={self._next_trade}" if self._next_trade else path):
            if trade["id"] >= self._next_trade:
                self._next_trade = trade["id"] + 1
                self._trades.append((trade["time"], Decimal(trade["price"])))

    async def _restart_after_crashes(self) -> None:
        """Start the engine again as soon as it has died, as an operator's supervisor does."""
        while True:
            await asyncio.sleep(0.05)
            if not self.engine.is_running():
                self._crash = {}
                self._write_control()
                await asyncio.sleep(0.3)
                self.engine.spawn()


async def _insist(ask: Callable[[], Awaitable[Any]]) -> Any:
    deadline = time.monotonic() + _INSIST_SECONDS
    while True:
        try:
            return await ask()
        except _REFUSED:
            if time.monotonic() > deadline:
                raise
        await asyncio.sleep(0.1)


@asynccontextmanager
async def running_world(folder: Path, seed: int) -> AsyncIterator[World]:
    """Run a world for a block."""
    world = World(folder, seed)
    try:
        await world.start()
        yield world
    finally:
        await world.close()
        world.engine.clean_up()


def _catches_usr1(pid: int) -> bool:
    """Return whether the process has its handler already: without one, the signal would end it."""
    with suppress(OSError):
        status = Path(f"/proc/{pid}/status").read_text()
        caught = int(status.split("SigCgt:")[1].split()[0], 16)
        return bool(caught >> (signal.SIGUSR1 - 1) & 1)
    return False
