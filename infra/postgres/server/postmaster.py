"""Reads `postmaster.pid`, the file in a data folder about the server that runs in it, or did."""

import contextlib
import os
import signal
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_SOCKET_FOLDER, _SHARED_MEMORY = 4, 6
"""Line numbers from 0. The lines: pid, data folder, start time, port, socket folder, address, shared memory, state."""


@dataclass(frozen=True, slots=True)
class Postmaster:
    """The first process of a PostgreSQL server."""

    pid: int
    data: Path
    socket_folder: Path

    def is_running(self) -> bool:
        """Return whether that process is alive and is this server: process ids are reused."""
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return False
        return not _PROC.exists() or os.fsencode(self.data) in _command_line(self.pid)

    def send(self, signal_number: signal.Signals) -> None:
        """Send the signal, if the process still exists."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal_number)


def running_postmaster(data: Path) -> Postmaster | None:
    """Return the server that runs in `data`; None if none does."""
    postmaster = _read_postmaster(data)
    return postmaster if postmaster is not None and postmaster.is_running() else None


def orphans_remain(data: Path) -> bool:
    """Return whether processes of a server that was killed still hold its shared memory; they soon notice and end.

    Known on Linux only; elsewhere PostgreSQL itself refuses to start meanwhile.
    """
    lines = _pid_file_lines(data)
    return len(lines) > _SHARED_MEMORY and _is_attached(lines[_SHARED_MEMORY])


def remove_stale_pidfile(data: Path) -> None:
    """Remove the pid file of a server that is gone, which PostgreSQL may take for a running one.

    It does if the process id belongs to another process by now, as it often does after a container has restarted.
    Neither the server nor its orphans may be running.
    """
    if _PROC.exists():
        (data / "postmaster.pid").unlink(missing_ok=True)


def _pid_file_lines(data: Path) -> list[str]:
    try:
        return (data / "postmaster.pid").read_text().splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return []


def _read_postmaster(data: Path) -> Postmaster | None:
    lines = _pid_file_lines(data)
    if len(lines) <= _SOCKET_FOLDER or not lines[0].strip().isdigit():
        return None
    return Postmaster(int(lines[0]), data, Path(lines[_SOCKET_FOLDER].strip()))


def _command_line(pid: int) -> bytes:
    try:
        return (_PROC / str(pid) / "cmdline").read_bytes()
    except OSError:
        return b""


def _is_attached(shared_memory: str) -> bool:
    """Return whether a process is attached to the segment named by "key id"; see `shmctl(2)`, `shm_nattch`."""
    segments = _PROC / "sysvipc" / "shm"
    fields = shared_memory.split()
    if len(fields) != 2 or not segments.exists():  # noqa: PLR2004  # the key and the id
        return False
    rows = (row.split() for row in segments.read_text().splitlines()[1:])
    return any(row[1] == fields[1] and row[6] != "0" for row in rows)
