"""Uvicorn's HTTP protocol with limits on the size of a request and on the time in which it has to arrive."""

import asyncio
from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, NoReturn, cast

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from infra.web.connections.direct_writes import EXTENSION
from infra.web.connections.limits import LimitedConfig, Rejection
from infra.web.connections.message_rates import BYTES_PER_UNIT, CONNECTION_UNITS, AddressRate
from infra.web.connections.write_timeout import WriteTimeout, WriteTimeoutMixin
from infra.web.http.chunks import ChunkWriter
from infra.web.http.head import find_fault, origin_form

if TYPE_CHECKING:
    from uvicorn._types import ASGI3Application

_PIECE_BYTES: Final = 16 * 1024
"""How much the parser gets at once, so that an endless head is noticed after so many bytes."""

_BYTES_FOR_ONE: Final = 4
"""So many bytes of a request count as one of a WebSocket's message: they take less time to read."""

_MAX_LINE_BYTES: Final = 8 * 1024
"""Of a header's name and value, and of a handshake's URL, which the websockets library limits to this."""

_MAX_OVERHEAD_BYTES: Final = 1024 * 1024
"""What a body may have besides its data: sizes and extensions of chunks, trailers."""

_MAX_PIPELINED_REQUESTS: Final = 16
"""How many requests may wait on one connection for the responses to earlier ones; clients rarely send two."""

_MAX_PIPELINED_BYTES: Final = 1024 * 1024
"""What the bodies of the waiting requests may have together."""

_MAX_LINGER_BYTES: Final = 1024 * 1024
_STILL_SENDING: Final = frozenset(
    {Rejection.URL_TOO_LONG, Rejection.HEAD_TOO_LARGE, Rejection.BODY_TOO_LARGE, Rejection.PIPELINE_TOO_LONG}
)

_OF_THE_OFFER: Final = frozenset({b"upgrade", b"connection", b"http2-settings"})

_STATUS = {
    Rejection.MALFORMED: (400, "This is no HTTP/1.1 request."),
    Rejection.BAD_TARGET: (
        400,
        "The target of a request is a path, or a URL of this engine, without control characters.",
    ),
    Rejection.HEADER_TWICE: (400, "A header that has one value, such as Host or Authorization, was sent twice."),
    Rejection.UNKNOWN_CODING: (501, "The only transfer coding that is read is chunked."),
    Rejection.UNKNOWN_VERSION: (505, "Only HTTP/1.1 and HTTP/1.0 are spoken here."),
    Rejection.BAD_HANDSHAKE: (400, "A WebSocket handshake is a GET request of HTTP/1.1 without a body."),
    Rejection.URL_TOO_LONG: (414, "The URL is too long; send the request by POST."),
    Rejection.HEAD_TOO_LARGE: (431, "The header is too large."),
    Rejection.BODY_TOO_LARGE: (413, "The body is too large."),
    Rejection.TOO_SLOW: (408, "The request took too long to arrive."),
    Rejection.PIPELINE_TOO_LONG: (429, "Too many requests wait on this connection; read their answers first."),
    Rejection.TOO_MANY_CONNECTIONS: (503, "Too many connections are open; close some, or come back later."),
}


class _Part(Enum):
    """The part of a request that is expected or being received."""

    NONE = "none"
    HEAD = "head"
    BODY = "body"


class BoundedHttpProtocol(WriteTimeoutMixin, HttpToolsProtocol):
    """Rejects requests that are too large or too slow, with the status for it."""

    config: LimitedConfig

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401  # uvicorn's own
        super().__init__(*args, **kwargs)
        self._limits = self.config.limits
        self._settings = self._limits.settings
        self._part = _Part.NONE
        self._bytes = 0
        self._body_bytes = 0
        self._discarded_bytes = 0
        self._rejection: Rejection | None = None
        self._served: RequestResponseCycle | None = None
        self._admitted_as: str | None = None
        self._timed_part: _Part | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._write_timeout: WriteTimeout | None = None
        self._waiting: bytes | None = None
        self._rate: AddressRate | None = None

    # ---- the connection

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        super().connection_made(transport)
        address = self.client[0] if self.client else ""
        if not self._limits.admit(address):
            self._send_rejection(Rejection.TOO_MANY_CONNECTIONS)
            return
        self._admitted_as = address
        self._rate = self._limits.connection_rate(address)
        if self._rate is not None:
            self._rate.spend(CONNECTION_UNITS, 0)
            self._wait_for_turn()  # many come at once: the first data of each would be read in one step of the loop
        seconds = self._settings.write_timeout_seconds
        self._write_timeout = WriteTimeout(self.loop, transport, seconds, self._on_unresponsive)
        self._restart_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timers()
        if self._admitted_as is not None:
            self._limits.release(self._admitted_as)
        self._disconnect_served()
        super().connection_lost(exc)

    def handle_websocket_upgrade(self) -> None:
        """Hand the connection over to the WebSocket protocol, which releases it at the end."""
        if len(self.url) > _MAX_LINE_BYTES - len(b"GET  HTTP/1.1\r\n"):
            self._reject(Rejection.URL_TOO_LONG)
            return
        self._stop_timers()
        super().handle_websocket_upgrade()

    # ---- received data

    def data_received(self, data: bytes) -> None:
        """Parse the data, a piece at a time."""
        if self._waiting is not None:
            self._waiting += data
            self.transport.pause_reading()
            return
        if self._rejection is not None:
            self._discard(len(data))
            return
        self._unset_keepalive_if_required()
        for start in range(0, len(data), _PIECE_BYTES):
            if not self._feed(data[start : start + _PIECE_BYTES] if len(data) > _PIECE_BYTES else data):
                return
        self._restart_timer()
        if self._rate is not None:
            self._rate.spend(0, max(len(data), BYTES_PER_UNIT) // _BYTES_FOR_ONE)
            self._wait_for_turn()

    def _wait_for_turn(self) -> None:
        """Read on when the address has sent no more than it may: nothing, until then, but what is on its way."""
        if self._rate is not None and not self._rate.may_read():
            self._waiting = b""
            self.transport.pause_reading()
            self._rate.wait(self._stop_waiting)

    def _stop_waiting(self) -> None:
        data, self._waiting = self._waiting, None
        if not self.transport.is_closing():
            if not self.flow.read_paused:
                self.transport.resume_reading()
            if data:
                self.data_received(data)

    def _feed(self, piece: bytes) -> bool:
        """Parse one piece; return False if the parser gets no more."""
        try:
            self.parser.feed_data(piece)
        except httptools.HttpParserUpgrade as upgrade:
            return self._feed_after_upgrade(piece[upgrade.args[0] :])
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
            self._reject(Rejection.PIPELINE_TOO_LONG)
        return self._rejection is None

    def _feed_after_upgrade(self, rest: bytes) -> bool:
        """Upgrade to a WebSocket, or go on in HTTP/1.1 where the client offered another protocol (RFC 9110, 7.8)."""
        if self._should_upgrade():
            self.handle_websocket_upgrade()
            successor = self.transport.get_protocol()
            if rest and successor is not self and not self.transport.is_closing():  # frames came with the handshake
                cast("asyncio.Protocol", successor).data_received(rest)
            return False
        if self.parser.get_method() == b"CONNECT":
            self._reject(Rejection.MALFORMED)
            return False
        # This parser ended at the head, and took no body: another one gets the same request without the offer.
        kept = [b"%s: %s\r\n" % header for header in self.headers if header[0] not in _OF_THE_OFFER]
        version = self.parser.get_http_version().encode()
        head = b"%s %s HTTP/%s\r\n%s\r\n" % (self.parser.get_method(), self.url, version, b"".join(kept))
        self.parser = httptools.HttpRequestParser(self)
        return self._feed(head + rest)

    def _is_offer(self) -> bool:
        """Return whether the head offers a protocol that isn't spoken here."""
        return self.parser.should_upgrade() and not self._should_upgrade() and self.parser.get_method() != b"CONNECT"

    # ---- callbacks of the parser

    def on_message_begin(self) -> None:
        self._part, self._bytes = _Part.HEAD, 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        if len(self.url) + len(url) > self._settings.max_url_bytes:
            self._stop_parsing(Rejection.URL_TOO_LONG)
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Add a header; trailers, which come after the body, are ignored."""
        if self._part is not _Part.HEAD:
            return
        if len(self.headers) >= self._settings.max_header_lines or len(name) + len(value) > _MAX_LINE_BYTES - 4:
            self._stop_parsing(Rejection.HEAD_TOO_LARGE)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        if len(self.pipeline) >= _MAX_PIPELINED_REQUESTS:
            self._stop_parsing(Rejection.PIPELINE_TOO_LONG)
        if (fault := find_fault(self.parser.get_http_version(), self.headers)) is not None:
            self._stop_parsing(fault)
        if (target := origin_form(self.url, self.headers)) is None:
            self._stop_parsing(Rejection.BAD_TARGET)
        self.url = target
        if self.parser.should_upgrade() and self._should_upgrade() and not self._is_handshake():
            self._stop_parsing(Rejection.BAD_HANDSHAKE)
        if self._is_offer():
            return
        self._part, self._bytes, self._body_bytes = _Part.BODY, 0, 0
        super().on_headers_complete()

    def _is_handshake(self) -> bool:
        """Return whether the head is one that the websockets library reads; it never answers one with a body."""
        has_body = any(
            name == b"transfer-encoding" or (name == b"content-length" and value.strip(b"0 \t"))
            for name, value in self.headers
        )
        return self.parser.get_method() == b"GET" and self.parser.get_http_version() == "1.1" and not has_body

    def on_body(self, body: bytes) -> None:
        self._body_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._part = _Part.NONE
        if self._is_offer():
            return
        super().on_message_complete()

    def _stop_parsing(self, rejection: Rejection) -> NoReturn:
        self._rejection = rejection
        raise ValueError(rejection)  # the parser stops at it

    # ---- pipelined requests

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: "ASGI3Application") -> None:
        self._served = cycle
        cast("dict[str, object]", cycle.scope)["extensions"] = {EXTENSION: self}
        super()._start_asgi_task(cycle, app)

    def direct_writer(self) -> ChunkWriter:
        """Return what writes to the response to the request that is being served."""
        assert self._served is not None
        return ChunkWriter(self._served)

    def presence(self) -> Callable[[], bool]:
        """Return what says whether the client of the request that is being served has left."""
        served = self._served
        assert served is not None
        return lambda: served.disconnected

    def on_response_complete(self) -> None:
        """Serve the next waiting request; after the last one, answer the rejection of the one behind it."""
        super().on_response_complete()
        is_last = self._served is None or self._served.response_complete
        if self._rejection is not None and is_last and not self.transport.is_closing():
            self._send_rejection(self._rejection)

    def _disconnect_served(self) -> None:
        """Notify the request that is being served that its peer has left; uvicorn notifies the newest one only."""
        if self._served is not None and not self._served.response_complete:
            self._served.disconnected = True
            self._served.message_event.set()

    # ---- time-outs

    def _restart_timer(self) -> None:
        """Limit the time for a request's head, or the rest of its body; no limit runs while it is being answered."""
        # uvicorn annotates `cycle` as never None, which it is before the first request
        is_answering = self.cycle is not None and not self.cycle.response_complete  # type: ignore[redundant-expr]
        expected = self._part
        if expected is not _Part.BODY:
            expected = _Part.NONE if is_answering else _Part.HEAD
        if expected is self._timed_part:
            return
        self._stop_timer()
        if expected is not _Part.NONE:
            is_head = expected is _Part.HEAD
            seconds = self._settings.head_timeout_seconds if is_head else self._settings.body_timeout_seconds
            self._timer = self.loop.call_later(seconds, self._on_timeout)
            self._timed_part = expected

    def _on_timeout(self) -> None:
        if self.transport.is_closing():
            return
        if self._part is _Part.NONE:  # there is no request to answer
            self._limits.count_rejection(Rejection.TOO_SLOW)
            self.transport.close()
        else:
            self._reject(Rejection.TOO_SLOW)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._timed_part = None

    def _stop_timers(self) -> None:
        self._stop_timer()
        if self._write_timeout is not None:
            self._write_timeout.stop()

    def _on_unresponsive(self) -> None:
        self._limits.count_rejection(Rejection.UNRESPONSIVE)

    # ---- the end

    def _reject(self, rejection: Rejection) -> None:
        self._rejection = rejection
        self._limits.count_rejection(rejection)
        self._stop_timer()
        is_begun = self._part is _Part.BODY
        if is_begun and self.pipeline:
            self.pipeline.popleft()  # the newest, which is the rejected one: the rest of it is not read
        served = self._served
        if served is None or served.response_complete or (is_begun and self.cycle is served):
            self._send_rejection(rejection)
        else:  # those before it are answered first: this status is none of theirs
            self.flow.resume_reading()

    def _send_rejection(self, rejection: Rejection) -> None:
        """Send the status of the rejection, unless its request or another one has a response already, and close."""
        self._rejection = rejection
        served = self._served
        is_under_way = served is not None and served.response_started and not served.response_complete
        # A body may go on after the answer to it, which is the only one that its request gets.
        is_answered = served is not None and served.response_complete and self._part is _Part.BODY
        self._disconnect_served()
        if not is_under_way:
            if not is_answered or served is not self.cycle:
                self.transport.write(_plain_response(*_STATUS[rejection]))
            if rejection in _STILL_SENDING and self.transport.can_write_eof():
                # Closing with unread bytes resets the connection, and the peer may never see the status
                # (nginx: lingering_close).
                self.transport.write_eof()
                self.loop.call_later(self._settings.linger_seconds, self.transport.close)
                return
        self.transport.close()

    def _discard(self, count: int) -> None:
        self._discarded_bytes += count
        if self._discarded_bytes > _MAX_LINGER_BYTES:
            self.transport.close()


def _plain_response(status: int, message: str) -> bytes:
    body = message.encode()
    headers = b"content-type: text/plain; charset=utf-8\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % len(body)
    return STATUS_LINE[status] + headers + body
