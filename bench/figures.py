"""What every bench does with its numbers: percentiles, a table, JSON in `bench/results`."""

import json
import platform
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "bench" / "results"


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the README's table; `target` and `holds` are None where nothing is promised."""

    name: str
    measured: str
    target: str | None = None
    holds: bool | None = None


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the smallest value that at least `percent` of all are not above (nearest rank)."""
    ranked = sorted(values)
    return ranked[min(max(-(-len(ranked) * percent // 100), 1), len(ranked)).__int__() - 1]


def spread(values: Sequence[float]) -> dict[str, float]:
    """Return p50, p99 and the largest of durations in seconds, as milliseconds."""
    return {
        "p50_ms": round(percentile(values, 50) * 1000, 3),
        "p99_ms": round(percentile(values, 99) * 1000, 3),
        "max_ms": round(max(values) * 1000, 3),
    }


def report(bench: str, columns: Sequence[str], rows: Sequence[Sequence[object]], figures: Sequence[Figure]) -> None:
    """Print the table and write `bench/results/<bench>.json`, the figures and the rows in it."""
    table = Table(*columns, title=bench)
    for row in rows:
        table.add_row(*map(_shown, row))
    Console(width=None if sys.stdout.isatty() else 160).print(table)
    RESULTS.mkdir(exist_ok=True)
    result = {
        "bench": bench,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "machine": machine(),
        "figures": [asdict(figure) for figure in figures],
        "rows": [dict(zip(columns, row, strict=True)) for row in rows],
    }
    (RESULTS / f"{bench}.json").write_text(json.dumps(result, indent=2) + "\n")
    for figure in figures:
        verdict = "" if figure.holds is None else "  holds" if figure.holds else "  MISSED"
        sys.stdout.write(f"{figure.name}: {figure.measured} (target {figure.target or 'none'}){verdict}\n")


def machine() -> str:
    """Return what the numbers were measured on, without its name."""
    models = [line.partition(":")[2].strip() for line in _cpu_info() if line.startswith("model name")]
    return f"{len(models) or '?'} x {models[0] if models else platform.machine()}, {platform.system()}"


def _cpu_info() -> list[str]:
    file = Path("/proc/cpuinfo")
    return file.read_text().splitlines() if file.exists() else []


def _shown(value: object) -> str:
    return f"{value:,.2f}" if isinstance(value, float) else str(value)
