"""The graphql-transport-ws protocol: one connection, any number of operations, each in a task of its own.

https://github.com/graphql/graphql-over-http/blob/main/rfcs/GraphQLOverWebSocket.md
"""

import asyncio
import time
from dataclasses import dataclass
from typing import Any, Final

import structlog
from graphql import GraphQLError
from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send
from strawberry.http.websocket_origin import is_same_origin, normalize_origin

from domain.core.errors import FaultCode, RequestFault
from infra.web.connections import FORBIDDEN, GOING_AWAY, ConnectionRegistry
from infra.web.context import ConnectionInfo, ContextFactory, OperationContext, bearer
from infra.web.documents.documents import PreparedOperation, RequestErrors
from infra.web.encoding import InvalidJson, decode_json, encode_json
from infra.web.http.requests import GraphQLRequest, read_parameters
from infra.web.metrics import WebMetrics
from infra.web.operation_note import OperationNote
from infra.web.operations import Operations, PrivateStream, is_subscription, public_errors, slow_reader
from infra.web.settings import WebSettings
from infra.web.websocket.connection_tasks import ConnectionTasks

log = structlog.stdlib.get_logger("r3edge.web")

SUBPROTOCOL: Final = "graphql-transport-ws"

BAD_MESSAGE: Final = 4400
UNAUTHORIZED: Final = 4401
BAD_SUBPROTOCOL: Final = 4406
INIT_TIMEOUT: Final = 4408
DUPLICATE_ID: Final = 4409
TOO_MANY_INITS: Final = 4429
MESSAGE_TOO_BIG: Final = 1009
INTERNAL: Final = 1011
TRY_AGAIN_LATER: Final = 1013

_CLOSE_SECONDS: Final = 2.0
_MAX_REASON_CHARACTERS: Final = 40  # 123 bytes at most, RFC 6455, 5.5


class Gone(Exception):
    """The connection is closed; nothing more can be sent."""


@dataclass(frozen=True, slots=True)
class WebSocketParts:
    """What every connection works with."""

    operations: Operations
    contexts: ContextFactory
    settings: WebSettings
    metrics: WebMetrics
    connections: ConnectionRegistry


class WebSocketConnection:
    """One connection, from the handshake to the end of its last operation."""

    def __init__(self, parts: WebSocketParts, scope: Scope, receive: Receive, send: Send) -> None:
        self._parts = parts
        self._scope = scope
        self._receive = receive
        self._asgi_send = send
        self._info = ConnectionInfo.of(scope)
        self._credential: str | None = None
        self._initialised = False
        self._acknowledged = False
        self._closed = False
        self._is_deaf = False
        self._operations: dict[str, asyncio.Task[None]] = {}
        self._chores = ConnectionTasks()
        self._task: asyncio.Task[Any] | None = None

    async def serve(self) -> None:
        """Speak the protocol until the connection is closed, then end all of its operations."""
        self._task = asyncio.current_task()
        if not self._is_origin_allowed():
            await self._asgi_send({"type": "websocket.close", "code": 1008, "reason": "Origin not allowed"})
            return
        if not await self._accept():
            return
        self._parts.connections.add(self)
        if self._parts.connections.is_closing:
            await self.close(GOING_AWAY, "Going away")
        self._chores.later(
            "init", self._parts.settings.init_timeout_seconds, self.close, INIT_TIMEOUT, "Initialisation timeout"
        )
        try:
            await self._listen()
        except Gone:
            pass
        except asyncio.CancelledError:
            if not self._is_deaf:  # else it is `close` that gave up on the peer
                raise
        finally:
            await self._end()

    async def close(self, code: int, reason: str) -> None:
        """Close the connection; a peer that takes nothing is dropped."""
        if self._closed:
            return
        self._closed = True
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self._asgi_send(
                    {"type": "websocket.close", "code": code, "reason": reason[:_MAX_REASON_CHARACTERS]}
                )
        except (OSError, RuntimeError):  # closed already, or (TimeoutError) deaf
            if self._task is not None and self._task is not asyncio.current_task():
                self._is_deaf = True
                self._task.cancel()

    # ---- the handshake

    def _is_origin_allowed(self) -> bool:
        """Tell whether the page may connect; programs send no origin, and have no cookies to be misused."""
        headers = Headers(scope=self._scope)
        origin, allowed = headers.get("origin"), self._parts.settings.allowed_origins
        if origin is None or "*" in allowed or is_same_origin(origin, headers.get("host")):
            return True
        return normalize_origin(origin) in {normalize_origin(one) for one in allowed}

    async def _accept(self) -> bool:
        await self._receive()
        if SUBPROTOCOL in self._scope.get("subprotocols", ()):
            await self._asgi_send({"type": "websocket.accept", "subprotocol": SUBPROTOCOL})
            return True
        await self._asgi_send({"type": "websocket.accept"})
        await self.close(BAD_SUBPROTOCOL, "Subprotocol not acceptable")
        return False

    # ---- messages in

    async def _listen(self) -> None:
        while not self._closed:
            event = await self._receive()
            if event["type"] == "websocket.disconnect":
                self._closed = True
                return
            text = event.get("text")
            if text is None:
                await self.close(BAD_MESSAGE, "Messages must be text")
            elif len(text) > self._parts.settings.max_message_bytes:
                await self.close(MESSAGE_TOO_BIG, "Message too big")
            else:
                await self._read(text)

    async def _read(self, text: str) -> None:
        try:
            message = decode_json(text)
        except InvalidJson:
            await self.close(BAD_MESSAGE, "Messages must be JSON")
            return
        if not isinstance(message, dict):
            await self.close(BAD_MESSAGE, "Messages must be objects")
            return
        match message.get("type"):
            case "connection_init":
                await self._on_init(message.get("payload"))
            case "ping" | "pong":
                await self._on_ping(message)
            case "subscribe":
                await self._on_subscribe(message.get("id"), message.get("payload"))
            case "complete":
                await self._on_complete(message.get("id"))
            case _:
                await self.close(BAD_MESSAGE, "Unknown message type")

    async def _on_init(self, payload: object) -> None:
        if self._initialised:
            await self.close(TOO_MANY_INITS, "Too many initialisation requests")
            return
        if not isinstance(payload, dict | None):
            await self.close(BAD_MESSAGE, "Invalid connection_init payload")
            return
        self._initialised = True
        self._chores.cancel("init")
        self._credential = self._find_credential(payload or {})
        if await self._authenticate():
            self._acknowledged = True
            await self._send_message({"type": "connection_ack"})
            self._chores.later("ping", self._parts.settings.ping_interval_seconds, self._ping)

    def _find_credential(self, payload: dict[str, object]) -> str | None:
        """Return the bearer token of the init payload, or else of the handshake's header."""
        given = next((value for name, value in payload.items() if name.lower() == "authorization"), None)
        if given is not None and not isinstance(given, str):
            return ""  # nobody's
        return bearer(given or Headers(scope=self._scope).get("authorization"))

    async def _authenticate(self) -> bool:
        try:
            context = await self._context()
        except RequestFault as fault:
            await self.close(FORBIDDEN, fault.message)
            return False
        except Gone:
            return False
        except Exception:
            log.exception("websocket_authentication_failed", request_id=self._info.request_id)
            await self.close(INTERNAL, "Internal error")
            return False
        self._parts.connections.bind(self, context.credential_id)
        seconds_left = context.credential_seconds_left
        if seconds_left is not None:
            self._chores.later("expiry", max(seconds_left, 0.0), self.close, FORBIDDEN, "Forbidden")
        return True

    async def _on_subscribe(self, id: object, payload: object) -> None:
        if not self._acknowledged:
            await self.close(UNAUTHORIZED, "Unauthorized")
            return
        if not isinstance(id, str) or not id or not isinstance(payload, dict):
            await self.close(BAD_MESSAGE, "Invalid subscribe message")
            return
        if id in self._operations:
            await self.close(DUPLICATE_ID, "Subscriber already exists")
            return
        limit = self._parts.settings.max_operations_per_connection
        if len(self._operations) >= limit:
            fault = RequestFault(FaultCode.RATE_LIMITED, f"A connection may run at most {limit} operations at once.")
            await self._send_errors(id, _errors_of(fault))
            return
        try:
            request = read_parameters(payload)
        except RequestFault as fault:
            await self._send_errors(id, _errors_of(fault))
            return
        except RequestErrors as errors:
            await self._send_errors(id, errors)
            return
        self._operations[id] = asyncio.create_task(self._operate(id, request), name="operation")

    async def _on_ping(self, message: dict[str, object]) -> None:
        """Answer a ping with the payload that came, if any did; the protocol knows no other members."""
        payload = message.get("payload")
        if not isinstance(payload, dict | None):
            await self.close(BAD_MESSAGE, f"Invalid {message['type']} payload")
        elif message["type"] == "ping":
            await self._send_message({"type": "pong", "payload": payload} if "payload" in message else {"type": "pong"})

    async def _on_complete(self, id: object) -> None:
        if not isinstance(id, str) or not id:
            await self.close(BAD_MESSAGE, "Invalid complete message")
            return
        task = self._operations.pop(id, None)  # none where it has ended meanwhile
        if task is not None:
            self._chores.keep(task)  # until its clean-up is done
            task.cancel()

    # ---- operations

    async def _operate(self, id: str, request: GraphQLRequest) -> None:
        began = time.monotonic()
        with OperationNote.begun() as note:
            try:
                await self._answer(id, request)
            finally:
                if self._operations.get(id) is asyncio.current_task():
                    del self._operations[id]
                milliseconds = round((time.monotonic() - began) * 1000, 2)
                log.info("operation", request_id=self._info.request_id, milliseconds=milliseconds, **note.fields())

    async def _answer(self, id: str, request: GraphQLRequest) -> None:
        try:
            operations = self._parts.operations
            prepared = await operations.prepare(request.query, request.operation_name, self._info.network)
            self._parts.metrics.operations.labels(prepared.type.value, "websocket").inc()
            context = await self._context()
            if is_subscription(prepared):
                await self._stream(id, prepared, request, context)
            else:
                payload = await self._parts.operations.execute(prepared, request.variables, context)
                await self._send_text(_next_prefix(id) + encode_json(payload) + "}")
            await self._finish(id, {"id": id, "type": "complete"})
        except Gone:
            pass
        except RequestErrors as errors:
            await self._end_with(id, errors)
        except RequestFault as fault:
            await self._end_with(id, _errors_of(fault))
        except Exception as error:  # noqa: BLE001  # nothing internal leaks, and nothing is left unanswered
            await self._end_with(id, RequestErrors([GraphQLError("", path=["operation"], original_error=error)]))

    async def _stream(
        self, id: str, prepared: PreparedOperation, request: GraphQLRequest, context: OperationContext
    ) -> None:
        prefix = _next_prefix(id)
        async with self._parts.operations.subscribe(prepared, request.variables, context) as payloads:
            if isinstance(payloads, PrivateStream):
                await self._send_private(prefix, payloads)
                return
            note = OperationNote.current()
            async for payload in payloads:
                await self._send_text(prefix + payload + "}")
                note.sent_one()

    async def _send_private(self, prefix: str, payloads: PrivateStream) -> None:
        """Send every payload; a reader that doesn't take one in time loses the stream, but not its place in it."""
        taken, note = payloads.cursor, OperationNote.current()
        async for payload in payloads:
            try:
                async with asyncio.timeout(self._parts.settings.send_timeout_seconds):
                    await self._send_text(prefix + payload + "}")
            except TimeoutError:
                self._parts.metrics.slow_readers.inc()
                raise _errors_of(slow_reader(taken)) from None
            taken = payloads.cursor
            note.sent_one()

    async def _end_with(self, id: str, errors: RequestErrors) -> None:
        self._parts.metrics.refused.inc()
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self._send_errors(id, errors)
        except TimeoutError:
            await self.close(TRY_AGAIN_LATER, "Reader too slow")
        except Gone:
            pass

    async def _context(self) -> OperationContext:
        """Return a context for one operation; a token that is no longer good closes the connection."""
        context = await self._parts.contexts(self._credential, self._info)
        if self._credential is not None and context.credential_id is None:
            await self.close(FORBIDDEN, "Forbidden")
            raise Gone
        return context

    # ---- messages out

    async def _send_errors(self, id: str, errors: RequestErrors) -> None:
        await self._finish(id, {"id": id, "type": "error", "payload": public_errors(errors)})

    async def _finish(self, id: str, message: dict[str, object]) -> None:
        if self._operations.get(id) is asyncio.current_task():
            del self._operations[id]  # before the message, so that the client may use the id again at once
        await self._send_message(message)

    async def _send_message(self, message: dict[str, object]) -> None:
        await self._send_text(encode_json(message))

    async def _send_text(self, text: str) -> None:
        if self._closed:
            raise Gone
        try:
            await self._asgi_send({"type": "websocket.send", "text": text})
        except (OSError, RuntimeError):  # the server's words for a peer that has left
            self._closed = True
            raise Gone from None

    async def _ping(self) -> None:
        try:
            await self._send_message({"type": "ping"})
        except Gone:
            return
        self._chores.later("ping", self._parts.settings.ping_interval_seconds, self._ping)

    # ---- the end

    async def _end(self) -> None:
        self._closed = True
        self._parts.connections.remove(self)
        tasks = list(self._operations.values())
        for task in tasks:
            task.cancel()
        tasks += self._chores.end()
        if tasks:
            await asyncio.wait(tasks)


def _next_prefix(id: str) -> str:
    return f'{{"id":{encode_json(id)},"type":"next","payload":'


def _errors_of(fault: RequestFault) -> RequestErrors:
    return RequestErrors([GraphQLError(fault.message, original_error=fault)])
