"""What programs share that run the engine many times: which commit that was, and what is kept of a run that failed."""

import shutil
import subprocess
from pathlib import Path

from tests.support.engine import ROOT


def present_commit() -> str:
    """Return which commit is tested, marked where files differ from it; empty outside of a checkout."""
    command = ("git", "describe", "--always", "--dirty", "--exclude", "*")
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()


def keep_folder(place: Path, kept: Path) -> None:
    """Copy a folder of parts that have ended, without their sockets."""
    sockets = shutil.ignore_patterns("*.sock*", "*.s.PGSQL*")
    shutil.copytree(place, kept, dirs_exist_ok=True, ignore=sockets)
