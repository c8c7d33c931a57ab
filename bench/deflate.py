"""What permessage-deflate would cost a frame and a connection, and save, by the websockets library's own code.

The frames are those of a book, recorded from the engine. Memory is that of connections that have sent and received one
message each.
"""

import os
import time
from collections.abc import Sequence
from typing import Final

import uvloop
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Frame, Opcode

from bench.fan_out import record
from bench.figures import Figure, report
from bench.parts import engine, exchange, scratch
from bench.processes import memory_by_part

CONNECTIONS: Final = 1_000
ROUNDS: Final = 5
KEPT, FRESH = "kept a connection", "none kept"
SETTINGS: Final = (
    ("15 bits, level 8, the library's", 15, 8, KEPT),
    ("12 bits, level 5, uvicorn's", 12, 5, KEPT),
    ("12 bits, level 5", 12, 5, FRESH),
)


async def measure() -> None:
    """Record frames, compress them each way, and report."""
    async with scratch() as folder, exchange(folder) as sandbox, engine(folder, sandbox) as running:
        recorded = await record(running.socket_url)
    frames = [Frame(Opcode.TEXT, text.encode()) for text in recorded]
    plain = sum(len(frame.data) for frame in frames) / len(frames)
    rows = [[name, context, *_compress(frames, bits, level, context)] for name, bits, level, context in SETTINGS]
    _, _, microseconds, size, kilobytes = rows[1]
    measured = (
        f"{microseconds:.0f} µs a frame and {kilobytes:.0f} kB a connection, for {size:.0f} bytes in the place of "
        f"{plain:.0f}"
    )
    columns = ["setting", "context", "µs a frame", "bytes a frame", "kB a connection"]
    report("deflate", columns, rows, [Figure("permessage-deflate with uvicorn's settings, if it were on", measured)])


def _compress(frames: Sequence[Frame], bits: int, level: int, context: str) -> tuple[float, float, float]:
    """Return the microseconds and bytes a frame, and the kilobytes a connection."""

    def new() -> PerMessageDeflate:
        return PerMessageDeflate(context == FRESH, context == FRESH, bits, bits, {"memLevel": level})

    connection, size = new(), 0
    started = time.process_time()
    for _ in range(ROUNDS):
        size = sum(len(connection.encode(frame).data) for frame in frames)
    seconds = (time.process_time() - started) / ROUNDS
    before = memory_by_part(os.getpid())["engine"].anonymous
    connections = [new() for _ in range(CONNECTIONS)]
    for each in connections:
        each.decode(each.encode(frames[0]))
    grown = (memory_by_part(os.getpid())["engine"].anonymous - before) * 2**20 / 1000
    return seconds / len(frames) * 1e6, size / len(frames), grown / len(connections)


if __name__ == "__main__":
    uvloop.run(measure())
