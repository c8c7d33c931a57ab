"""Request ids and the access log: what was asked and how it went, with nothing private."""

import re
import time
from uuid import uuid4

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from infra.logging import request_lines
from infra.web.metrics import WebMetrics
from infra.web.operation_note import OperationNote

log = structlog.stdlib.get_logger("r3edge.access")

REQUEST_ID_HEADER = "x-request-id"
_GIVEN_ID = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
_QUIET = frozenset({"/healthz", "/readyz", "/metrics"})
_ROUTES = _QUIET | {"/graphql", "/graphiql", "/"}


class AccessLog:
    """Gives every request an id, taken from the client where it sent a sane one, and logs its end.

    Neither the query string nor the address nor any header is logged: each may hold what is private.
    """

    def __init__(self, app: ASGIApp, metrics: WebMetrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or one socket."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        request_id = self._request_id(scope)
        scope.setdefault("state", {})["request_id"] = request_id
        outcome = _Outcome(send, request_id)
        started = time.monotonic()
        with request_lines(request_id), OperationNote.begun() as note:
            try:
                await self._app(scope, receive, outcome.send)
            finally:
                self._tell(scope, outcome.status, time.monotonic() - started, note)

    @staticmethod
    def _request_id(scope: Scope) -> str:
        given = Headers(scope=scope).get(REQUEST_ID_HEADER, "")
        return given if _GIVEN_ID.fullmatch(given) else uuid4().hex

    def _tell(self, scope: Scope, status: int, seconds: float, note: OperationNote) -> None:
        path = scope["path"]
        route = path if path in _ROUTES else "other"
        method = scope.get("method", "WEBSOCKET")
        if scope["type"] == "http":
            self._metrics.requests.labels(method if method in {"GET", "POST"} else "other", route, str(status)).inc()
        if path not in _QUIET:
            log.info(
                scope["type"],
                request_id=scope["state"]["request_id"],
                method=method,
                route=route,
                status=status,
                milliseconds=round(seconds * 1000, 2),
                **note.fields(),
            )


class _Outcome:
    """Passes messages on, adds the headers that every response has, and keeps its status (or a socket's close code)."""

    def __init__(self, send: Send, request_id: str) -> None:
        self._send = send
        self._request_id = request_id
        self.status = 0

    async def send(self, message: Message) -> None:
        """Pass a message on."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers[REQUEST_ID_HEADER] = self._request_id
            headers["x-content-type-options"] = "nosniff"
        elif message["type"] == "websocket.close":
            self.status = message.get("code", 1000)
        await self._send(message)
