"""A line between the engine and a sandbox exchange that does to depth frames what a script says.

HTTP passes as it is. So does a WebSocket, but for what the sandbox says of depth, while the proxy has faults left:
the first frames of every connection pass, then one of the connection's market's faults is carried out.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType, web

FAULTS = ("drop", "repeat", "old", "swap", "truncate", "garble", "cut", "delay")
PASSED_BETWEEN = 4
"""How many depth frames pass between two faults of a connection, so that each is met with a book that stands."""

DELAY_SECONDS = 0.4


class FrameProxy:
    """Listens on a free port of loopback; `faults` holds what is still to be done to each market (`BTCUSDT`)."""

    def __init__(self, target: str, seed: int) -> None:
        self.url = ""
        self.faults: dict[str, list[str]] = {}
        self.silent = False
        self.connections = 0
        self._target = target
        self._random = Random(seed)

    def plan(self, market: str, count: int) -> None:
        """Do `count` faults to the market's frames, in an order of the seed."""
        self.faults[market] = self._random.sample(FAULTS * (1 + count // len(FAULTS)), count)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Pass a request on."""
        async with ClientSession() as session:
            if request.headers.get("upgrade", "").lower() != "websocket":
                return await self._pass(session, request)
            near = web.WebSocketResponse(compress=False)
            await near.prepare(request)
            self.connections += 1
            async with session.ws_connect(self._target + request.path_qs, max_msg_size=0) as far:
                await _Wire(self, near, far, self._random).run()
            return near

    async def _pass(self, session: ClientSession, request: web.Request) -> web.Response:
        headers = {
            name: value for name, value in request.headers.items() if name.lower() not in {"host", "accept-encoding"}
        }
        body = await request.read()
        async with session.request(
            request.method, self._target + request.path_qs, headers=headers, data=body
        ) as answer:
            kept = {name: value for name, value in answer.headers.items() if name.lower().startswith(("x-", "retry"))}
            return web.Response(
                status=answer.status, body=await answer.read(), headers=kept, content_type=answer.content_type
            )


class _Wire:
    """One WebSocket connection through the proxy."""

    def __init__(
        self, proxy: FrameProxy, near: web.WebSocketResponse, far: ClientWebSocketResponse, random: Random
    ) -> None:
        self._proxy = proxy
        self._near = near
        self._far = far
        self._random = random
        self._sent: list[str] = []
        self._late: str | None = None
        self._passed = 0

    async def run(self) -> None:
        tasks = [asyncio.create_task(direction()) for direction in (self._up, self._down)]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._near.close()

    async def _up(self) -> None:
        async for message in self._near:
            if message.type is WSMsgType.TEXT:
                await self._far.send_str(message.data)

    async def _down(self) -> None:
        async for message in self._far:
            if message.type is not WSMsgType.TEXT or self._proxy.silent:
                continue
            text = message.data
            faults = self._faults(text)
            if not faults or self._passed < PASSED_BETWEEN:
                self._passed += 1
                await self._near.send_str(text)
            else:
                self._passed = 0
                await getattr(self, f"_{faults.pop()}")(text)
            self._sent.append(text)
            if self._late is not None and self._late is not text:
                late, self._late = self._late, None
                await self._near.send_str(late)

    def _faults(self, text: str) -> list[str]:
        message = json.loads(text)
        return self._proxy.faults.get(message["s"], []) if message.get("e") == "depthUpdate" else []

    async def _drop(self, _text: str) -> None:
        """The frame is lost."""

    async def _repeat(self, text: str) -> None:
        await self._near.send_str(text)
        await self._near.send_str(text)

    async def _old(self, text: str) -> None:
        await self._near.send_str(text)
        await self._near.send_str(self._random.choice(self._sent))

    async def _swap(self, text: str) -> None:
        self._late = text

    async def _truncate(self, text: str) -> None:
        await self._near.send_str(text[: self._random.randrange(1, len(text))])

    async def _garble(self, _text: str) -> None:
        await self._near.send_bytes(self._random.randbytes(40))

    async def _cut(self, _text: str) -> None:
        if (transport := self._near._req.transport) is not None:  # as a network would
            transport.abort()

    async def _delay(self, text: str) -> None:
        await asyncio.sleep(DELAY_SECONDS)
        await self._near.send_str(text)


@asynccontextmanager
async def frame_proxy(target: str, seed: int) -> AsyncIterator[FrameProxy]:
    """Run a proxy to the exchange at `target` inside the block."""
    proxy = FrameProxy(target, seed)
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", proxy.handle)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    proxy.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield proxy
    finally:
        await runner.cleanup()
