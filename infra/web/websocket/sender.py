"""The sending half of a WebSocket: messages, and the close."""

import asyncio
from collections.abc import Callable

from starlette.types import Send

from infra.web.connections.close_codes import CloseCode
from infra.web.connections.direct_writes import DirectWriter
from infra.web.encoding import encode_json

_MAX_REASON_CHARACTERS = 40  # 123 bytes at most, RFC 6455, 5.5


class ConnectionClosed(Exception):
    """The connection is closed; nothing more can be sent."""


class MessageSender:
    """Sends on one connection; `on_unresponsive` is called if the peer doesn't even take the close in time."""

    def __init__(
        self,
        send: Send,
        direct: DirectWriter | None,
        close_timeout_seconds: float,
        on_unresponsive: Callable[[], None],
    ) -> None:
        self._send = send
        self._direct = direct
        self._close_timeout_seconds = close_timeout_seconds
        self._on_unresponsive = on_unresponsive
        self.is_closed = False

    async def send_message(self, message: dict[str, object]) -> None:
        """Send a message as JSON; raise ConnectionClosed if the peer has left."""
        await self.send_text(encode_json(message))

    async def send_text(self, text: str) -> None:
        """Send a message that is JSON text already; raise ConnectionClosed if the peer has left."""
        if self.is_closed:
            raise ConnectionClosed
        try:
            await self._send({"type": "websocket.send", "text": text})
        except (OSError, RuntimeError):  # what uvicorn and Starlette raise if the peer has left
            self.is_closed = True
            raise ConnectionClosed from None

    def try_write(self, start: bytes, rest: bytes) -> bool:
        """Write a message that is JSON text already, in two parts, if that needs no waiting; return whether it did."""
        return self._direct is not None and not self.is_closed and self._direct.try_write(start, rest)

    async def close(self, code: CloseCode, reason: str) -> None:
        """Close the connection, unless it is closed already."""
        if self.is_closed:
            return
        self.is_closed = True
        message = {"type": "websocket.close", "code": int(code), "reason": reason[:_MAX_REASON_CHARACTERS]}
        try:
            async with asyncio.timeout(self._close_timeout_seconds):
                await self._send(message)
        except (OSError, RuntimeError):  # closed already, or (TimeoutError, an OSError) unresponsive
            self._on_unresponsive()
