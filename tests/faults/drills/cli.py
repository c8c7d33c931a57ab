"""The command `r3edge-drill`: breaks parts of a working cluster again and again, resumable, with a table in the end.

Results are appended to FOLDER/results.jsonl, a line a run, with the commit that it tested and the load of the machine.
The same command goes on until each drill has passed so often in a row. Where one failed, the folders of all parts are
kept.
"""

import asyncio
import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from tests.faults.drills.catalogue import DRILLS, Drill
from tests.faults.drills.document import write_document
from tests.faults.drills.picture import NoRenderer, draw
from tests.faults.drills.results import DrillSummary, ResultFile, streak, summary
from tests.faults.drills.run import DrillResult, run_drill
from tests.faults.drills.stage import DrillStage
from tests.faults.drills.stalls import Kind
from tests.faults.drills.topology import Topology
from tests.support.campaigns import keep_folder, present_commit
from tests.support.compiled_modules import keep_compiled_modules
from tests.support.require import MISSING
from tests.support.run_folder import new_folder, run_folder

_RUNS_A_STAGE = 20
"""After so many runs all parts start on empty folders: the database must not grow into what is measured."""

_STARTS = 3

_console, _progress = Console(), Console(stderr=True)


def main() -> None:
    """Run the command line."""
    typer.run(drill)


def drill(
    names: Annotated[list[str] | None, typer.Argument(help="Which drills; all without one.")] = None,
    repeat: Annotated[int, typer.Option(min=0, help="How often in a row each is to pass; 0 runs nothing.")] = 20,
    folder: Annotated[Path, typer.Option(help="Where results and kept folders lie.")] = Path("drills"),
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON in place of the table.")] = False,
    picture: Annotated[Path | None, typer.Option(help="Draw the stalls into this SVG file.")] = None,
    document: Annotated[Path | None, typer.Option(help="Write the table into this Markdown file.")] = None,
    list_: Annotated[bool, typer.Option("--list", help="Print the names of all drills.")] = False,
) -> None:
    """Break parts of a working cluster, and say what was lost, what was repeated, and what stalled for how long."""
    if list_:
        print("\n".join(f"{each.name:32} {each.what}" for each in DRILLS.values()))  # noqa: T201  # its output
        return
    if unknown := set(names or ()) - DRILLS.keys():
        raise typer.BadParameter(f"no such drill: {', '.join(sorted(unknown))}; --list prints them")
    chosen = [each for each in DRILLS.values() if not names or each.name in names]
    folder.mkdir(parents=True, exist_ok=True)
    results = ResultFile(folder)
    keep_compiled_modules()
    try:
        with run_folder():
            is_violated = asyncio.run(_Campaign(folder, results, repeat).run(chosen))
    except MISSING as missing:
        raise SystemExit(f"r3edge-drill: {missing.msg}") from None
    summaries = [summary(each.name, rows) for each in chosen if (rows := results.rows(each.name))]
    _print(summaries, as_json)
    if document is not None:
        write_document(document, summaries)
    if picture is not None:
        try:
            draw(summaries, picture)
        except NoRenderer as error:
            raise typer.BadParameter(str(error)) from None
    raise SystemExit(is_violated or any(each.streak < repeat for each in summaries))


@dataclass(frozen=True)
class _Campaign:
    """How often drills are run, and where what they come to is kept."""

    folder: Path
    results: ResultFile
    repeat: int

    async def run(self, chosen: Sequence[Drill]) -> bool:
        """Run each drill as often as it lacks; return whether anything was violated."""
        is_violated = False
        for topology in dict.fromkeys(each.topology for each in chosen):
            alike = [each for each in chosen if each.topology == topology]
            missing = {each.name: self.repeat - streak(self.results.rows(each.name)) for each in alike}
            runs = [each for number in range(self.repeat) for each in alike if number < missing[each.name]]
            while runs:
                batch, runs = runs[:_RUNS_A_STAGE], runs[_RUNS_A_STAGE:]
                left, failed = await self._run_stage(topology, batch)
                runs, is_violated = left + runs, is_violated or failed
        return is_violated

    async def _run_stage(self, topology: Topology, batch: list[Drill]) -> tuple[list[Drill], bool]:
        """Run drills on one stage until one fails; return what is left of them, and whether one has failed."""
        place = new_folder()
        try:
            stage, left = await self._started(place, topology), list(batch)
            result = DrillResult("", 0.0)
            try:
                while left and not result.violations:
                    result = await run_drill(stage, left.pop(0))
                    self._report(result)
            finally:
                result = await self._end(stage, result)
            if result.violations:
                keep_folder(place, self.folder / f"{result.drill}-{len(self.results.rows(result.drill))}")
        finally:
            shutil.rmtree(place, ignore_errors=True)
        return left, bool(result.violations)

    @staticmethod
    async def _started(place: Path, topology: Topology) -> DrillStage:
        """Return a running stage; a port that was free may be another program's before it is listened on."""
        attempt = 0
        while True:
            attempt += 1
            stage = DrillStage(place / f"stage{attempt}", topology)
            try:
                await stage.start()
            except (Exception, AssertionError, *MISSING) as error:
                await stage.close()
                if attempt == _STARTS or isinstance(error, MISSING):
                    raise
                _progress.print(f"the parts didn't start: {str(error)[-200:]}", markup=False, highlight=False)
            else:
                return stage

    async def _end(self, stage: DrillStage, result: DrillResult) -> DrillResult:
        """End a stage after its last run; return that with what went wrong in the end."""
        for node in stage.nodes:
            node.keep_log()
        try:
            await stage.close()
        except AssertionError as error:
            result = replace(result, violations=[*result.violations, f"it doesn't end cleanly: {error}"])
            self._report(result)
        return result

    def _report(self, result: DrillResult) -> None:
        row = {"commit": present_commit(), "machine_load": round(os.getloadavg()[0], 1), **result.as_json()}
        self.results.append(row)
        # Of a traceback the end says most; the whole stands in the results.
        what = "; ".join(violation.strip().splitlines()[-1] for violation in result.violations) or "passed"
        _progress.print(f"{result.drill}: {what} ({result.seconds} s)", markup=False, highlight=False)


def _print(summaries: Sequence[DrillSummary], as_json: bool) -> None:
    if as_json:
        print(json.dumps([each.as_json() for each in summaries], indent=2))  # noqa: T201  # its output
        return
    table = Table("drill", "passed", "lost", "repeated", *(f"{kind.value}: median, longest (s)" for kind in Kind))
    for each in summaries:
        cells = [f"{stall.median}, {stall.longest}" for stall in each.stalls.values()]
        table.add_row(each.drill, f"{each.passed} of {each.runs}", str(each.lost), str(each.repeated), *cells)
    _console.print(table)
    loads = [each.machine_load for each in summaries]
    _console.print(f"load of the machine: {min(loads, default=0)} to {max(loads, default=0)} on {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
