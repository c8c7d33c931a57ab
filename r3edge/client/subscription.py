"""A subscription over graphql-transport-ws that connects again after every interruption, and goes on by cursor."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing
from typing import Any, Final

import aiohttp

from r3edge.client.backoff import Backoff
from r3edge.client.credentials import Credentials
from r3edge.client.errors import ClientError, ConnectionRejected, Unauthenticated, request_failed

SUBPROTOCOL: Final = "graphql-transport-ws"
TRANSIENT: Final = frozenset({"UNAVAILABLE", "SLOW_READER", "RATE_LIMITED"})
FORBIDDEN_CLOSE: Final = 4403
FINAL_CLOSES: Final = frozenset({1008, 1009, 4400, 4401, 4406, 4409, 4429})
"""What is wrong with the messages or the origin: their size, form, order, ids or subprotocol."""

SILENCE_SECONDS: Final = 40.0
"""The engine pings every 15 s: a connection on which nothing comes for so long is dead, though nobody has noticed."""

_ACKNOWLEDGE_SECONDS: Final = 10.0
_RETRIED_STATUSES: Final = frozenset({408, 429})
_FIRST_CLIENT_ERROR: Final = 400
_FIRST_SERVER_ERROR: Final = 500


class _Interrupted(Exception):
    """The connection ended; another one may do better."""


class Subscription:
    """The events of one subscription: what its one field is for each, in order.

    `cursor` is that of the newest event that was handed out. Store it with what was made of the event, and give it as
    `after` to go on there after a restart of the program. Raises RequestFailed for errors that trying again doesn't
    correct, CursorTooOld among them, Unauthenticated, and ConnectionRejected.
    """

    def __init__(
        self,
        http: aiohttp.ClientSession,
        url: str,
        credentials: Credentials,
        document: str,
        variables: Mapping[str, Any] | None,
        head: Callable[[], Awaitable[str]] | None = None,
        after: str | None = None,
    ) -> None:
        self._http = http
        self._url = url
        self._credentials = credentials
        self._document = document
        self._variables = dict(variables or {})
        self._head = head
        self.cursor = after
        self.connections = 0
        """How often it has connected."""

    async def __aiter__(self) -> AsyncIterator[dict[str, Any]]:
        if self._head is not None and self.cursor is None:
            self.cursor = await self._head()
        backoff, refused = Backoff(), False
        while True:
            token = await self._credentials.token()
            try:
                async with aclosing(self._connected(token)) as events:
                    async for event in events:
                        backoff.reset()
                        refused = False
                        yield event
            except Unauthenticated:
                if refused or not await self._credentials.replace(token):
                    raise
                refused = True
                continue
            except (_Interrupted, aiohttp.ClientError, TimeoutError, OSError):
                await asyncio.sleep(backoff.next_delay())
            else:
                return

    async def _connected(self, token: str | None) -> AsyncGenerator[dict[str, Any]]:
        """Give the events of one connection, to the end of the subscription; raises `_Interrupted` for another end."""
        async with await self._connect() as socket:
            self.connections += 1
            payload = {"Authorization": f"Bearer {token}"} if token else {}
            await socket.send_json({"type": "connection_init", "payload": payload})
            await self._acknowledged(socket)
            variables = self._variables if self._head is None else {**self._variables, "after": self.cursor}
            request = {"query": self._document, "variables": variables}
            await socket.send_json({"type": "subscribe", "id": "1", "payload": request})
            while True:
                message = await _receive(socket, SILENCE_SECONDS)
                match message.get("type"):
                    case "next":
                        yield self._event(message["payload"])
                    case "error":
                        raise _failure(message["payload"])
                    case "complete":
                        return

    async def _connect(self) -> aiohttp.ClientWebSocketResponse:
        try:
            return await self._http.ws_connect(
                self._url, protocols=(SUBPROTOCOL,), max_msg_size=0, timeout=aiohttp.ClientWSTimeout(ws_close=2.0)
            )
        except aiohttp.WSServerHandshakeError as error:
            if is_final_status(error.status):
                raise ConnectionRejected(error.status, error.message) from error
            raise

    async def _acknowledged(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        async with asyncio.timeout(_ACKNOWLEDGE_SECONDS):
            while (await _receive(socket, _ACKNOWLEDGE_SECONDS)).get("type") != "connection_ack":
                pass

    def _event(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        """Return the event of a payload, and keep its cursor; a subscription has one field."""
        if payload.get("errors"):
            raise _failure(payload["errors"])
        (event,) = payload["data"].values()
        if self._head is not None:
            if "cursor" not in event:
                raise ClientError("the document must select `cursor`, by which the stream is resumed")
            self.cursor = event["cursor"]
        return dict(event)


def is_final_status(status: int) -> bool:
    """Return whether a request with this HTTP status would be answered the same if it was sent again."""
    return _FIRST_CLIENT_ERROR <= status < _FIRST_SERVER_ERROR and status not in _RETRIED_STATUSES


async def _receive(socket: aiohttp.ClientWebSocketResponse, seconds: float) -> Mapping[str, Any]:
    """Return the next message, after answering pings; raises an error for the end of the connection."""
    while True:
        received = await socket.receive(timeout=seconds)
        if received.type is not aiohttp.WSMsgType.TEXT:
            raise _closed(socket.close_code, str(received.extra or ""))
        message: Mapping[str, Any] = received.json()
        if message.get("type") != "ping":
            return message
        await socket.send_json({"type": "pong"})


def _closed(code: int | None, reason: str) -> Exception:
    """Return what a close means; 1012 is that of an engine that stops, after which another node or the next answers."""
    if code == FORBIDDEN_CLOSE:
        error = {"message": reason or "Forbidden", "extensions": {"code": "UNAUTHENTICATED"}}
        return Unauthenticated([error])
    if code in FINAL_CLOSES:
        assert code is not None
        return ConnectionRejected(code, reason)
    return _Interrupted(f"closed with {code} {reason}")


def _failure(errors: list[Mapping[str, Any]]) -> Exception:
    failed = request_failed(errors)
    return _Interrupted(str(failed)) if TRANSIENT.issuperset(failed.codes) else failed
