"""The floor of a fan-out: `websockets.broadcast` of given frames to all connections, ten a second.

Its argument is a file with a frame a line. It writes the port that it listens on.
"""

import asyncio
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

import uvloop
from websockets.asyncio.server import ServerConnection, broadcast, serve
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

CADENCE_SECONDS: Final = 0.1


async def main(frames: list[str]) -> None:
    """Broadcast for ever."""
    serving = serve(
        _read,
        "127.0.0.1",
        0,
        subprotocols=[Subprotocol("graphql-transport-ws")],
        compression=None,
        open_timeout=None,  # it would end connections while thousands more are made on a busy machine
        ping_interval=None,
        backlog=4_096,  # beyond its backlog a kernel resets connections that wait to be accepted
    )
    async with serving as server:
        print(next(iter(server.sockets)).getsockname()[1], flush=True)
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            for frame in frames:
                due = max(due + CADENCE_SECONDS, loop.time())
                await asyncio.sleep(due - loop.time())
                broadcast(server.connections, frame)


async def _read(connection: ServerConnection) -> None:
    with suppress(ConnectionClosed):  # readers that are done are cut off
        async for _ in connection:
            pass


if __name__ == "__main__":
    uvloop.run(main(Path(sys.argv[1]).read_text().splitlines()))
