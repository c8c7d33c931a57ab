"""Memory of the engine, PostgreSQL and the exchange 30 s after ready, with one market collected and no client.

RSS counts shared pages in every process, PSS shares them out, USS is what only that process has (Linux alone).
"""

import asyncio
import sys
from pathlib import Path

import uvloop

from bench.figures import Figure, report
from bench.parts import engine, scratch

REST_SECONDS = 30.0
PROC = Path("/proc")


async def measure(rest_seconds: float) -> None:
    async with scratch() as folder, engine(folder) as running:
        await asyncio.sleep(rest_seconds)
        groups: dict[str, list[dict[str, float]]] = {"engine": [], "PostgreSQL": [], "sandbox exchange": []}
        for pid in _family(running.process.pid):
            groups[_part(pid)].append(_memory(pid))
    _tell(groups)


def _family(root: int) -> list[int]:
    """Return the process and all that descend from it."""
    parents = {int(entry.name): _parent(entry) for entry in PROC.iterdir() if entry.name.isdigit()}
    family, before = {root}, 0
    while len(family) > before:
        before = len(family)
        family |= {pid for pid, parent in parents.items() if parent in family}
    return sorted(family)


def _parent(entry: Path) -> int:
    try:
        return int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return 0


def _part(pid: int) -> str:
    command = (PROC / str(pid) / "cmdline").read_bytes().decode()
    if "infra.sandbox" in command:
        return "sandbox exchange"
    return "PostgreSQL" if "postgres" in command.split("\0")[0] else "engine"


def _memory(pid: int) -> dict[str, float]:
    """Return RSS, PSS and USS in MiB."""
    lines = (PROC / str(pid) / "smaps_rollup").read_text().splitlines()[1:]
    kib = {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines)}
    own = kib["Private_Clean"] + kib["Private_Dirty"]
    return {"rss": kib["Rss"] / 1024, "pss": kib["Pss"] / 1024, "uss": own / 1024}


def _tell(groups: dict[str, list[dict[str, float]]]) -> None:
    rows: list[list[object]] = []
    sums = {"rss": 0.0, "pss": 0.0, "uss": 0.0}
    for name, processes in groups.items():
        memory = {kind: sum(one[kind] for one in processes) for kind in sums}
        sums = {kind: sums[kind] + memory[kind] for kind in sums}
        rows.append([name, len(processes), *(round(memory[kind], 1) for kind in sums)])
    rows.append(["all", sum(map(len, groups.values())), *(round(value, 1) for value in sums.values())])
    shares = ", ".join(f"{name} {sum(one['pss'] for one in some):.0f}" for name, some in groups.items())
    figure = Figure("memory at rest, one market collected, no client", f"{sums['pss']:.0f} MiB PSS ({shares})")
    report("memory_at_rest", ["part", "processes", "RSS MiB", "PSS MiB", "USS MiB"], rows, [figure])


if __name__ == "__main__":
    uvloop.run(measure(float(sys.argv[1]) if len(sys.argv) > 1 else REST_SECONDS))
