"""The command `r3edge-faults`: many seeded runs, several engines side by side, resumable, with a table in the end.

Results are appended to FOLDER/results.jsonl, a line a run; a seed that stands there isn't run again. The folder of an
engine under which something was violated is kept.
"""

import asyncio
import json
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from tests.faults.model.run import RunResult, run_seed
from tests.faults.model.world import running_world

_RUNS_A_WORLD = 20
"""After so many runs the engine starts on empty folders: its database must not grow into what is measured."""

_console = Console()


def main() -> None:
    """Run the command line."""
    typer.run(faults)


def faults(
    runs: Annotated[int, typer.Option(help="How many seeds to run.")] = 100,
    seed: Annotated[int, typer.Option(help="The first seed.")] = 1,
    engines: Annotated[int, typer.Option(help="Engines side by side.")] = 1,
    folder: Annotated[Path, typer.Option(help="Where results and folders lie.")] = Path("faults"),
    minutes: Annotated[float | None, typer.Option(help="Start no run after so long.")] = None,
) -> None:
    """Break a real engine in as many ways as there are seeds, and judge what it did."""
    folder.mkdir(parents=True, exist_ok=True)
    done = {row["seed"] for row in _results(folder)}
    seeds = [number for number in range(seed, seed + runs) if number not in done]
    deadline = None if minutes is None else time.monotonic() + minutes * 60
    asyncio.run(_run_all(folder, seeds, engines, deadline))
    rows = [row for row in _results(folder) if seed <= row["seed"] < seed + runs]
    _print_table(rows)
    raise SystemExit(any(row["violations"] for row in rows) or len(rows) < runs)


async def _run_all(folder: Path, seeds: list[int], engines: int, deadline: float | None) -> None:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=_console) as progress:
        bar = progress.add_task("0 violations", total=len(seeds))
        left = iter(seeds)
        violated = Counter[str]()

        def report(result: RunResult) -> None:
            with (folder / "results.jsonl").open("a") as file:
                file.write(json.dumps(result.as_json()) + "\n")
            violated["all"] += len(result.violations)
            progress.update(bar, advance=1, description=f"{violated['all']} violations")
            for violation in result.violations:
                progress.console.print(f"seed {result.seed}: {violation}", markup=False, highlight=False)

        await asyncio.gather(*(_run_engine(folder, index, left, deadline, report) for index in range(engines)))


async def _run_engine(folder: Path, index: int, left: Iterator[int], deadline: float | None, report: Any) -> None:
    """Take seeds until none is left, in one world after the other."""
    while True:
        batch: list[int] = []
        results: list[RunResult] = []
        place = folder / f"engine-{index}-{time.time_ns()}"
        first = next(left, None)
        if first is None or (deadline is not None and time.monotonic() > deadline):
            return
        batch.append(first)
        async with running_world(place, first) as world:
            while batch:
                result = await run_seed(world, batch.pop())
                results.append(result)
                report(result)
                is_over = deadline is not None and time.monotonic() > deadline
                if result.violations or is_over or len(results) >= _RUNS_A_WORLD:
                    break
                batch += [number for number in (next(left, None),) if number is not None]
            if any(result.violations for result in results):
                shutil.copy(world.engine.log_file, place / "engine.log")
        if not any(result.violations for result in results):
            shutil.rmtree(place, ignore_errors=True)


def _results(folder: Path) -> list[dict[str, Any]]:
    file = folder / "results.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def _print_table(rows: list[dict[str, Any]]) -> None:
    table = Table("fault", "struck", "runs", "runs with a violation")
    kinds = Counter(kind for row in rows for kind in row["faults"])
    for kind, count in kinds.most_common():
        of_kind = [row for row in rows if kind in row["faults"]]
        table.add_row(kind, str(count), str(len(of_kind)), str(sum(bool(row["violations"]) for row in of_kind)))
    _console.print(table)
    sums = {name: sum(row[name] for row in rows) for name in ("operations", "orders", "fills", "exits", "seconds")}
    bad = [row["seed"] for row in rows if row["violations"]]
    _console.print(
        f"{len(rows)} runs, {sums['operations']:,} operations, {sums['orders']:,} orders, {sums['fills']:,} fills, "
        f"{sums['exits']:,} exits, "
        f"{len(kinds)} kinds of faults struck {sum(kinds.values()):,} times, {sums['seconds'] / 60:.0f} minutes: "
        f"{sum(len(row['violations']) for row in rows)} violations{f' (seeds {bad})' if bad else ''}",
        highlight=False,
    )


if __name__ == "__main__":
    main()
