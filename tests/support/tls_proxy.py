"""A proxy that ends TLS in front of a server on loopback, as stunnel or HAProxy does."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from tests.support.ports import free_port


class TlsProxy:
    """Listens on `port` and forwards to `target` what it has decrypted; without a context it is plain."""

    def __init__(self, target: int, tls: ssl.SSLContext | None = None) -> None:
        self.port = free_port()
        self.target = target
        self.tls = tls
        self.sent = bytearray()
        """What clients have sent to the server, in clear."""

        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: list[asyncio.StreamWriter] = []
        self._server: asyncio.Server | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Begin to listen."""
        self._server = await asyncio.start_server(self._handle, "127.0.0.1", self.port, ssl=self.tls)

    async def close(self) -> None:
        """Stop listening and abort all connections."""
        if self._server is not None:
            self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._server = None

    async def _handle(self, near_reader: asyncio.StreamReader, near: asyncio.StreamWriter) -> None:
        try:
            far_reader, far = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            near.transport.abort()
            return
        self._writers += [near, far]
        for reader, writer, record in ((near_reader, far, self.sent), (far_reader, near, None)):
            task = asyncio.create_task(_pump(reader, writer, record))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, record: bytearray | None) -> None:
    with suppress(OSError):
        while data := await reader.read(65_536):
            if record is not None:
                record += data
            writer.write(data)
    writer.close()


@asynccontextmanager
async def tls_proxy(target: int, tls: ssl.SSLContext | None = None) -> AsyncIterator[TlsProxy]:
    """Listen on a free port of loopback until the block ends."""
    proxy = TlsProxy(target, tls)
    await proxy.start()
    try:
        yield proxy
    finally:
        await proxy.close()
