"""A client that costs little: the same bytes again and again over kept connections, each as soon as it was answered."""

import asyncio
import re
import time
from urllib.parse import urlsplit

CONNECTIONS = 16
_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)
_OK = b"HTTP/1.1 200"


async def ask_for(url: str, request: bytes, seconds: float) -> int:
    """Send a request over some connections for some seconds; return how many were answered, all of them by 200."""
    clients = [await _connect(url, request, time.monotonic() + seconds) for _ in range(CONNECTIONS)]
    await asyncio.gather(*(one.done for one in clients))
    return sum(one.answered for one in clients)


async def ask_once(url: str, request: bytes) -> bytes:
    """Return the body of one answer, which has status 200."""
    one = await _connect(url, request, 0)
    await one.done
    return one.body


async def _connect(url: str, request: bytes, until: float) -> "_Connection":
    address = urlsplit(url)
    assert address.hostname is not None
    assert address.port is not None
    _, one = await asyncio.get_running_loop().create_connection(
        lambda: _Connection(request, until), address.hostname, address.port
    )
    return one


class _Connection(asyncio.Protocol):
    def __init__(self, request: bytes, until: float) -> None:
        self._request = request
        self._until = until
        self._received = bytearray()
        self._end = 0
        self.answered = 0
        self.body = b""
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # of TCP
        self._transport = transport
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._received += data
        if not self._end and (head := self._received.find(b"\r\n\r\n")) >= 0:
            length = _LENGTH.search(self._received, 0, head)
            if length is None or not self._received.startswith(_OK):
                self._fail(RuntimeError(bytes(self._received[:500]).decode(errors="replace")))
                return
            self._body_at = head + 4
            self._end = self._body_at + int(length[1])
        if self._end and len(self._received) >= self._end:
            self._answered()

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(exc or ConnectionError("the server closed the connection"))

    def _answered(self) -> None:
        self.answered += 1
        self.body = bytes(self._received[self._body_at :])
        self._received.clear()
        self._end = 0
        if time.monotonic() < self._until:
            self._transport.write(self._request)
        else:
            if not self.done.done():
                self.done.set_result(None)
            self._transport.close()

    def _fail(self, error: Exception) -> None:
        if not self.done.done():
            self.done.set_exception(error)
        self._transport.close()
