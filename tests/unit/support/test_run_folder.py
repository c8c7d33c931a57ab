import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.support.run_folder import remove_left_over


def ended_process() -> int:
    """Return the id of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_folders_of_runs_that_were_killed_are_removed_and_no_others(tmp_path: Path) -> None:
    gone, running, foreign = (
        tmp_path / name for name in (f"r3test-{ended_process()}-abc", f"r3test-{os.getpid()}-abc", "r3test-no-number")
    )
    for folder in (gone, running, foreign):
        (folder / "data").mkdir(parents=True)
    remove_left_over(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted([running, foreign])


def test_programs_that_a_killed_run_left_running_are_ended(tmp_path: Path) -> None:
    folder = tmp_path / f"r3test-{ended_process()}-abc"
    folder.mkdir()
    program = "import sys; print('running', flush=True); sys.stdin.read()"
    command, pipe = [sys.executable, "-c", program, str(folder / "data")], subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe) as left_over:
        assert left_over.stdout is not None
        left_over.stdout.readline()  # its command line can't be read before it runs
        remove_left_over(tmp_path)
        assert left_over.wait(60) == -signal.SIGKILL
