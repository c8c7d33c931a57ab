"""A client of the public API, as a front-end would write it: queries by HTTP, subscriptions by WebSocket."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect

from tests.support.http_client import http_client

ANSWER_SECONDS = 60.0
MOST_WAITS = 10
"""How often a request is sent again that the engine asks to send again later."""


class Client:
    """All requests under one token, or as an anonymous client."""

    def __init__(
        self,
        url: str,
        token: str | None = None,
        answer_seconds: float = ANSWER_SECONDS,
        socket_options: Mapping[str, Any] | None = None,
    ) -> None:
        self.url = url
        self.token = token
        self._answer_seconds = answer_seconds
        self._socket_options = dict(socket_options or {})

    async def raw(self, document: str, **variables: Any) -> dict[str, Any]:
        """Return the whole answer; the server is never at fault, but what it stands on may be away for a while."""
        headers = {"accept": "application/json"}
        if self.token:
            headers["authorization"] = f"Bearer {self.token}"
        async with http_client(timeout=self._answer_seconds) as client:
            response = await client.post(
                self.url, content=json.dumps({"query": document, "variables": variables}),
                headers={**headers, "content-type": "application/json"},
            )  # fmt: skip
        answer = response.json()
        if response.status_code == httpx.codes.SERVICE_UNAVAILABLE:
            assert [error["extensions"]["code"] for error in answer["errors"]] == ["UNAVAILABLE"], answer
        else:
            assert response.status_code < httpx.codes.INTERNAL_SERVER_ERROR, f"{response.status_code} {answer}"
        return answer

    async def run(self, document: str, **variables: Any) -> dict[str, Any]:
        """Return the data; there must be no top-level error."""
        answer = await self.raw(document, **variables)
        assert "errors" not in answer, answer
        return answer["data"]

    async def one(self, document: str, **variables: Any) -> Any:
        """Return the only root field of the data."""
        (value,) = (await self.run(document, **variables)).values()
        return value

    async def change(self, document: str, **variables: Any) -> dict[str, Any]:
        """Run one mutation that must succeed; return its payload. On a busy machine passwords are hashed later."""
        answer = await self.raw(document, **variables)
        for _ in range(MOST_WAITS):
            if (seconds := _asked_to_wait(answer)) is not None:
                await asyncio.sleep(seconds)
                answer = await self.raw(document, **variables)
        assert "errors" not in answer, answer
        (payload,) = answer["data"].values()
        assert payload["errors"] == [], payload
        return payload

    async def refusal(self, document: str, **variables: Any) -> list[dict[str, Any]]:
        """Run one mutation that must be refused; return its errors, those of the payload or the top-level ones."""
        answer = await self.raw(document, **variables)
        errors = answer.get("errors")
        if not errors:
            (payload,) = answer["data"].values()
            errors = payload["errors"]
        assert errors, f"not refused: {answer}"
        return errors

    @asynccontextmanager
    async def subscribed(self, document: str, **variables: Any) -> AsyncIterator["Events"]:
        """Subscribe inside the block."""
        async with self.socket() as socket:
            await initialise(socket, self.token)
            payload = {"query": document, "variables": variables}
            await socket.send(json.dumps({"type": "subscribe", "id": "1", "payload": payload}))
            yield Events(socket)

    def socket(self, **options: Any) -> connect:
        """Return a WebSocket, to be entered, on which nothing has been sent."""
        settings = {"subprotocols": ["graphql-transport-ws"], "max_size": 2**22, "compression": None}
        settings |= {**self._socket_options, **options}
        return connect(self.url.replace("http", "ws", 1), **settings)


async def initialise(socket: ClientConnection, token: str | None = None) -> None:
    """Initialise, and check that it is acknowledged."""
    payload = {"Authorization": f"Bearer {token}"} if token else {}
    await socket.send(json.dumps({"type": "connection_init", "payload": payload}))
    assert (await receive(socket))["type"] == "connection_ack"


async def receive(socket: ClientConnection, timeout_seconds: float = ANSWER_SECONDS) -> dict[str, Any]:
    """Return the next message; pings are answered on the way."""
    async with asyncio.timeout(timeout_seconds):
        while True:
            message = json.loads(await socket.recv())
            if message["type"] != "ping":
                return message
            await socket.send('{"type": "pong"}')


class Events:
    """The events of one subscription; each is the value of the root field."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.seen: list[dict[str, Any]] = []

    async def next(self, timeout_seconds: float = ANSWER_SECONDS) -> dict[str, Any]:
        """Return the next event."""
        message = await receive(self.socket, timeout_seconds)
        assert message["type"] == "next", message
        assert "errors" not in message["payload"], message
        (event,) = message["payload"]["data"].values()
        self.seen.append(event)
        return event

    async def until(
        self, matches: Callable[[dict[str, Any]], object], what: str, timeout_seconds: float = ANSWER_SECONDS
    ) -> dict[str, Any]:
        """Read until an event `matches`, and return it."""
        try:
            async with asyncio.timeout(timeout_seconds):
                while not matches(event := await self.next(timeout_seconds)):
                    pass
        except TimeoutError:
            raise AssertionError(f"not within {timeout_seconds} s: {what}; seen: {self.seen[-20:]}") from None
        return event


def _asked_to_wait(answer: dict[str, Any]) -> float | None:
    """Return how long to wait where too many passwords are being hashed."""
    for error in answer.get("errors", ()):
        if "too many users do so at once" in error["message"]:
            seconds: float = error["extensions"]["retryAfterSeconds"]
            return seconds
    return None
