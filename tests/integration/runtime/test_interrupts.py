"""Ctrl-C while a command is still loaded: it ends as after its work has begun, with one exit code and no traceback."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from infra.cli.exit_codes import INTERRUPTED
from tests.support.engine import ROOT

# Not signal.pause(), which would wait for a second signal if the first came just before it.
LOADING = 'import select\nprint("loading", flush=True)\nwhile True:\n    select.select((), (), (), 0.05)\n'


@pytest.mark.parametrize(
    ("arguments", "library"),
    [
        (["--help"], "typer"),
        (["serve"], "uvloop"),
        (["sandbox"], "uvloop"),
        (["halt", "engine"], "uvloop"),
        (["schema", "print"], "strawberry"),
    ],
)
def test_ctrl_c_while_a_command_is_loaded_ends_it_quietly(tmp_path: Path, arguments: list[str], library: str) -> None:
    _assert_ends_quietly(tmp_path, "r3edge", arguments, library)


@pytest.mark.parametrize("program", ["r3edge-faults", "r3edge-drill"])
def test_ctrl_c_while_a_test_program_is_loaded_ends_it_quietly(tmp_path: Path, program: str) -> None:
    _assert_ends_quietly(tmp_path, program, [], "rich")


def _assert_ends_quietly(folder: Path, program: str, arguments: list[str], library: str) -> None:
    """Run the program with a library in whose place something is found that never ends to load; press Ctrl-C then."""
    (folder / f"{library}.py").write_text(LOADING)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("R3EDGE_")}
    environment |= {"PYTHONPATH": str(folder), "R3EDGE_DATA_DIR": str(folder / "data")}
    command = [Path(sys.executable).with_name(program), *arguments]
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "loading\n"
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=60)
        finally:
            process.kill()
    assert (process.returncode, errors) == (INTERRUPTED, "")
