"""The version that clusters are upgraded from, out of the repository's history, as a program beside today's."""

import os
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

import pytest
from packaging.requirements import Requirement

from tests.support.require import require_or_skip

ROOT: Final = Path(__file__).resolve().parents[2]
BASE: Final = ROOT / ".ci" / "rolling_base"
ENTRY: Final = "from infra.cli.entry import r3edge; r3edge()"


def unpack_earlier_version(folder: Path) -> Path:
    """Write its source into the folder and return that; skips where the history or a dependency's version is absent."""
    (commit,) = (line for line in BASE.read_text().split("\n") if line and not line.startswith("#"))
    archive = subprocess.run(["git", "archive", commit], cwd=ROOT, capture_output=True, check=False)
    advice = f"git fetch --depth 1 origin {commit}"
    if archive.returncode != 0:  # even where everything is required: a copy of the files has no history to require
        pytest.skip(f"the history here lacks {commit[:12]}: {advice}")
    folder.mkdir()
    subprocess.run(["tar", "-x", "-C", str(folder)], input=archive.stdout, check=True)
    lacking = [text for text in _requirements(folder) if not _is_installed(Requirement(text))]
    require_or_skip(not lacking, f"the version {commit[:12]} needs {', '.join(lacking)}, which isn't installed")
    return folder


def run_earlier_version(source: Path, *arguments: str, **settings: str) -> str:
    """Run its `r3edge` to its end, which must succeed; return what it printed."""
    return run_earlier_python(source, ENTRY, *arguments, **settings)


def run_earlier_python(source: Path, code: str, *arguments: str, **settings: str) -> str:
    """Run Python among its modules."""
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], env={**os.environ, **settings, **earlier_environment(source)},
        cwd=source, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def earlier_environment(source: Path) -> dict[str, str]:
    """Return what has Python find its modules in the place of today's."""
    return {"PYTHONPATH": str(source)}


def _requirements(source: Path) -> list[str]:
    project = tomllib.loads((source / "pyproject.toml").read_text())["project"]
    return list(project["dependencies"])


def _is_installed(requirement: Requirement) -> bool:
    if requirement.marker is not None and not requirement.marker.evaluate():
        return True
    try:
        return requirement.specifier.contains(version(requirement.name), prereleases=True)
    except PackageNotFoundError:
        return False
