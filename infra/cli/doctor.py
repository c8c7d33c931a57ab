"""`r3edge doctor`: checks the installation, and says what to do."""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from infra.cli.exit_codes import FAILED
from infra.cli.options import DataDirectory, run_command
from infra.settings import LogFormat

if TYPE_CHECKING:
    from infra.doctor.findings import Finding

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object in place of the table.")]
Strict = Annotated[bool, typer.Option("--strict", help="Fail on warnings too.")]
Timeout = Annotated[float, typer.Option(min=0.1, max=300, help="Seconds that a check may take (10).")]

_STYLES = {"OK": "green", "SKIPPED": "dim", "WARNING": "yellow", "ERROR": "bold red"}
_NARROWEST = 100
"""Columns of the table where the output is no terminal, or a narrow one."""


def doctor(
    *, as_json: AsJson = False, strict: Strict = False, timeout: Timeout = 10, data_dir: DataDirectory = None
) -> None:
    """Check settings, database, clocks, venue keys, disk, versions and more, whether or not the engine runs."""
    from infra.logging import configure_logging  # noqa: PLC0415  # other commands start without

    configure_logging("error", LogFormat.CONSOLE)
    findings = run_command(_examine(timeout, data_dir=data_dir))
    counts = {status: sum(found.status.value == status for found in findings) for status in _STYLES}
    is_healthy = counts["ERROR"] == 0 and not (strict and counts["WARNING"])
    if as_json:
        print(json.dumps({"healthy": is_healthy, "findings": [asdict(found) for found in findings]}, indent=2))
    else:
        _print_table(findings)
        print(", ".join(f"{count} {status.lower()}" for status, count in counts.items() if count))
    if not is_healthy:
        raise SystemExit(FAILED)


async def _examine(timeout: float, **options: object) -> "list[Finding]":  # noqa: ASYNC109  # of each check
    from infra.doctor.doctor import examine  # noqa: PLC0415  # as above

    return await examine(timeout, **options)


def _print_table(findings: "Sequence[Finding]") -> None:
    console = Console(file=sys.stdout, highlight=False)
    console.width = max(console.width, _NARROWEST)
    table = Table(box=None, pad_edge=False, show_edge=False)
    table.add_column("check", no_wrap=True)
    table.add_column("result", no_wrap=True)
    table.add_column("what was found, and what to do", overflow="fold")
    for found in findings:
        text = Text(found.message)
        if found.advice is not None:
            text.append(f"\n→ {found.advice}", style="bold")
        table.add_row(found.check, Text(found.status.value, style=_STYLES[found.status.value]), text)
    console.print(table)
