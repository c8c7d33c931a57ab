"""A real server on loopback, and a client that speaks graphql-transport-ws by hand."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from types import TracebackType
from typing import Any, Self

import httpx
import uvicorn
from starlette.applications import Starlette
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from infra.web.server import web_server
from infra.web.settings import WebSettings
from tests.support.http_client import http_client
from tests.support.waiting import PATIENCE_SECONDS, eventually


class Served:
    """An application that is being served."""

    def __init__(self, app: Starlette, server: uvicorn.Server, port: int) -> None:
        self.app = app
        self.server = server
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.ws_url = f"ws://127.0.0.1:{port}/graphql"

    def client(self) -> httpx.AsyncClient:
        """Return an HTTP client with this base."""
        return http_client(base_url=self.url, timeout=PATIENCE_SECONDS)

    async def post(
        self, body: Any, token: str | None = None, accept: str = "application/graphql-response+json"
    ) -> httpx.Response:
        """Send one GraphQL request, with a client of its own."""
        headers = {"accept": accept, "content-type": "application/json"}
        if token:
            headers["authorization"] = f"Bearer {token}"
        content = body if isinstance(body, bytes | str) else json.dumps(body)
        async with self.client() as client:
            return await client.post("/graphql", content=content, headers=headers)

    def socket(self, **options: Any) -> "Socket":
        """Return a WebSocket client, to be entered."""
        return Socket(self.ws_url, options)


@asynccontextmanager
async def serving(app: Starlette, settings: WebSettings | None = None) -> AsyncIterator[Served]:
    """Serve `app` by uvicorn as the engine does, until the context ends."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = web_server(app, settings or WebSettings())
        task = asyncio.create_task(server.serve(sockets=[listener]))
        await eventually(lambda: server.started or task.done(), "the server has started")
        try:
            yield Served(app, server, listener.getsockname()[1])
        finally:
            server.should_exit = True
            await task


class Socket:
    """A graphql-transport-ws client that sends exactly the given messages."""

    def __init__(self, url: str, options: dict[str, Any]) -> None:
        self._connect = connect(
            url, **{"subprotocols": ["graphql-transport-ws"], "compression": None, "max_size": 2**22, **options}
        )
        self.ws: ClientConnection

    async def __aenter__(self) -> Self:
        self.ws = await self._connect.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.ws.close()

    async def send(self, **message: Any) -> None:
        """Send one message."""
        await self.ws.send(json.dumps(message))

    async def receive(self, timeout_seconds: float = PATIENCE_SECONDS, *, pings: bool = False) -> dict[str, Any]:
        """Return the next message; the server's pings are skipped unless `pings` is set."""
        async with asyncio.timeout(timeout_seconds):
            while True:
                message = json.loads(await self.ws.recv())
                if pings or message["type"] != "ping":
                    return message

    async def init(self, token: str | None = None) -> None:
        """Initialise, and check that it is acknowledged."""
        payload = {"Authorization": f"Bearer {token}"} if token else {}
        await self.send(type="connection_init", payload=payload)
        assert (await self.receive())["type"] == "connection_ack"

    async def subscribe(self, query: str, id: str = "1", **payload: Any) -> None:
        """Start an operation."""
        await self.send(type="subscribe", id=id, payload={"query": query, **payload})

    async def closed(self, timeout_seconds: float = PATIENCE_SECONDS) -> tuple[int | None, str | None]:
        """Read until the server closes; return its code and reason."""
        async with asyncio.timeout(timeout_seconds):
            with suppress(ConnectionClosed):
                while True:
                    await self.ws.recv()
        return self.ws.close_code, self.ws.close_reason
