"""Checks the versions of Python and of what the engine is built on."""

import importlib.metadata
import platform
from collections.abc import Iterator, Sequence

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from infra.doctor.findings import Finding, error, ok, warning

PROGRAM = "r3edge-engine"
TESTED_PYTHON = SpecifierSet(">=3.11,<3.14")
_REINSTALL = "install the engine's environment again: uv sync --frozen"


def check_versions() -> Sequence[Finding]:
    """Return the versions of Python, of the engine and of ccxt, and which libraries are older than needed."""
    return [_python(), ok("versions.engine", f"{PROGRAM} {importlib.metadata.version(PROGRAM)}"), *_libraries()]


def _python() -> Finding:
    version, name = platform.python_version(), "versions.python"
    supported = SpecifierSet(importlib.metadata.metadata(PROGRAM)["Requires-Python"])
    if version not in supported:
        return error(name, f"Python {version}", f"run the engine on Python {supported}")
    if version not in TESTED_PYTHON:
        return warning(name, f"Python {version}, on which it isn't tested", f"prefer Python {TESTED_PYTHON}")
    return ok(name, f"Python {version} on {platform.system()} {platform.machine()}")


def _libraries() -> Iterator[Finding]:
    yield ok("versions.ccxt", f"ccxt {importlib.metadata.version('ccxt')}")
    needed = [Requirement(line) for line in importlib.metadata.requires(PROGRAM) or []]
    needed = [each for each in needed if each.marker is None or each.marker.evaluate()]
    unfit = [fault for requirement in needed if (fault := _fault(requirement)) is not None]
    if unfit:
        yield error("versions.libraries", "; ".join(unfit), _REINSTALL)
    else:
        yield ok("versions.libraries", f"all {len(needed)} libraries have the versions that are needed")


def _fault(requirement: Requirement) -> str | None:
    try:
        version = importlib.metadata.version(requirement.name)
    except importlib.metadata.PackageNotFoundError:
        return f"{requirement.name} is not installed"
    if requirement.specifier.contains(version, prereleases=True):
        return None
    return f"{requirement.name} {version} is installed, and {requirement.specifier} needed"
