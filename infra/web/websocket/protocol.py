"""One WebSocket connection: uvicorn's, with bounds to what a peer can make it hold."""

from asyncio.transports import BaseTransport
from typing import TYPE_CHECKING, Any, Final

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame

from infra.web.connection_limits import Rejection
from infra.web.write_watch import WatchedWriting, WriteWatch

if TYPE_CHECKING:
    from infra.web.server import ServerConfig

_MAX_FRAGMENTS: Final = 1_024
"""How many frames one message may come in; empty ones would add up to any number without growing it."""

_TOO_BIG: Final = 1009


class BoundedWebSocketProtocol(WatchedWriting, WebSocketsSansIOProtocol):
    """Takes nothing more from a peer that takes nothing, and drops one that goes on so."""

    config: "ServerConfig"

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401  # uvicorn's own
        super().__init__(*args, **kwargs)
        self._limits = self.config.limits
        self._writing: WriteWatch | None = None

    def connection_made(self, transport: BaseTransport) -> None:
        """Take over a connection that the HTTP protocol has admitted."""
        super().connection_made(transport)
        seconds = self._limits.settings.write_timeout_seconds
        self._writing = WriteWatch(
            self.loop, self.transport, seconds, lambda: self._limits.reject(Rejection.UNRESPONSIVE)
        )

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of the connection."""
        if self._writing is not None:
            self._writing.stop()
        self._limits.leave(self.client[0] if self.client else "")
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what came; a peer that pings and doesn't read the pongs is read no further."""
        super().data_received(data)
        if not self.writable.is_set() and not self.transport.is_closing():
            self.transport.pause_reading()

    def handle_cont(self, event: Frame) -> None:
        """Take a further frame of a message."""
        if self.close_sent:
            return
        if len(self.frames) >= _MAX_FRAGMENTS:
            self.conn.fail(_TOO_BIG, "Too many fragments")
            self.handle_parser_exception()
            return
        super().handle_cont(event)

    def resume_writing(self) -> None:
        """Send on, and read on."""
        super().resume_writing()
        if not self.read_paused and not self.transport.is_closing():
            self.transport.resume_reading()
