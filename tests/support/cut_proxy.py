"""A TCP proxy that may end TLS, and that holds bytes back in one direction as a broken network does."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from enum import StrEnum

from tests.support.ports import free_port


class Direction(StrEnum):
    """Which way bytes go, seen from who has connected."""

    OUT = "to the server"
    BACK = "from the server"


class CutProxy:
    """Listens on `port` and forwards to `target` on loopback.

    What is held back while a direction is cut is forwarded once it is `healed`, as TCP does after an outage.
    """

    def __init__(self, target: int = 0, tls: ssl.SSLContext | None = None, port: int | None = None) -> None:
        self.port = free_port() if port is None else port
        self.target = target
        self.tls = tls
        self.sent = bytearray()
        """What clients have sent to the server, in clear."""

        self._open = {direction: asyncio.Event() for direction in Direction}
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: list[asyncio.StreamWriter] = []
        self._server: asyncio.Server | None = None
        self.heal()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def cut(self, *directions: Direction) -> None:
        """Hold back what goes in these directions, of present and of later connections."""
        for direction in directions:
            self._open[direction].clear()

    def heal(self) -> None:
        """Forward in both directions again."""
        for event in self._open.values():
            event.set()

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
        for direction, reader, writer in ((Direction.OUT, near_reader, far), (Direction.BACK, far_reader, near)):
            task = asyncio.create_task(self._pump(direction, reader, writer))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pump(self, direction: Direction, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65_536):
                await self._open[direction].wait()
                if direction is Direction.OUT:
                    self.sent += data
                writer.write(data)
        writer.close()


@asynccontextmanager
async def cut_proxy(target: int, tls: ssl.SSLContext | None = None) -> AsyncIterator[CutProxy]:
    """Listen on a free port of loopback until the block ends."""
    proxy = CutProxy(target, tls)
    await proxy.start()
    try:
        yield proxy
    finally:
        await proxy.close()
