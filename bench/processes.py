"""Memory and CPU time of an engine's processes, by the parts that they are (Linux alone)."""

import os
from dataclasses import dataclass
from pathlib import Path

PARTS = ("engine", "PostgreSQL", "sandbox exchange")
PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Memory:
    """RSS counts shared pages in every process, PSS shares them out, USS is what only that process has; in MiB.

    All three count pages of files, which change when other processes map the same files: environments whose packages
    are hard links to one cache share them. `anonymous` is what the process has allocated, and nothing else.
    """

    processes: int = 0
    rss: float = 0.0
    pss: float = 0.0
    uss: float = 0.0
    anonymous: float = 0.0

    def __add__(self, other: "Memory") -> "Memory":
        return Memory(
            self.processes + other.processes,
            self.rss + other.rss,
            self.pss + other.pss,
            self.uss + other.uss,
            self.anonymous + other.anonymous,
        )


def memory_by_part(root: int) -> dict[str, Memory]:
    """Return the memory of the engine that runs as process `root`, and of the parts that it has started."""
    parts = dict.fromkeys(PARTS, Memory())
    for pid in _family(root):
        try:
            parts[_part(pid)] += _memory(pid)
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has ended meanwhile
    return parts


def cpu_seconds_by_part(root: int) -> dict[str, float]:
    """Return the CPU time, of user and system, that the parts of the engine that runs as process `root` have used."""
    parts = dict.fromkeys(PARTS, 0.0)
    for pid in _family(root):
        try:
            parts[_part(pid)] += cpu_seconds(pid)
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has ended meanwhile
    return parts


def cpu_seconds(pid: int) -> float:
    """Return the CPU time, of user and system, that one process has used."""
    fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


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


def _memory(pid: int) -> Memory:
    lines = (PROC / str(pid) / "smaps_rollup").read_text().splitlines()[1:]
    kib = {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines)}
    own = kib["Private_Clean"] + kib["Private_Dirty"]
    return Memory(1, kib["Rss"] / 1024, kib["Pss"] / 1024, own / 1024, kib["Anonymous"] / 1024)
