"""Uvicorn's WebSocket protocol with limits on what a peer can make it buffer, and a way to write frames at once."""

from asyncio.transports import BaseTransport
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Self, cast

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame
from websockets.http11 import Request
from websockets.protocol import State

from infra.web.connections.close_codes import CloseCode
from infra.web.connections.direct_writes import EXTENSION
from infra.web.connections.limits import LimitedConfig, Rejection
from infra.web.connections.message_rates import AddressRate
from infra.web.connections.write_timeout import WriteTimeout, WriteTimeoutMixin

_MAX_FRAGMENTS: Final = 1_024
"""How many frames one message may consist of; empty frames don't count towards its size."""

_PIECE_BYTES: Final = 512
"""How much the parser gets at once: a step of the event loop must not handle thousands of tiny frames."""

_FRAMES_A_STEP: Final = 16

_FINAL_TEXT: Final = 0x81
_MAX_SHORT_BYTES: Final = 125
_MAX_MIDDLE_BYTES: Final = 2**16 - 1

if TYPE_CHECKING:
    from uvicorn._types import ASGIReceiveEvent, ASGISendEvent


class BoundedWebSocketProtocol(WriteTimeoutMixin, WebSocketsSansIOProtocol):
    """Reads as quickly as an address may send, nothing while the peer doesn't read, and aborts one that never does."""

    config: LimitedConfig

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401  # uvicorn's own
        super().__init__(*args, **kwargs)
        self._limits = self.config.limits
        self._write_timeout: WriteTimeout | None = None
        self._rate: AddressRate | None = None
        self._unread = b""
        self._frames = 0
        self._is_waiting = False
        self._has_begun = False

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
        self._has_begun = True
        super().handle_connect(event)
        peer = self.client[0] if self.client else ""
        self._rate = self._limits.message_rate(peer, event.headers.get_all("x-forwarded-for"))
        if not self.close_sent:  # else the handshake was refused
            cast("dict[str, object]", self.scope["extensions"])[EXTENSION] = self

    def direct_writer(self) -> Self:
        """Return itself: a socket is the last that its connection serves."""
        return self

    def presence(self) -> Callable[[], bool]:
        """Return what says whether the peer has left."""
        return self.transport.is_closing

    def try_write(self, start: bytes, rest: bytes) -> bool:
        """Write a text frame, unless writing is paused, or the socket isn't or no longer open (RFC 6455, 5.2).

        The websockets library, which `send` goes through, would make the same bytes: it keeps no state of a message
        of one frame. Nothing is ever in between the two: `send` waits before it makes a frame, and then writes it.
        """
        if not self.writable.is_set() or self.conn.state is not State.OPEN or self.transport.is_closing():
            return False
        self.transport.write(b"".join((_text_head(len(start) + len(rest)), start, rest)))
        return True

    # ---- received data

    def data_received(self, data: bytes) -> None:
        """Hand on the data a piece at a time, as quickly as the client's address may send."""
        self._unread += data
        if not self._is_waiting:
            self._read_on()

    async def send(self, message: "ASGISendEvent") -> None:
        """Send, and read the frames that came before the handshake was answered."""
        is_answer = self.conn.state is State.CONNECTING
        await super().send(message)
        if is_answer and self.conn.state is not State.CONNECTING:
            self._read_later()

    async def receive(self) -> "ASGIReceiveEvent":
        """Return the next message; what was received already is read before anything else is."""
        message = await self.queue.get()
        if self.read_paused and self.queue.empty():
            self.read_paused = False
            self._read_later()
        return message

    def _read_on(self) -> None:
        """Read for one step; nothing is read from a peer that pings and doesn't read the pongs."""
        self._is_waiting = False
        self._frames = 0
        while self._unread and self._frames < _FRAMES_A_STEP and self._is_ready() and self._may_read():
            piece, self._unread = self._unread[:_PIECE_BYTES], self._unread[_PIECE_BYTES:]
            frames = self._frames
            super().data_received(piece)
            if not self._has_begun and self.conn.handshake_exc is not None:  # which uvicorn waits for ever after
                self._limits.count_rejection(Rejection.BAD_HANDSHAKE)
                self.transport.close()
            if self._rate is not None:
                self._rate.spend(self._frames - frames, len(piece))
        self._read_later()

    def handle_events(self) -> None:
        self._frames += len(self.conn.events)
        super().handle_events()

    def _is_ready(self) -> bool:
        """Return whether the application has taken the handshake and all messages, and the peer what it was sent."""
        is_answered = not self._has_begun or self.conn.state is not State.CONNECTING
        return is_answered and not self.read_paused and self.writable.is_set() and not self.transport.is_closing()

    def _may_read(self) -> bool:
        return self._rate is None or self._rate.may_read()

    def _read_later(self) -> None:
        """Go on with what was received, or let more be received, as soon as that may be."""
        if self.transport.is_closing():
            self._unread = b""
        elif not self._unread:
            if self._is_ready():
                self.transport.resume_reading()
            elif not self.writable.is_set():
                self.transport.pause_reading()
        else:
            self.transport.pause_reading()
            if self._rate is not None and self._is_ready() and not self._is_waiting:
                self._is_waiting = True
                self._rate.wait(self._read_on)

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
        self._read_later()


def _text_head(size: int) -> bytes:
    """Return the head of an unmasked text frame of so many bytes that is a whole message."""
    if size <= _MAX_SHORT_BYTES:
        return bytes((_FINAL_TEXT, size))
    if size <= _MAX_MIDDLE_BYTES:
        return bytes((_FINAL_TEXT, 126)) + size.to_bytes(2, "big")
    return bytes((_FINAL_TEXT, 127)) + size.to_bytes(8, "big")
