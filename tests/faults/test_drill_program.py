"""`r3edge-drill` as a program: what it says where a part of a cluster isn't installed."""

import subprocess
import sys
from pathlib import Path

from tests.support.engine import ROOT


def test_a_part_that_is_missing_is_said_in_a_line(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.faults.drills.cli", "--repeat", "1", "primary-killed"]
    for required in ("", "1"):
        environment = {"PATH": str(tmp_path), "HOME": str(tmp_path), "R3EDGE_REQUIRE_ALL": required}
        done = subprocess.run(
            [*command, "--folder", tmp_path], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 1, done.stderr
        (line,) = done.stderr.splitlines()
        assert line.startswith("r3edge-drill: ")
        assert line.endswith("etcd is not installed (Debian: etcd-server)")
