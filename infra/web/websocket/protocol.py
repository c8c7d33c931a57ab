"""Uvicorn's WebSocket protocol with limits on what a peer can make it buffer, and a way to write frames at once."""

from asyncio.transports import BaseTransport
from typing import Any, Final, Self, cast

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame
from websockets.http11 import Request
from websockets.protocol import State

from infra.web.connections.close_codes import CloseCode
from infra.web.connections.direct_writes import EXTENSION
from infra.web.connections.limits import LimitedConfig, Rejection
from infra.web.connections.write_timeout import WriteTimeout, WriteTimeoutMixin

_MAX_FRAGMENTS: Final = 1_024
"""How many frames one message may consist of; empty frames don't count towards its size."""

_FINAL_TEXT: Final = 0x81
_MAX_SHORT_BYTES: Final = 125
_MAX_MIDDLE_BYTES: Final = 2**16 - 1


class BoundedWebSocketProtocol(WriteTimeoutMixin, WebSocketsSansIOProtocol):
    """Reads nothing from a peer while its write buffer is full, and aborts one that stays so."""

    config: LimitedConfig

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401  # uvicorn's own
        super().__init__(*args, **kwargs)
        self._limits = self.config.limits
        self._write_timeout: WriteTimeout | None = None

    def connection_made(self, transport: BaseTransport) -> None:
        """Take over a connection that was admitted by the HTTP protocol."""
        super().connection_made(transport)
        seconds = self._limits.settings.write_timeout_seconds
        self._write_timeout = WriteTimeout(
            self.loop, self.transport, seconds, lambda: self._limits.count_rejection(Rejection.UNRESPONSIVE)
        )

    def connection_lost(self, exc: Exception | None) -> None:
        if self._write_timeout is not None:
            self._write_timeout.stop()
        self._limits.release(self.client[0] if self.client else "")
        super().connection_lost(exc)

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        if not self.close_sent:  # else the handshake was refused
            cast("dict[str, object]", self.scope["extensions"])[EXTENSION] = self

    def direct_writer(self) -> Self:
        """Return itself: a socket is the last that its connection serves."""
        return self

    def try_write(self, start: bytes, rest: bytes) -> bool:
        """Write a text frame, unless writing is paused, or the socket isn't or no longer open (RFC 6455, 5.2).

        The websockets library, which `send` goes through, would make the same bytes: it keeps no state of a message
        of one frame. Nothing is ever in between the two: `send` waits before it makes a frame, and then writes it.
        """
        if not self.writable.is_set() or self.conn.state is not State.OPEN or self.transport.is_closing():
            return False
        self.transport.write(b"".join((_text_head(len(start) + len(rest)), start, rest)))
        return True

    def data_received(self, data: bytes) -> None:
        """Handle the data; nothing more is read from a peer that pings and doesn't read the pongs."""
        super().data_received(data)
        if not self.writable.is_set() and not self.transport.is_closing():
            self.transport.pause_reading()

    def handle_cont(self, event: Frame) -> None:
        if self.close_sent:
            return
        if len(self.frames) >= _MAX_FRAGMENTS:
            self.conn.fail(CloseCode.MESSAGE_TOO_BIG, "Too many fragments")
            self.handle_parser_exception()
            return
        super().handle_cont(event)

    def resume_writing(self) -> None:
        super().resume_writing()
        if not self.read_paused and not self.transport.is_closing():
            self.transport.resume_reading()


def _text_head(size: int) -> bytes:
    """Return the head of an unmasked text frame of so many bytes that is a whole message."""
    if size <= _MAX_SHORT_BYTES:
        return bytes((_FINAL_TEXT, size))
    if size <= _MAX_MIDDLE_BYTES:
        return bytes((_FINAL_TEXT, 126)) + size.to_bytes(2, "big")
    return bytes((_FINAL_TEXT, 127)) + size.to_bytes(8, "big")
