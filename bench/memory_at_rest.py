"""Memory of the engine, PostgreSQL and the exchange 30 s after ready, with one market collected and no client.

RSS counts shared pages in every process, PSS shares them out, USS is what only that process has (Linux alone).
"""

import asyncio
import sys

import uvloop

from bench.figures import Figure, report
from bench.parts import engine, scratch
from bench.processes import Memory, memory_by_part

REST_SECONDS = 30.0


async def measure(rest_seconds: float) -> None:
    async with scratch() as folder, engine(folder) as running:
        await asyncio.sleep(rest_seconds)
        parts = memory_by_part(running.process.pid)
    _report(parts)


def _report(parts: dict[str, Memory]) -> None:
    everything = sum(parts.values(), Memory())
    rows: list[list[object]] = [
        [name, memory.processes, *(round(value, 1) for value in (memory.rss, memory.pss, memory.uss))]
        for name, memory in [*parts.items(), ("all", everything)]
    ]
    shares = ", ".join(f"{name} {memory.pss:.0f}" for name, memory in parts.items())
    figure = Figure("memory at rest, one market collected, no client", f"{everything.pss:.0f} MiB PSS ({shares})")
    report("memory_at_rest", ["part", "processes", "RSS MiB", "PSS MiB", "USS MiB"], rows, [figure])


if __name__ == "__main__":
    uvloop.run(measure(float(sys.argv[1]) if len(sys.argv) > 1 else REST_SECONDS))
