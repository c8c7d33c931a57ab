"""The results of drills in a folder, a line a run, and what they come to."""

import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.faults.drills.stalls import Kind
from tests.faults.model.remaining import Violations

Row = dict[str, Any]

_LOST = ("lost", "never came", "unknown", "a gap in the log")
_REPEATED = ("times at the venue", "after event", "two signals with one order", " made both ")


@dataclass(frozen=True, slots=True)
class Stall:
    """Seconds without success: the median and the longest of all runs."""

    median: float
    longest: float


@dataclass(frozen=True)
class DrillSummary:
    """What the runs of a drill come to; `streak` is how many of the last have passed in a row."""

    drill: str
    runs: int
    passed: int
    streak: int
    lost: int
    repeated: int
    stalls: dict[Kind, Stall]
    machine_load: float
    commits: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        stalls = {
            kind.value: {"median_seconds": stall.median, "longest_seconds": stall.longest}
            for kind, stall in self.stalls.items()
        }
        names = ("drill", "runs", "passed", "streak", "lost", "repeated", "machine_load", "commits")
        return {name: getattr(self, name) for name in names} | {"stalls": stalls}


class ResultFile:
    """FOLDER/results.jsonl: runs are appended and never changed."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "results.jsonl"

    def append(self, row: Row) -> None:
        """Append a run."""
        with self._file.open("a") as file:
            file.write(json.dumps(row) + "\n")

    def rows(self, drill: str) -> list[Row]:
        """Return the runs of a drill, oldest first."""
        lines = self._file.read_text().splitlines() if self._file.exists() else []
        return [row for row in map(json.loads, lines) if row["drill"] == drill]


def streak(rows: Sequence[Row]) -> int:
    """Return how many of the last runs have passed in a row."""
    failed = [number for number, row in enumerate(rows, start=1) if row["violations"]]
    return len(rows) - max(failed, default=0)


def summary(drill: str, rows: Sequence[Row]) -> DrillSummary:
    """Return what the runs of a drill come to; stalls are those of the runs in which nothing was violated."""
    passed = [row for row in rows if not row["violations"]]
    stalls = {}
    for kind in Kind:
        seconds = [row["stalls"][kind.value] for row in passed if kind.value in row["stalls"]]
        if seconds:
            stalls[kind] = Stall(round(statistics.median(seconds), 1), round(max(seconds), 1))
    violations = [violation for row in rows for violation in row["violations"]]
    load = statistics.fmean(row["machine_load"] for row in rows) if rows else 0.0
    return DrillSummary(
        drill, len(rows), len(passed), streak(rows), _count(violations, _LOST), _count(violations, _REPEATED), stalls,
        round(load, 1), tuple(dict.fromkeys(row["commit"] for row in rows)),
    )  # fmt: skip


def _count(violations: Violations, words: tuple[str, ...]) -> int:
    return sum(any(word in violation for word in words) for violation in violations)
