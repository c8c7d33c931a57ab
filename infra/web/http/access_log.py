"""Request ids and the access log: what was requested and how it ended, without anything private."""

import re
import time
from contextlib import AbstractContextManager
from secrets import token_hex

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from domain.core.tracing import Attribute, Span, no_span, trace_id, within
from domain.core.tracing import span as new_span
from infra.log_lines import LineLog
from infra.logging import request_lines
from infra.web.access_summary import AccessSummary
from infra.web.connections.client_address import network_of
from infra.web.http.messages import header_values
from infra.web.metrics import WebMetrics
from infra.web.operation_log import OperationLogEntry
from resolvers.data_exports import EXPORT_PATH
from resolvers.oidc import SIGN_IN_PATH
from resolvers.reports import REPORT_PATH
from resolvers.taxes import TAX_PATH
from resolvers.trading import WEBHOOK_PATH

log = LineLog("r3edge.access")

REQUEST_ID_HEADER = "x-request-id"
_VALID_ID = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
SERVER_ERROR = 500
_NO_SNIFF = (b"x-content-type-options", b"nosniff")
_OUR_HEADERS = frozenset({REQUEST_ID_HEADER.encode(), _NO_SNIFF[0]})
_METHODS = frozenset({"GET", "POST"})
_QUIET = frozenset({"/healthz", "/readyz", "/metrics"})
_SECRET_ROUTES = (WEBHOOK_PATH, EXPORT_PATH, REPORT_PATH, TAX_PATH, SIGN_IN_PATH)
_ROUTES = _QUIET | {"/graphql", "/graphiql", "/"}


class AccessLogMiddleware:
    """Gives every request an id, the client's own if it sent a valid one, and logs its end.

    Neither the query string nor the address nor any header is logged: each may hold private data.
    """

    def __init__(self, app: ASGIApp, metrics: WebMetrics, summary: AccessSummary) -> None:
        self._app = app
        self._metrics = metrics
        self._summary = summary

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        headers = header_values(scope)
        request_id = _request_id(_text(headers.get(b"x-request-id")) or "")
        scope.setdefault("state", {})["request_id"] = request_id
        outcome = _Outcome(send, request_id)
        parent = within(_text(headers.get(b"traceparent")))
        del headers  # which a socket would keep for as long as it is open
        started = time.monotonic()
        with (
            parent,
            _span(scope) as span,
            request_lines(request_id),
            OperationLogEntry() as entry,
        ):
            try:
                await self._app(scope, receive, outcome.send)
            finally:
                fields = entry.fields()
                self._log(scope, outcome.status, time.monotonic() - started, fields)
                _describe(span, request_id, outcome.status, fields)

    def _log(self, scope: Scope, status: int, seconds: float, operation: dict[str, object]) -> None:
        path = scope["path"]
        route = scope["state"].get("route") or _route(path)
        method = scope.get("method", "WEBSOCKET")
        if scope["type"] == "http":
            self._metrics.requests_of(method if method in _METHODS else "other", route, str(status)).inc()
        client = scope.get("client")
        network = network_of(client[0]) if client else ""
        if path not in _QUIET and self._summary.has_line(network, status, operation):
            fields: dict[str, object] = {
                "request_id": scope["state"]["request_id"],
                "method": method,
                "route": route,
                "status": status,
                "milliseconds": round(seconds * 1000, 2),
                **operation,
            }
            if (trace := trace_id()) is not None:
                fields["trace_id"] = trace
            log.info(scope["type"], fields)


def _request_id(given: str) -> str:
    return given if _VALID_ID.fullmatch(given) else token_hex(16)


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("latin-1")


def _span(scope: Scope) -> AbstractContextManager[Span]:
    """Return the span of a request that a person or a program waits for; a socket's operations have their own."""
    if scope["type"] != "http" or scope["path"] in _QUIET:
        return no_span()
    method = scope["method"] if scope["method"] in _METHODS else "other"
    return new_span(f"{method} {_route(scope['path'])}")


def _describe(span: Span, request_id: str, status: int, operation: dict[str, object]) -> None:
    attributes: dict[str, Attribute] = {"r3edge.request_id": request_id, "http.response.status_code": status}
    if (codes := operation.get("errors")) is not None:
        attributes["r3edge.errors"] = str(codes)
    if status >= SERVER_ERROR:
        attributes["error"] = str(status)
    span.set(**attributes)


def _route(path: str) -> str:
    """Return what is logged of a path: nothing that comes after a route, since the rest of a hook's is a secret.

    What answers many paths, as the console's page does, names its route in the request's state.
    """
    if path in _ROUTES:
        return path
    return next((prefix for prefix in _SECRET_ROUTES if path.startswith(prefix)), "other")


class _Outcome:
    """Forwards messages, adds the headers of every response, and keeps its status (or a socket's close code)."""

    def __init__(self, send: Send, request_id: str) -> None:
        self._send = send
        self._request_id = request_id.encode()
        self.status = 0

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            others = [header for header in message.get("headers", ()) if header[0] not in _OUR_HEADERS]
            message["headers"] = [*others, (b"x-request-id", self._request_id), _NO_SNIFF]
        elif message["type"] == "websocket.close":
            self.status = message.get("code", 1000)
        await self._send(message)
