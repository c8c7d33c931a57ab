"""What a frame of a book costs a delivery, beside `websockets.broadcast` of the same frames; and what slow readers do.

The engine is the real one, with its sandbox exchange. What it takes with a single subscriber is subtracted, so that the
figure is that of the fan-out alone. The broadcast sends frames that were recorded from the engine. Both are measured in
turn, in the same run, with the same readers, which are another process.

usage: uv run python -m bench.fan_out [SUBSCRIBERS…]
"""

import asyncio
import json
import statistics
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import uvloop
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from bench.fan_out_readers import BOOK
from bench.figures import ROOT, Figure, report
from bench.parts import engine, exchange, scratch
from bench.processes import cpu_seconds, memory_by_part

SIZES: Final = (1_000, 3_000)
ROUNDS: Final = 3
SECONDS: Final = 5.0
RECORDED: Final = 100
STALLED: Final = 100
MOST_TIMES: Final = 1.2
MOST_KB: Final = 26


@dataclass(frozen=True, slots=True)
class Sending:
    """What a server did in some seconds."""

    cpu_seconds: float
    frames: float
    bytes: float
    p50_ms: float
    p99_ms: float

    def microseconds(self, rest: float = 0.0) -> float:
        """Return the processor time a frame, without `rest` seconds of it."""
        return (self.cpu_seconds - rest) / max(self.frames, 1) * 1e6


@dataclass(frozen=True, slots=True)
class Server:
    """A process that sends frames, and where it listens."""

    pid: int
    url: str

    async def watch(self, subscribers: int, stalled: int = 0) -> tuple[Sending, float]:
        """Return what it does for so many subscribers, and how much memory each of them takes, in kB."""
        before = memory_by_part(self.pid)["engine"].anonymous
        async with _program("bench.fan_out_readers", self.url, str(subscribers), str(stalled)) as readers:
            await _line(readers)
            kilobytes = (memory_by_part(self.pid)["engine"].anonymous - before) * 2**20 / 1000 / subscribers
            assert readers.stdin is not None
            cpu = cpu_seconds(self.pid)
            readers.stdin.write(f"{SECONDS}\n".encode())
            counted = json.loads(await _line(readers))
            return Sending(cpu_seconds(self.pid) - cpu, **counted), kilobytes


async def measure(sizes: Sequence[int]) -> None:
    """Measure each number of subscribers, and report all of them."""
    rows: list[list[object]] = []
    figures: list[Figure] = []
    async with (
        scratch() as folder,
        exchange(folder) as sandbox,
        engine(folder, sandbox, R3EDGE_MAX_CONNECTIONS_PER_ADDRESS="10000") as running,
    ):
        ours = Server(running.process.pid, running.socket_url)
        (folder / "frames").write_text("\n".join(await record(running.socket_url)))
        async with _program("bench.fan_out_broadcast", str(folder / "frames")) as process:
            theirs = Server(process.pid, f"ws://127.0.0.1:{await _line(process)}")
            for size in sizes:
                row, figure = await _compare(ours, theirs, size)
                rows.append(row)
                figures.append(figure)
                print(figure.measured, flush=True)
        figures.append(await _stall(ours, sizes[0]))
    columns = ["subscribers", "µs a frame", "broadcast µs", "times", "frames/s", "bytes", "p99 ms", "kB a subscriber"]
    report("fan_out", columns, rows, figures)


async def _compare(ours: Server, theirs: Server, size: int) -> tuple[list[object], Figure]:
    pairs, kilobytes = [], []
    for _ in range(ROUNDS):
        rest, _ = await ours.watch(1)
        sending, each_kb = await ours.watch(size)
        floor, _ = await theirs.watch(size)
        pairs.append((sending.microseconds(rest.cpu_seconds), floor.microseconds()))
        kilobytes.append(each_kb)
    own, floor_us = (statistics.median(column) for column in zip(*pairs, strict=True))
    times = statistics.median(ours / theirs for ours, theirs in pairs)
    row: list[object] = [size, own, floor_us, times, round(sending.frames / SECONDS)]
    row += [round(sending.bytes / sending.frames), sending.p99_ms, kilobytes[0]]
    measured = (
        f"{own:.1f} µs a delivery of {sending.bytes / sending.frames:,.0f} bytes, {times:.2f} times the {floor_us:.1f} "
        f"of `websockets.broadcast`; {kilobytes[0]:.0f} kB of memory a subscriber"
    )
    target = f"≤ {MOST_TIMES} times, ≤ {MOST_KB} kB"
    return row, Figure(
        f"frames of a book to {size:,} subscribers", measured, target, times <= MOST_TIMES and kilobytes[0] <= MOST_KB
    )


async def _stall(ours: Server, size: int) -> Figure:
    quiet, stalled = [], []
    for _ in range(ROUNDS):
        quiet.append((await ours.watch(size))[0].p99_ms)
        stalled.append((await ours.watch(size + STALLED, STALLED))[0].p99_ms)
    before, after = statistics.median(quiet), statistics.median(stalled)
    name = f"age of a frame as it arrives, of {size:,} readers, beside {STALLED} that stopped reading"
    return Figure(name, f"p99 {after:.0f} ms; without those {before:.0f} ms", "unchanged", after <= 1.5 * before + 1)


async def record(url: str) -> list[str]:
    """Return some frames of the subscription as the engine sends them."""
    async with connect(url, subprotocols=[Subprotocol("graphql-transport-ws")], compression=None) as socket:
        await socket.send('{"type":"connection_init"}')
        await socket.send(json.dumps({"type": "subscribe", "id": "0" * 32, "payload": {"query": BOOK}}))
        frames: list[str] = []
        async for message in socket:
            if '"type":"error"' in str(message)[:80]:
                raise RuntimeError(str(message))
            if '"type":"next"' in str(message)[:80]:
                frames.append(str(message))
            if len(frames) > RECORDED:
                break
    return frames[1:]  # the first is the snapshot


@asynccontextmanager
async def _program(module: str, *arguments: str) -> AsyncGenerator[asyncio.subprocess.Process]:
    pipe = asyncio.subprocess.PIPE
    command = (sys.executable, "-m", module, *arguments)
    process = await asyncio.create_subprocess_exec(*command, cwd=Path(ROOT), stdin=pipe, stdout=pipe)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _line(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    line = await process.stdout.readline()
    if not line:
        raise RuntimeError("a process of the bench ended; its messages stand above")
    return line.decode().strip()


if __name__ == "__main__":
    uvloop.run(measure([int(argument) for argument in sys.argv[1:]] or SIZES))
