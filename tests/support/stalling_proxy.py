"""A TCP proxy that can stall: connections stay open, but nothing is forwarded any more."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress


class StallingProxy:
    """Forwards bytes between its port and another; `stall` silences all present connections."""

    def __init__(self, port: int) -> None:
        self.port = 0
        self._target = port
        self._pumps: set[asyncio.Task[None]] = set()
        self._writers: list[asyncio.StreamWriter] = []

    def stall(self) -> None:
        """Stop forwarding in both directions; later connections work."""
        for pump in self._pumps:
            pump.cancel()

    async def handle(self, near_reader: asyncio.StreamReader, near: asyncio.StreamWriter) -> None:
        """Forward a connection."""
        try:
            far_reader, far = await asyncio.open_connection("127.0.0.1", self._target)
        except ConnectionError:  # the server is gone, and its client asks again
            near.close()
            return
        self._writers += [near, far]
        for reader, writer in ((near_reader, far), (far_reader, near)):
            pump = asyncio.create_task(_pump(reader, writer))
            self._pumps.add(pump)
            pump.add_done_callback(self._pumps.discard)

    def close(self) -> None:
        """Cut all connections."""
        self.stall()
        for writer in self._writers:
            writer.transport.abort()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Forward one direction until either side ends it, however it does."""
    with suppress(ConnectionError):
        while data := await reader.read(65_536):
            writer.write(data)
    writer.close()


@asynccontextmanager
async def stalling_proxy(port: int) -> AsyncIterator[StallingProxy]:
    """Listen on a free port of loopback until the block ends."""
    proxy = StallingProxy(port)
    server = await asyncio.start_server(proxy.handle, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        proxy.close()
