"""A real HTTP server on loopback that takes messages, which a test lets refuse, stall or go away."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.support.ports import free_port

LOOPBACK = "127.0.0.0/8"


@dataclass(frozen=True)
class Received:
    """A request as it came."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, read."""
        return json.loads(self.body)


@dataclass
class Receiver:
    """Keeps the requests that it answers with 200; `answer` makes the answer to the next one."""

    requests: list[Received] = field(default_factory=list)
    answer: Callable[[], web.Response] = web.Response
    stalls: asyncio.Event | None = None
    """Until it is set, nothing is answered."""

    attempts: int = 0
    last_path: str = ""
    came: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a request has come, whether or not it is answered."""

    port: int = field(default_factory=free_port)
    _runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """The address of a webhook here."""
        return f"http://127.0.0.1:{self.port}/hook"

    @property
    def base_url(self) -> str:
        """The address of the server."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def sequences(self) -> list[str]:
        """The sequences of the events that were taken, in their order."""
        return [request.json["sequence"] for request in self.requests]

    def refuse(self, status: int, **options: Any) -> None:
        """Answer with this status from now on."""
        self.answer = lambda: web.Response(status=status, **options)

    async def start(self) -> None:
        """Listen, at the same port each time: while nobody listens there, nobody else gets it."""
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._take)
        self._runner = web.AppRunner(app, shutdown_timeout=0, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Listen no more, and let go of what waits; the port stays free."""
        if self.stalls is not None:
            self.stalls.set()
        assert self._runner is not None
        await self._runner.cleanup()

    async def _take(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.attempts += 1
        self.last_path = request.path
        self.came.set()
        if self.stalls is not None:
            await self.stalls.wait()
        answer = self.answer()
        if answer.status == 200:
            self.requests.append(Received(request.path, dict(request.headers), body))
        return answer


@asynccontextmanager
async def open_receiver() -> AsyncIterator[Receiver]:
    """Start a receiver, and stop it at the end."""
    receiver = Receiver()
    await receiver.start()
    try:
        yield receiver
    finally:
        await receiver.stop()
