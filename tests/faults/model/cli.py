"""The command `r3edge-faults`: many seeded runs, several engines side by side, resumable, with a table in the end.

Results are appended to FOLDER/results.jsonl, a line a run, with the commit that it tested. A seed that stands there is
run again only if it was violated and `--again` is given; then its last line counts. The folder of an engine under which
something was violated is kept.
"""

import asyncio
import itertools
import json
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from tests.faults.model.run import RunResult, run_seed
from tests.faults.model.world import World
from tests.support.compiled_modules import keep_compiled_modules
from tests.support.engine import ROOT
from tests.support.run_folder import new_folder, run_folder

_RUNS_A_WORLD = 20
"""After so many runs the engine starts on empty folders: its database must not grow into what is measured."""

_console = Console()

Report = Callable[[RunResult], None]


def main() -> None:
    """Run the command line."""
    typer.run(faults)


def faults(
    runs: Annotated[int, typer.Option(help="How many seeds to run.")] = 100,
    seed: Annotated[int, typer.Option(help="The first seed.")] = 1,
    engines: Annotated[int, typer.Option(help="Engines side by side.")] = 1,
    folder: Annotated[Path, typer.Option(help="Where results and folders lie.")] = Path("faults"),
    minutes: Annotated[float | None, typer.Option(help="Start no run after so long.")] = None,
    again: Annotated[bool, typer.Option(help="Run seeds again that were violated.")] = False,
) -> None:
    """Break a real engine in as many ways as there are seeds, and judge what it did."""
    keep_compiled_modules()
    folder.mkdir(parents=True, exist_ok=True)
    done = {row["seed"] for row in _results(folder) if not (again and row["violations"])}
    seeds = [number for number in range(seed, seed + runs) if number not in done]
    deadline = None if minutes is None else time.monotonic() + minutes * 60
    with run_folder():
        asyncio.run(_run_all(folder, seeds, engines, deadline))
    rows = [row for row in _results(folder) if seed <= row["seed"] < seed + runs]
    _print_table(rows)
    raise SystemExit(any(row["violations"] for row in rows) or len(rows) < runs)


async def _run_all(folder: Path, seeds: list[int], engines: int, deadline: float | None) -> None:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    commit = _commit()
    with Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=_console) as progress:
        bar = progress.add_task("0 violations", total=len(seeds))
        left = iter(seeds)
        violated = Counter[str]()

        def report(result: RunResult) -> None:
            with (folder / "results.jsonl").open("a") as file:
                file.write(json.dumps({"commit": commit, **result.as_json()}) + "\n")
            violated["all"] += len(result.violations)
            progress.update(bar, advance=1, description=f"{violated['all']} violations")
            for violation in result.violations:
                progress.console.print(f"seed {result.seed}: {violation}", markup=False, highlight=False)

        await asyncio.gather(*(_run_engine(folder, left, deadline, report) for _ in range(engines)))


async def _run_engine(folder: Path, left: Iterator[int], deadline: float | None, report: Report) -> None:
    """Take seeds until none is left, in one world after the other."""
    while (deadline is None or time.monotonic() < deadline) and (first := next(left, None)) is not None:
        place = new_folder()
        violated = await _run_world(place, itertools.chain([first], left), deadline, report)
        if violated:
            kept = folder / f"seed-{violated[0]}"
            shutil.copytree(place, kept, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.sock*", "*.s.PGSQL*"))
        shutil.rmtree(place, ignore_errors=True)


async def _run_world(place: Path, seeds: Iterator[int], deadline: float | None, report: Report) -> list[int]:
    """Run seeds on one world until it is old, the time is over or something is violated; return those violated."""
    violated: list[int] = []
    world = World(place, 1)
    try:
        await world.start()
        for seed in itertools.islice(seeds, _RUNS_A_WORLD):
            result = await run_seed(world, seed)
            report(result)
            violated += [seed] if result.violations else []
            if violated or (deadline is not None and time.monotonic() > deadline):
                break
    finally:
        with suppress(AssertionError):  # what doesn't end cleanly is killed with its folder
            await world.close()
        if violated:
            shutil.copy(world.engine.log_file, place / "engine.log")
        world.engine.clean_up()
    return violated


def _commit() -> str:
    """Return which commit is tested, marked where files differ from it; empty outside of a checkout."""
    command = ("git", "describe", "--always", "--dirty", "--exclude", "*")
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()


def _results(folder: Path) -> list[dict[str, Any]]:
    """Return the last line of each seed."""
    file = folder / "results.jsonl"
    rows = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    return list({row["seed"]: row for row in rows}.values())


def _print_table(rows: list[dict[str, Any]]) -> None:
    for name, what in (("faults", "fault"), ("operations", "operation")):
        table = Table(what, "times", "runs", "runs with a violation")
        kinds = Counter(kind for row in rows for kind in row[name])
        for kind, count in kinds.most_common():
            of_kind = [row for row in rows if kind in row[name]]
            table.add_row(kind, str(count), str(len(of_kind)), str(sum(bool(row["violations"]) for row in of_kind)))
        _console.print(table)
    sums = {name: sum(row[name] for row in rows) for name in ("orders", "fills", "exits", "seconds")}
    lengths = {name: sum(len(row[name]) for row in rows) for name in ("operations", "faults", "violations")}
    bad = [row["seed"] for row in rows if row["violations"]]
    _console.print(
        f"{len(rows)} runs, {lengths['operations']:,} operations, {sums['orders']:,} orders, {sums['fills']:,} fills, "
        f"{sums['exits']:,} exits, {lengths['faults']:,} faults, {sums['seconds'] / 60:.0f} minutes: "
        f"{lengths['violations']} violations{f' (seeds {bad})' if bad else ''}",
        highlight=False,
    )
    commits = Counter(row["commit"] for row in rows)
    _console.print("runs by commit: " + ", ".join(f"{commit} {count}" for commit, count in commits.items()))


if __name__ == "__main__":
    main()
