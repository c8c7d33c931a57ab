"""The graphql-transport-ws protocol: one connection, any number of operations, each in a task of its own.

https://github.com/graphql/graphql-over-http/blob/main/rfcs/GraphQLOverWebSocket.md
"""

import asyncio
from typing import Any, Final

import structlog
from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send
from strawberry.http.websocket_origin import is_same_origin, normalize_origin

from domain.core.errors import FaultCode, RequestFault
from domain.core.presence import set_client
from infra.web.connections.close_codes import CloseCode
from infra.web.connections.direct_writes import find_direct_writer, find_presence
from infra.web.connections.registry import CLOSING_REASON
from infra.web.context import ConnectionInfo, OperationContext, bearer_token
from infra.web.dependencies import TransportDependencies
from infra.web.encoding import InvalidJson, decode_json
from infra.web.errors import RequestErrors, public_errors, reason_of, to_request_errors
from infra.web.requests import GraphQLRequest, parse_parameters
from infra.web.websocket.connection_tasks import ConnectionTasks
from infra.web.websocket.operation import WebSocketOperation, error_message
from infra.web.websocket.sender import ConnectionClosed, MessageSender

log = structlog.stdlib.get_logger("r3edge.web")

SUBPROTOCOL: Final = "graphql-transport-ws"


class WebSocketConnection:
    """One connection, from the handshake to the end of its last operation."""

    def __init__(self, dependencies: TransportDependencies, scope: Scope, receive: Receive, send: Send) -> None:
        self._dependencies = dependencies
        self._settings = dependencies.settings
        self._scope = scope
        self._receive = receive
        self._asgi_send = send
        self._sender = MessageSender(
            send, find_direct_writer(scope), self._settings.close_timeout_seconds, self._on_unresponsive
        )
        self._info = ConnectionInfo.from_scope(scope)
        self._credential: str | None = None
        self._initialised = False
        self._acknowledged = False
        self._unresponsive = False
        self._operations: dict[str, asyncio.Task[None]] = {}
        self._tasks = ConnectionTasks()
        self._task: asyncio.Task[Any] | None = None

    async def serve(self) -> None:
        """Speak the protocol until the connection is closed, then end all of its operations."""
        self._task = asyncio.current_task()
        set_client(find_presence(self._scope))
        if not self._is_origin_allowed():
            reason = {"code": int(CloseCode.POLICY_VIOLATION), "reason": "Origin not allowed"}
            await self._asgi_send({"type": "websocket.close", **reason})
            return
        if not await self._accept():
            return
        self._dependencies.connections.add(self)
        if self._dependencies.connections.is_closing:
            await self.close(CloseCode.SERVICE_RESTART, CLOSING_REASON)
        timeout = (CloseCode.INIT_TIMEOUT, "Initialisation timeout")
        self._tasks.schedule("init", self._settings.init_timeout_seconds, self.close, *timeout)
        try:
            await self._listen()
        except ConnectionClosed:
            pass
        except asyncio.CancelledError:
            if not self._unresponsive:  # else it was cancelled by `_on_unresponsive`
                raise
        finally:
            await self._end()

    async def close(self, code: CloseCode, reason: str) -> None:
        """Close the connection; one whose peer doesn't take the close in time is dropped."""
        await self._sender.close(code, reason)

    def _on_unresponsive(self) -> None:
        if self._task is not None and self._task is not asyncio.current_task():
            self._unresponsive = True
            self._task.cancel()

    # ---- the handshake

    def _is_origin_allowed(self) -> bool:
        """Return whether the page may connect; programs send no origin, and have no cookies to be misused."""
        headers = Headers(scope=self._scope)
        origin, allowed = headers.get("origin"), self._settings.allowed_origins
        if origin is None or "*" in allowed or is_same_origin(origin, headers.get("host")):
            return True
        return normalize_origin(origin) in {normalize_origin(allowed_origin) for allowed_origin in allowed}

    async def _accept(self) -> bool:
        await self._receive()
        if SUBPROTOCOL in self._scope.get("subprotocols", ()):
            await self._asgi_send({"type": "websocket.accept", "subprotocol": SUBPROTOCOL})
            return True
        await self._asgi_send({"type": "websocket.accept"})
        await self.close(CloseCode.SUBPROTOCOL_NOT_ACCEPTABLE, "Subprotocol not acceptable")
        return False

    # ---- messages in

    async def _listen(self) -> None:
        while not self._sender.is_closed:
            event = await self._receive()
            if event["type"] == "websocket.disconnect":
                self._sender.is_closed = True
                return
            text = event.get("text")
            if text is None:
                await self.close(CloseCode.BAD_MESSAGE, "Messages must be text")
            elif len(text) > self._settings.max_message_bytes:
                await self.close(CloseCode.MESSAGE_TOO_BIG, "Message too big")
            else:
                await self._on_text(text)

    async def _on_text(self, text: str) -> None:
        try:
            message = decode_json(text)
        except InvalidJson:
            await self.close(CloseCode.BAD_MESSAGE, "Messages must be JSON")
            return
        if not isinstance(message, dict):
            await self.close(CloseCode.BAD_MESSAGE, "Messages must be objects")
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
                await self.close(CloseCode.BAD_MESSAGE, "Unknown message type")

    async def _on_init(self, payload: object) -> None:
        if self._initialised:
            await self.close(CloseCode.TOO_MANY_INITS, "Too many initialisation requests")
            return
        if not isinstance(payload, dict | None):
            await self.close(CloseCode.BAD_MESSAGE, "Invalid connection_init payload")
            return
        self._initialised = True
        self._tasks.cancel("init")
        self._credential = self._find_credential(payload or {})
        if await self._authenticate():
            self._acknowledged = True
            await self._sender.send_message({"type": "connection_ack"})
            self._schedule_ping()

    async def _on_ping(self, message: dict[str, object]) -> None:
        """Answer a ping with its payload, if it has one; the protocol defines no other members."""
        payload = message.get("payload")
        if not isinstance(payload, dict | None):
            await self.close(CloseCode.BAD_MESSAGE, f"Invalid {message['type']} payload")
        elif message["type"] == "ping":
            pong: dict[str, object] = {"type": "pong", "payload": payload} if "payload" in message else {"type": "pong"}
            await self._sender.send_message(pong)

    async def _on_subscribe(self, id: object, payload: object) -> None:
        if not self._acknowledged:
            await self.close(CloseCode.UNAUTHORIZED, "Unauthorized")
            return
        if not isinstance(id, str) or not id or not isinstance(payload, dict):
            await self.close(CloseCode.BAD_MESSAGE, "Invalid subscribe message")
            return
        if id in self._operations:
            await self.close(CloseCode.DUPLICATE_OPERATION, "Subscriber already exists")
            return
        try:
            request = await self._read_request(payload)
        except (RequestFault, RequestErrors) as error:
            errors = public_errors(to_request_errors(error))
            self._dependencies.metrics.refused.labels(reason_of(errors)).inc()
            await self._sender.send_message(error_message(id, errors))
            return
        self._operations[id] = asyncio.create_task(self._run_operation(id, request), name="operation")

    async def _read_request(self, payload: dict[str, object]) -> GraphQLRequest:
        """Return the request; one that can't be read, or is one too many, counts for the address."""
        try:
            self._check_operation_count()
            return parse_parameters(payload)
        except (RequestFault, RequestErrors):
            await self._dependencies.operations.count_unreadable(self._info.network)
            raise

    def _check_operation_count(self) -> None:
        limit = self._settings.max_operations_per_connection
        if len(self._operations) >= limit:
            raise RequestFault(FaultCode.RATE_LIMITED, f"A connection may run at most {limit} operations at once.")

    async def _on_complete(self, id: object) -> None:
        if not isinstance(id, str) or not id:
            await self.close(CloseCode.BAD_MESSAGE, "Invalid complete message")
            return
        task = self._operations.pop(id, None)  # None if it has ended meanwhile
        if task is not None:
            self._tasks.track(task)  # until its clean-up is done
            task.cancel()

    # ---- credentials

    def _find_credential(self, payload: dict[str, object]) -> str | None:
        """Return the bearer token of the init payload, or else of the handshake's header."""
        given = next((value for name, value in payload.items() if name.lower() == "authorization"), None)
        if given is not None and not isinstance(given, str):
            return ""  # a token that nobody has
        return bearer_token(given or Headers(scope=self._scope).get("authorization"))

    async def _authenticate(self) -> bool:
        try:
            context = await self._make_context()
        except RequestFault as fault:
            await self.close(CloseCode.FORBIDDEN, fault.message)
            return False
        except ConnectionClosed:
            return False
        except Exception:
            log.exception("websocket_authentication_failed", request_id=self._info.request_id)
            await self.close(CloseCode.INTERNAL_ERROR, "Internal error")
            return False
        self._dependencies.connections.set_credential(self, context.credential_id)
        seconds_left = context.credential_seconds_left
        if seconds_left is not None:
            self._tasks.schedule("expiry", max(seconds_left, 0.0), self.close, CloseCode.FORBIDDEN, "Forbidden")
        return True

    async def _make_context(self) -> OperationContext:
        """Return a context for one operation; a token that is no longer valid closes the connection."""
        context = await self._dependencies.contexts(self._credential, self._info)
        if self._credential is not None and context.credential_id is None:
            await self.close(CloseCode.FORBIDDEN, "Forbidden")
            raise ConnectionClosed
        return context

    # ---- operations and pings

    async def _run_operation(self, id: str, request: GraphQLRequest) -> None:
        def deregister() -> None:
            if self._operations.get(id) is asyncio.current_task():
                del self._operations[id]

        operation = WebSocketOperation(id, request, self._dependencies, self._sender, deregister)
        await operation.run(self._info, self._make_context)

    def _schedule_ping(self) -> None:
        self._tasks.schedule("ping", self._settings.ping_interval_seconds, self._ping)

    async def _ping(self) -> None:
        try:
            await self._sender.send_message({"type": "ping"})
        except ConnectionClosed:
            return
        self._schedule_ping()

    # ---- the end

    async def _end(self) -> None:
        self._sender.is_closed = True
        self._dependencies.connections.remove(self)
        tasks = list(self._operations.values())
        for task in tasks:
            task.cancel()
        tasks += self._tasks.cancel_all()
        if tasks:
            await asyncio.wait(tasks)
