"""A line of the network between two programs on loopback that can be cut in one or both directions, or made slow.

A cut holds bytes back instead of dropping them: TCP sends again what the network has lost, so all of it arrives, late,
once the line is whole. What connects meanwhile waits like everything else.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Target = Path | int
"""A Unix socket, or a port of loopback."""

_CHUNK_BYTES = 65_536


class Link:
    """Listens on a port of loopback, and forwards to `target` what the line lets through."""

    def __init__(self, target: Target, port: int = 0) -> None:
        self.target = target
        self.port = port
        self._delay_seconds = 0.0
        self._there, self._back = asyncio.Event(), asyncio.Event()
        self._server: asyncio.Server | None = None
        self._connections: dict[asyncio.Task[None], tuple[asyncio.StreamWriter, ...]] = {}
        self.heal()

    # ---- what is done to it

    def cut(self) -> None:
        """Let nothing through, in either direction."""
        self._there.clear()
        self._back.clear()

    def cut_answers(self) -> None:
        """Let through what goes to the target, and nothing that comes back."""
        self._there.set()
        self._back.clear()

    def slow(self, delay_seconds: float) -> None:
        """Hold everything back for so long, in each direction."""
        self._delay_seconds = delay_seconds

    def heal(self) -> None:
        """Let everything through at once."""
        self._delay_seconds = 0.0
        self._there.set()
        self._back.set()

    # ---- its life

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._handle, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """End it, and all that passes through it."""
        if self._server is not None:
            self._server.close()
        for task, writers in list(self._connections.items()):
            task.cancel()
            for writer in writers:
                writer.transport.abort()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _handle(self, near_reader: asyncio.StreamReader, near: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections[task] = (near,)
        try:
            await self._there.wait()
            far_reader, far = await self._connect()
            self._connections[task] = (near, far)
            await asyncio.gather(
                self._pump(near_reader, far, self._there.wait), self._pump(far_reader, near, self._back.wait)
            )
        except (OSError, asyncio.CancelledError):  # the target is gone, and its client asks again
            near.transport.abort()
        finally:
            self._connections.pop(task, None)

    async def _connect(self) -> Streams:
        if isinstance(self.target, Path):
            return await asyncio.open_unix_connection(self.target)
        return await asyncio.open_connection("127.0.0.1", self.target)

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, let_through: Callable[[], Awaitable[object]]
    ) -> None:
        """Forward one direction until either side ends it, however it does."""
        with suppress(OSError):
            while data := await reader.read(_CHUNK_BYTES):
                if self._delay_seconds:
                    await asyncio.sleep(self._delay_seconds)
                await let_through()
                writer.write(data)
                await writer.drain()
        await let_through()
        writer.close()


@asynccontextmanager
async def linked(target: Target) -> AsyncIterator[Link]:
    """Run a link for a block."""
    link = Link(target)
    await link.start()
    try:
        yield link
    finally:
        await link.close()
