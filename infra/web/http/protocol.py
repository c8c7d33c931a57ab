"""One HTTP connection: uvicorn's, with bounds to what a peer may send before it is understood, and to its time."""

import asyncio
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from infra.web.connection_limits import Rejection
from infra.web.write_watch import WatchedWriting, WriteWatch

if TYPE_CHECKING:
    from uvicorn._types import ASGI3Application

    from infra.web.server import ServerConfig

_PIECE_BYTES: Final = 16 * 1024
"""As much as the parser gets at once, so that a head that doesn't end is noticed that early."""

_MAX_LINE_BYTES: Final = 8 * 1024
"""A header's name and value; the URL of a handshake too, of which the WebSocket library takes no longer one."""

_MAX_OVERHEAD_BYTES: Final = 1024 * 1024
"""What a body may have beside its data: sizes and extensions of chunks, trailers."""

_MAX_PIPELINED_REQUESTS: Final = 16
"""Requests that may wait on one connection for the answers to those before them; clients hardly ever send two."""

_MAX_PIPELINED_BYTES: Final = 1024 * 1024
"""What the bodies of the requests that wait may have together."""

_LINGER_SECONDS: Final = 1.0
_MAX_LINGER_BYTES: Final = 1024 * 1024
_STILL_SENDING: Final = frozenset(
    {Rejection.URL_TOO_LONG, Rejection.HEAD_TOO_LARGE, Rejection.BODY_TOO_LARGE, Rejection.PIPELINE_TOO_LONG}
)

_STATUS = {
    Rejection.MALFORMED: (400, "This is no HTTP/1.1 request."),
    Rejection.URL_TOO_LONG: (414, "The URL is too long; send the request by POST."),
    Rejection.HEAD_TOO_LARGE: (431, "The header is too large."),
    Rejection.BODY_TOO_LARGE: (413, "The body is too large."),
    Rejection.TOO_SLOW: (408, "The request took too long to arrive."),
    Rejection.PIPELINE_TOO_LONG: (429, "Too many requests wait on this connection; read their answers first."),
    Rejection.TOO_MANY_CONNECTIONS: (503, "Too many connections are open; close some, or come back later."),
}


class _Part(Enum):
    """Which part of a request is awaited or being received."""

    NONE = "none"
    HEAD = "head"
    BODY = "body"


class BoundedHttpProtocol(WatchedWriting, HttpToolsProtocol):
    """Ends a connection that sends too much, or too slowly, with the status that says so."""

    config: "ServerConfig"

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401  # uvicorn's own
        super().__init__(*args, **kwargs)
        self._limits = self.config.limits
        self._settings = self._limits.settings
        self._part = _Part.NONE
        self._bytes = 0
        self._body_bytes = 0
        self._dropped_bytes = 0
        self._rejection: Rejection | None = None
        self._served: RequestResponseCycle | None = None
        self._admitted_as: str | None = None
        self._timed: _Part | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._writing: WriteWatch | None = None

    # ---- the connection

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        """Take up a connection, or end it where there are too many."""
        super().connection_made(transport)
        address = self.client[0] if self.client else ""
        if not self._limits.admit(address):
            self._answer(Rejection.TOO_MANY_CONNECTIONS)
            return
        self._admitted_as = address
        self._writing = WriteWatch(self.loop, transport, self._settings.write_timeout_seconds, self._on_unresponsive)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of the connection."""
        self._stop_watching()
        if self._admitted_as is not None:
            self._limits.leave(self._admitted_as)
        self._disconnect_served()
        super().connection_lost(exc)

    def handle_websocket_upgrade(self) -> None:
        """Hand the connection over to the WebSocket protocol, which lets go of it at the end."""
        if len(self.url) > _MAX_LINE_BYTES - len(b"GET  HTTP/1.1\r\n"):
            self._reject(Rejection.URL_TOO_LONG)
            return
        self._stop_watching()
        super().handle_websocket_upgrade()

    # ---- what comes in

    def data_received(self, data: bytes) -> None:
        """Parse what came, a piece at a time."""
        if self._rejection is not None:
            self._drop(len(data))
            return
        self._unset_keepalive_if_required()
        for begin in range(0, len(data), _PIECE_BYTES):
            if not self._feed(data[begin : begin + _PIECE_BYTES] if len(data) > _PIECE_BYTES else data):
                return
        self._watch()

    def _feed(self, piece: bytes) -> bool:
        """Parse one piece; False where the parser gets no more."""
        try:
            self.parser.feed_data(piece)
        except httptools.HttpParserUpgrade:
            if self._should_upgrade():
                self.handle_websocket_upgrade()
            else:
                self._reject(Rejection.MALFORMED)
            return False
        except httptools.HttpParserError:
            self._reject(self._rejection or Rejection.MALFORMED)
            return False
        self._bytes += len(piece)
        if self._part is _Part.HEAD and self._bytes > self._settings.max_head_bytes:
            self._reject(Rejection.HEAD_TOO_LARGE)
        elif self._part is _Part.BODY and (
            self._bytes > self._settings.max_raw_body_bytes or self._bytes - self._body_bytes > _MAX_OVERHEAD_BYTES
        ):
            self._reject(Rejection.BODY_TOO_LARGE)
        elif sum(len(cycle.body) for cycle, _app in self.pipeline) > _MAX_PIPELINED_BYTES:
            if self._part is _Part.BODY:
                self.pipeline.popleft()  # the newest: the rest of it is not read
            self._reject(Rejection.PIPELINE_TOO_LONG)
        return self._rejection is None

    # ---- what the parser calls

    def on_message_begin(self) -> None:
        """Begin a request."""
        self._part, self._bytes = _Part.HEAD, 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """Take a part of the URL."""
        if len(self.url) + len(url) > self._settings.max_url_bytes:
            self._stop_parsing(Rejection.URL_TOO_LONG)
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; what comes after the body (a trailer) is nothing that anybody asked for."""
        if self._part is not _Part.HEAD:
            return
        if len(self.headers) >= self._settings.max_header_lines or len(name) + len(value) > _MAX_LINE_BYTES - 4:
            self._stop_parsing(Rejection.HEAD_TOO_LARGE)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Begin to serve the request, or let it wait for those before it."""
        if len(self.pipeline) >= _MAX_PIPELINED_REQUESTS:
            self._stop_parsing(Rejection.PIPELINE_TOO_LONG)
        self._part, self._bytes, self._body_bytes = _Part.BODY, 0, 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a part of the body; once the request has been answered it is dropped."""
        self._body_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End the request."""
        self._part = _Part.NONE
        super().on_message_complete()

    def _stop_parsing(self, rejection: Rejection) -> None:
        self._rejection = rejection
        raise ValueError(rejection)  # the parser stops at it

    # ---- the requests, one after the other

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: "ASGI3Application") -> None:
        self._served = cycle
        super()._start_asgi_task(cycle, app)

    def on_response_complete(self) -> None:
        """Serve the next request that waits; after the last one, say why no more were taken."""
        super().on_response_complete()
        is_last = self._served is None or self._served.response_complete
        if self._rejection is Rejection.PIPELINE_TOO_LONG and is_last and not self.transport.is_closing():
            self._answer(self._rejection)

    def _disconnect_served(self) -> None:
        """Tell the request that is being served that its peer is gone; uvicorn tells the newest one alone."""
        if self._served is not None and not self._served.response_complete:
            self._served.disconnected = True
            self._served.message_event.set()

    # ---- time

    def _watch(self) -> None:
        """Time what is awaited: a request's head, or the rest of its body; nothing while it is being answered."""
        # uvicorn declares what is None before the first request to be there always
        is_answering = self.cycle is not None and not self.cycle.response_complete  # type: ignore[redundant-expr]
        awaited = self._part
        if awaited is not _Part.BODY:
            awaited = _Part.NONE if is_answering else _Part.HEAD
        if awaited is self._timed:
            return
        self._stop_timer()
        if awaited is not _Part.NONE:
            is_head = awaited is _Part.HEAD
            seconds = self._settings.head_timeout_seconds if is_head else self._settings.body_timeout_seconds
            self._timer = self.loop.call_later(seconds, self._on_late)
            self._timed = awaited

    def _on_late(self) -> None:
        if self.transport.is_closing():
            return
        if self._part is _Part.NONE:  # nothing was asked, so nothing is answered
            self._limits.reject(Rejection.TOO_SLOW)
            self.transport.close()
        else:
            self._reject(Rejection.TOO_SLOW)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._timed = None

    def _stop_watching(self) -> None:
        self._stop_timer()
        if self._writing is not None:
            self._writing.stop()

    def _on_unresponsive(self) -> None:
        self._limits.reject(Rejection.UNRESPONSIVE)

    # ---- the end

    def _reject(self, rejection: Rejection) -> None:
        self._rejection = rejection
        self._limits.reject(rejection)
        self._stop_timer()
        if rejection is Rejection.PIPELINE_TOO_LONG:  # those before it are answered first
            self.flow.resume_reading()
        else:
            self._answer(rejection)

    def _answer(self, rejection: Rejection) -> None:
        """Say why, unless an answer is under way, and close."""
        self._rejection = rejection
        served = self._served
        is_under_way = served is not None and served.response_started and not served.response_complete
        self._disconnect_served()
        if not is_under_way:
            status, message = _STATUS[rejection]
            self.transport.write(_plain_response(status, message))
            if rejection in _STILL_SENDING and self.transport.can_write_eof():
                # What is closed with bytes unread is reset, and the peer may never see why (nginx: lingering_close).
                self.transport.write_eof()
                self.loop.call_later(_LINGER_SECONDS, self.transport.close)
                return
        self.transport.close()

    def _drop(self, count: int) -> None:
        self._dropped_bytes += count
        if self._dropped_bytes > _MAX_LINGER_BYTES:
            self.transport.close()


def _plain_response(status: int, message: str) -> bytes:
    body = message.encode()
    headers = b"content-type: text/plain; charset=utf-8\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % len(body)
    return STATUS_LINE[status] + headers + body
