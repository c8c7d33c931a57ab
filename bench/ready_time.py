"""Time from starting `r3edge serve` to `/readyz` = 200: on an empty data directory, and on one that has run before."""

import sys
from pathlib import Path
from statistics import median

import uvloop

from bench.figures import Figure, report
from bench.parts import engine, scratch

FIRST, WARM = 3, 7
TARGET_SECONDS = 5.0


async def measure(first: int, warm: int) -> None:
    firsts = []
    for _ in range(first):
        async with scratch() as folder:
            firsts.append(await _start(folder))
    async with scratch() as folder:
        await _start(folder)
        warms = [await _start(folder) for _ in range(warm)]
    _report(firsts, warms)


async def _start(folder: Path) -> tuple[float, float]:
    """Return the seconds until the engine listened, and until it was ready."""
    async with engine(folder) as running:
        return running.listening_seconds, running.ready_seconds


def _report(firsts: list[tuple[float, float]], warms: list[tuple[float, float]]) -> None:
    rows = []
    for name, starts in (("first start (initdb, migrations)", firsts), ("warm start", warms)):
        listening, ready = [one for one, _ in starts], [one for _, one in starts]
        rows.append([name, len(starts), median(listening), median(ready), min(ready), max(ready)])
    first, warm = (median(ready for _, ready in starts) for starts in (firsts, warms))
    measured = f"{warm:.1f} s; {first:.1f} s on an empty data directory (medians)"
    figure = Figure("`r3edge serve` until ready", measured, f"< {TARGET_SECONDS:g} s warm", warm < TARGET_SECONDS)
    columns = ["start", "runs", "listens after s (median)", "ready after s (median)", "fastest s", "slowest s"]
    report("ready_time", columns, rows, [figure])


if __name__ == "__main__":
    given = [int(number) for number in sys.argv[1:]]
    uvloop.run(measure(*(given or [FIRST, WARM])))
