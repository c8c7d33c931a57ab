"""The folder of one run of the tests, in memory if there is plenty: databases and data directories are made in it."""

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.support.processes import processes_naming

_PREFIX = "r3test-"
_MEMORY, _PLENTY_BYTES = Path("/dev/shm"), 4 * 2**30
_KEY = pytest.StashKey[Path]()
_run: list[Path] = []
"""The folder of this process's run, for what isn't called with pytest's configuration."""


def new_folder() -> Path:
    """Return a new private folder, which lasts until the run ends or its user removes it.

    Not `tmp_path`: each start of pytest makes the folder above that one private again, and with it keeps out the user
    that runs the PostgreSQL of another run of pytest as root.
    """
    return Path(tempfile.mkdtemp(dir=_run[0]))


def shared_folder() -> Path:
    """Return the folder that all processes of the run share."""
    return _run[0]


def remove_left_over(place: Path) -> None:
    """Remove the folders of runs that were killed, and end the programs that these left running."""
    for folder in place.glob(f"{_PREFIX}*-*"):
        pid = folder.name.split("-")[1]
        if not pid.isdigit() or _is_running(int(pid)):
            continue
        for process in processes_naming(str(folder)):
            with suppress(ProcessLookupError, PermissionError):
                os.kill(process, signal.SIGKILL)
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def run_folder() -> Iterator[Path]:
    """Make the folder of a run for a program that uses these parts without pytest; remove it after the block."""
    folder = _make()
    _run.append(folder)
    try:
        yield folder
    finally:
        _run.remove(folder)
        shutil.rmtree(folder, ignore_errors=True)


def pytest_configure(config: pytest.Config) -> None:
    """Make the run's folder, or take that of the run that this is a process of."""
    inherited = getattr(config, "workerinput", {}).get("run_folder")
    if inherited is None:
        folder = config.stash[_KEY] = _make()
    _run.append(Path(inherited) if inherited else folder)


def pytest_configure_node(node: object) -> None:
    """Give the folder to a process of pytest-xdist."""
    node.workerinput["run_folder"] = str(_run[0])


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove the folder when the run that made it ends."""
    folder = config.stash.get(_KEY, None)
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)


def _make() -> Path:
    for place in _places():
        remove_left_over(place)
    # Named by the process, by which the next run sees whether this one has been killed.
    folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=_places()[0]))
    folder.chmod(0o711)  # the user that runs PostgreSQL for root passes it
    return folder


def _places() -> list[Path]:
    """Return where folders of runs are, that for a new one first: memory, if there is plenty, is many times faster."""
    disk = Path(tempfile.gettempdir())
    if not _MEMORY.is_dir():
        return [disk]
    has_plenty = shutil.disk_usage(_MEMORY).free > _PLENTY_BYTES
    return [_MEMORY, disk] if has_plenty else [disk, _MEMORY]


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
