"""The table of what was run in a Markdown file, between two marks, with its figures beside it as JSON.

A test holds the table to the figures, so that nobody writes into it by hand.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.faults.drills.catalogue import DRILLS
from tests.faults.drills.results import DrillSummary
from tests.faults.drills.stalls import Kind

BEGIN, END = "<!-- runs: written by r3edge-drill --document -->\n", "<!-- end of runs -->\n"


def write_document(file: Path, summaries: Sequence[DrillSummary]) -> None:
    """Put the table of runs into a file that has the marks, and the figures into one of its name as JSON.

    What stands there of drills that have no summary is kept.
    """
    figures = file.with_suffix(".json")
    known = json.loads(figures.read_text()) if figures.exists() else []
    found = {row["drill"]: row for row in (*known, *(each.as_json() for each in summaries))}
    rows = [found[name] for name in DRILLS if name in found]
    before, _, rest = file.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end:
        raise ValueError(f"{file} has no lines {BEGIN.strip()!r} and {END.strip()!r}, between which the table stands")
    figures.write_text(json.dumps(rows, indent=2) + "\n")
    file.write_text(f"{before}{BEGIN}{markdown_table(rows)}{END}{after}")


def markdown_table(rows: Sequence[dict[str, Any]]) -> str:
    """Return the table of summaries, as `DrillSummary.as_json` has them: a line a drill."""
    names = ["drill", "passed", "lost", "repeated", "load", *(f"{kind.value}: median, longest (s)" for kind in Kind)]
    lines = [names, ["---"] * len(names), *map(_cells, rows)]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _cells(row: dict[str, Any]) -> list[str]:
    stalls = [row["stalls"].get(kind.value) for kind in Kind]
    return [
        f"`{row['drill']}`", f"{row['passed']} of {row['runs']}", str(row["lost"]), str(row["repeated"]),
        str(row["machine_load"]),
        *(f"{stall['median_seconds']}, {stall['longest_seconds']}" if stall else "" for stall in stalls),
    ]  # fmt: skip
