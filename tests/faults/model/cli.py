"""The command `r3edge-faults`: many seeded runs, several engines side by side, resumable, with a table in the end.

Results are appended to FOLDER/results.jsonl, a line a run, with the commit that it tested. A seed that stands there is
run again only if it was violated and `--again` is given; then its last line counts. The folder of an engine under which
something was violated is kept.
"""

import asyncio
import itertools
import json
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from tests.faults.model.run import RunResult, run_seed
from tests.faults.model.world import World
from tests.support.campaigns import keep_folder, present_commit
from tests.support.compiled_modules import keep_compiled_modules
from tests.support.run_folder import new_folder, run_folder

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
    nodes: Annotated[int, typer.Option(help="Nodes of each engine; several share a Hazelcast member.")] = 1,
    folder: Annotated[Path, typer.Option(help="Where results and folders lie.")] = Path("faults"),
    minutes: Annotated[float | None, typer.Option(help="Start no run after so long.")] = None,
    again: Annotated[bool, typer.Option(help="Run seeds again that were violated.")] = False,
) -> None:
    """Break a real engine in as many ways as there are seeds, and judge what it did."""
    keep_compiled_modules()
    folder.mkdir(parents=True, exist_ok=True)
    done = {row["seed"] for row in _results(folder) if not (again and row["violations"])}
    seeds = [number for number in range(seed, seed + runs) if number not in done]
    deadline = float("inf") if minutes is None else time.monotonic() + minutes * 60
    with run_folder():
        asyncio.run(_run_all(folder, seeds, engines, nodes, deadline))
    rows = [row for row in _results(folder) if seed <= row["seed"] < seed + runs]
    _print_table(rows)
    raise SystemExit(any(row["violations"] for row in rows) or len(rows) < runs)


async def _run_all(folder: Path, seeds: list[int], engines: int, nodes: int, deadline: float) -> None:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    origin = {"commit": present_commit(), "nodes": nodes}
    with Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=_console) as progress:
        bar = progress.add_task("0 violations", total=len(seeds))
        left = iter(seeds)
        violated = Counter[str]()

        def report(result: RunResult) -> None:
            with (folder / "results.jsonl").open("a") as file:
                file.write(json.dumps({**origin, **result.as_json()}) + "\n")
            violated["all"] += len(result.violations)
            progress.update(bar, advance=1, description=f"{violated['all']} violations")
            for violation in result.violations:
                progress.console.print(f"seed {result.seed}: {violation}", markup=False, highlight=False)

        campaign = _Campaign(folder, nodes, deadline, left, report)
        await asyncio.gather(*(campaign.run_engine() for _ in range(engines)))


@dataclass(frozen=True)
class _Campaign:
    """Seeds that are still to run, and what each run needs."""

    folder: Path
    nodes: int
    deadline: float
    left: Iterator[int]
    report: Callable[[RunResult], None]

    async def run_engine(self) -> None:
        """Take seeds until none is left, in one world after the other."""
        while time.monotonic() < self.deadline and (first := next(self.left, None)) is not None:
            place = new_folder()
            violated = await self._run_world(place, itertools.chain([first], self.left))
            if violated:
                kept = self.folder / f"seed-{violated}"
                keep_folder(place, kept)
            shutil.rmtree(place, ignore_errors=True)

    async def _run_world(self, place: Path, seeds: Iterator[int]) -> int:
        """Run seeds on one world until it is old, the time is over or something is violated; return that seed or 0."""
        world, result = World(place, 1, self.nodes), None
        try:
            await world.start()
            for seed in itertools.islice(seeds, _RUNS_A_WORLD):
                result = await run_seed(world, seed)
                self.report(result)
                if result.violations or time.monotonic() > self.deadline:
                    break
        finally:
            for node in world.nodes:
                node.keep_log()
            try:
                await world.close()
            except AssertionError as error:
                if result is not None:
                    result = replace(result, violations=[*result.violations, f"it doesn't end cleanly: {error}"])
                    self.report(result)
        return result.seed if result is not None and result.violations else 0


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
    origins = Counter(f"{row['commit']} (nodes: {row['nodes']})" for row in rows)
    _console.print("runs by commit: " + ", ".join(f"{origin} {count}" for origin, count in origins.items()))


if __name__ == "__main__":
    main()
