"""A recorded BTC/USDT stream served as Binance would serve it: its depth and trades over WebSockets, the rest by REST.

Frames are sent in their recorded order, at a pace or as fast as they are taken. It runs in a process of its own, so
that what it costs isn't counted; when each depth update was sent can be asked afterwards, by the monotonic clock.
"""

import asyncio
import gzip
import json
import sys
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from tests.support.recorded_data import BINANCE, ROOT
from tests.support.reference_book import PlainBook

FILES = (BINANCE / "btcusdt_20240808.gz", BINANCE / "btcusdt_20240809.gz")
EXCHANGE_INFO = BINANCE / "exchange_info.json.gz"
LEVELS = 1_000
SENT_AHEAD = 64
"""How many frames may be on their way before the sender lets others work."""


@dataclass(frozen=True)
class Frame:
    """One recorded frame: when it was received, in seconds from the first, its event, and the text that is sent."""

    at: float
    event: dict[str, Any]
    text: str

    @property
    def is_depth(self) -> bool:
        return bool(self.event["e"] == "depthUpdate")


@dataclass
class Recording:
    """The frames of recordings, and the snapshot that they begin with."""

    frames: list[Frame] = field(default_factory=list)
    snapshot: dict[str, Any] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        return self.frames[-1].at


def read(files: tuple[Path, ...]) -> Recording:
    """Return what was recorded of depth and trades; the engine doesn't ask for best prices on their own."""
    found, start = Recording(), 0
    for received, message in _lines(files):
        start = start or received
        if "lastUpdateId" in message:
            found.snapshot = found.snapshot or message
        elif "bookTicker" not in message["stream"]:
            event = message["data"]
            text = json.dumps(event, separators=(",", ":"))
            found.frames.append(Frame((received - start) / 1e9, event, text))
    return found


def _lines(files: tuple[Path, ...]) -> Iterator[tuple[int, dict[str, Any]]]:
    for file in files:
        with gzip.open(file, "rb") as lines:
            for line in lines:
                if b"@bookTicker" not in line:
                    received, _, message = line.partition(b" ")
                    yield int(received), json.loads(message)


class Venue:
    """What is sent, and what has been sent so far."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._sockets: dict[str, set[web.WebSocketResponse]] = {"depthUpdate": set(), "trade": set()}
        self._sending: asyncio.Task[None] | None = None
        self._begin()

    def _begin(self) -> None:
        self._sent: list[tuple[int, float]] = []
        self._trades: list[dict[str, Any]] = []
        self._now = int(self._recording.frames[0].event["E"])
        self._book = PlainBook()
        self._update_id = self._recording.snapshot["lastUpdateId"]
        self._book.set(self._recording.snapshot["bids"], self._recording.snapshot["asks"])

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/ws/{number}", self._socket)
        app.router.add_get("/api/v3/exchangeInfo", _exchange_info)
        app.router.add_get("/api/v3/time", lambda _: _answer({"serverTime": self._now}))
        app.router.add_get("/api/v3/depth", self._depth)
        app.router.add_get("/api/v3/trades", lambda _: _answer(self._trades[-LEVELS:]))
        app.router.add_get("/api/v3/klines", lambda _: _answer([]))
        app.router.add_post("/play", self._play)
        app.router.add_get("/sent", lambda _: _answer(self._sent))
        app.router.add_post("/rewind", self._rewind)
        return app

    async def _socket(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(compress=False, max_msg_size=2**22)
        await socket.prepare(request)
        async for message in socket:
            asked = json.loads(message.data)
            for stream in asked.get("params", []):
                kind = "depthUpdate" if "@depth" in stream else "trade" if stream.endswith("@trade") else ""
                if kind and asked["method"] == "SUBSCRIBE":
                    self._sockets[kind].add(socket)
            await socket.send_json({"result": None, "id": asked["id"]})
        for sockets in self._sockets.values():
            sockets.discard(socket)
        return socket

    async def _depth(self, _: web.Request) -> web.Response:
        bids, asks = self._book.top(LEVELS)
        rows = {
            side: [[f"{price:.8f}", f"{held:.8f}"] for price, held in found]
            for side, found in (("bids", bids), ("asks", asks))
        }
        return await _answer({"lastUpdateId": self._update_id} | rows)

    async def _play(self, request: web.Request) -> web.Response:
        self._sending = asyncio.create_task(self._send_all(float(request.query["pace"])))
        return await _answer({})

    async def _rewind(self, _: web.Request) -> web.Response:
        if self._sending is not None:
            self._sending.cancel()
        self._begin()
        return await _answer({})

    async def _send_all(self, pace: float) -> None:
        began = time.monotonic()
        for number, frame in enumerate(self._recording.frames):
            wait = began + frame.at / pace - time.monotonic() if pace else 0.0
            if wait > 0 or number % SENT_AHEAD == 0:
                await asyncio.sleep(max(wait, 0))
            await self._send(frame)

    async def _send(self, frame: Frame) -> None:
        event = frame.event
        self._now = event["E"]
        if frame.is_depth:
            self._sent.append((event["u"], time.monotonic()))
        for socket in tuple(self._sockets[event["e"]]):
            await socket.send_str(frame.text)
        if not frame.is_depth:
            answer = {"id": event["t"], "price": event["p"], "qty": event["q"], "time": event["T"]}
            self._trades.append(answer | {"quoteQty": "0", "isBuyerMaker": event["m"], "isBestMatch": True})
        elif event["u"] > self._update_id:
            self._update_id = event["u"]
            self._book.set(event["b"], event["a"])


async def _exchange_info(_: web.Request) -> web.Response:
    with gzip.open(EXCHANGE_INFO, "rt") as lines:
        answer = json.loads(next(lines).partition(": ")[2])
    answer["symbols"] = [each for each in answer["symbols"] if each["symbol"] == "BTCUSDT"]
    return await _answer(answer)


async def _answer(answer: object) -> web.Response:
    return web.json_response(answer)


class Remote:
    """The venue in its process, as the bench commands it."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self.url = url
        self._session = session

    async def play(self, pace: float) -> None:
        """Begin to send, so many times as fast as it was recorded; 0 is as fast as it is taken."""
        async with self._session.post(f"{self.url}/play", params={"pace": str(pace)}):
            pass

    async def sent(self) -> dict[int, float]:
        """Return when each depth update was handed to the socket."""
        async with self._session.get(f"{self.url}/sent") as response:
            return dict(await response.json())

    async def rewind(self) -> None:
        """Stop, and go back to the beginning."""
        async with self._session.post(f"{self.url}/rewind"):
            pass


@asynccontextmanager
async def venue(files: tuple[Path, ...]) -> AsyncGenerator[Remote]:
    """Serve the recordings from a process of its own."""
    command = [sys.executable, "-m", "bench.recording", *map(str, files)]
    process = await asyncio.create_subprocess_exec(
        *command, cwd=ROOT, stdout=asyncio.subprocess.PIPE, start_new_session=True
    )
    try:
        assert process.stdout is not None
        url = (await process.stdout.readline()).decode().strip()
        async with aiohttp.ClientSession() as session:
            yield Remote(url, session)
    finally:
        process.terminate()
        await process.communicate()


async def _serve(files: tuple[Path, ...]) -> None:
    runner = web.AppRunner(Venue(read(files)).app())
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    sys.stdout.write(f"http://{host}:{port}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(tuple(Path(file) for file in sys.argv[1:])))
