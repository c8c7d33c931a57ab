"""The exchange of a run: what is asked of it and done to it, and what was traded there."""

import asyncio
import hmac
import time
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx

from tests.support.http_client import http_client
from tests.support.sandbox import SandboxKeys, SandboxProcess

MARKET = "BTCUSDT"
_MARKET = "BTC/USDT"
_NEXT_MINUTE_SECONDS = 0.5
_NEXT_CANDLE_SECONDS = 0.5
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
        return await insist(lambda: self._request("GET", path, parameters))

    async def post(self, path: str, **parameters: object) -> None:
        """Send a signed POST once, whatever becomes of it."""
        with suppress(*_REFUSED):
            await self._request("POST", path, parameters)

    async def _request(self, method: str, path: str, parameters: dict[str, object]) -> Any:
        async with http_client(base_url=self._url, timeout=30) as client:
            answer = await client.get("/api/v3/time")
            answer.raise_for_status()
            now = answer.json()["serverTime"]
            query = str(httpx.QueryParams({**parameters, "timestamp": now, "recvWindow": 60_000}))  # type: ignore[arg-type]
            signature = hmac.digest(self._keys.secret.encode(), query.encode(), "sha256").hex()
            headers = {"X-MBX-APIKEY": self._keys.api_key}
            response = await client.request(method, f"{path}?{query}&signature={signature}", headers=headers)
            response.raise_for_status()
        return response.json()


class Venue:
    """A sandbox exchange; it is asked until it answers, since a fault of the plan may just be killing it."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.sandbox = SandboxProcess(folder, ("--seed", str(seed), "--unlimited"))
        self._drift_ms = 0
        self._next_trade = 0
        self._trades: deque[tuple[int, Decimal]] = deque(maxlen=_TRADES_KEPT)
        self._recording: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start it, and the record of what is traded there."""
        await self.sandbox.start()
        self._recording = asyncio.create_task(self._record_trades())

    async def close(self) -> None:
        """End both."""
        if self._recording is not None:
            self._recording.cancel()
            with suppress(asyncio.CancelledError):
                await self._recording
        if self.sandbox.process is not None and self.sandbox.process.returncode is None:
            await self.sandbox.stop()

    async def restart(self) -> None:
        """Kill it and start it again on its state; its clock goes on as it went, its trades are forgotten."""
        await self._read_trades()
        await self.sandbox.restart()
        self._next_trade = 0  # ids of forgotten trades are given again
        await self.inject(driftMs=self._drift_ms)

    async def heal(self) -> None:
        """Take back all that was injected, but for the time that has passed."""
        await self.inject(clear=True, silenceMarketStreams=False)
        await self.set_lot_size(_LOT)

    # ---- what is asked

    async def key_of(self, account_id: str) -> VenueKey:
        """Return its API under the key of an account of the engine."""
        return VenueKey(self.sandbox.url, await self.sandbox.create_account(account_id, {}))

    async def get(self, path: str) -> Any:
        """Return the answer at a public address."""
        return await insist(lambda: self.sandbox.get(path))

    async def price(self) -> float:
        """Return the last price."""
        return float((await self.get(f"/api/v3/ticker/price?symbol={MARKET}"))["price"])

    async def time(self) -> int:
        """Return its time in milliseconds."""
        return int((await self.get("/api/v3/time"))["serverTime"])

    def traded_prices(self, start_ms: int, end_ms: int) -> list[Decimal]:
        """Return the prices traded in a stretch of its time, both ends included."""
        return [price for at, price in self._trades if start_ms <= at <= end_ms]

    # ---- what is done to it

    async def inject(self, **faults: int | bool) -> None:
        """Have it misbehave."""
        await self._administer("misbehave", faults)

    async def move_price(self, price: str) -> None:
        """Move the market to a price; trades follow at once."""
        await self._administer("price", {"market": _MARKET, "price": price})

    async def set_lot_size(self, lot: str) -> None:
        """Change the step of quantities, without a notification."""
        lot_size = {"filterType": "LOT_SIZE", "minQty": lot, "stepSize": lot}
        await self._administer("filters", {"market": _MARKET, "filters": [lot_size]})

    async def move_clock(self, milliseconds: int) -> None:
        """Move its clock forward."""
        self._drift_ms += milliseconds
        await self.inject(driftMs=self._drift_ms)

    async def next_minute(self) -> None:
        """Move its clock to just before its next minute, and wait until that has begun."""
        await self.move_clock((-await self.time() - round(_NEXT_MINUTE_SECONDS * 1_000)) % 60_000)
        await asyncio.sleep(_NEXT_MINUTE_SECONDS + _NEXT_CANDLE_SECONDS)

    async def _administer(self, action: str, body: dict[str, Any]) -> None:
        await insist(lambda: self.sandbox.admin(action, body))

    # ---- what was traded

    async def _record_trades(self) -> None:
        """Keep what is traded: the venue itself forgets its trades after a while, and when it is killed."""
        while True:
            with suppress(*_REFUSED):
                await self._read_trades()
            await asyncio.sleep(_RECORD_SECONDS)

    async def _read_trades(self) -> None:
        path = f"/api/v3/historicalTrades?symbol={MARKET}&limit=1000"
        for trade in await self.get(f"{path}&fromId={self._next_trade}" if self._next_trade else path):
            if trade["id"] >= self._next_trade:
                self._next_trade = trade["id"] + 1
                self._trades.append((trade["time"], Decimal(trade["price"])))


async def insist(ask: Callable[[], Awaitable[Any]]) -> Any:
    """Ask until there is an answer; raises what stands in the way after a minute."""
    deadline = time.monotonic() + _INSIST_SECONDS
    while True:
        try:
            return await ask()
        except _REFUSED:
            if time.monotonic() > deadline:
                raise
        await asyncio.sleep(0.1)
