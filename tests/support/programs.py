"""Programs of a cluster that tests kill, freeze and start again, one PostgreSQL with all of its processes."""

import os
import signal
import subprocess
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from infra.postgres.server.postmaster import running_postmaster
from infra.postgres.server.server_user import server_user

_PARENT = 1
"""The place of the parent's number after the closing bracket of `/proc/PID/stat`, see proc(5)."""


class Program:
    """A program with its children, which a test may kill, freeze and start again."""

    def __init__(self, command: Sequence[str | Path], folder: Path, environment: Mapping[str, str], log: Path) -> None:
        self._command = command
        self._folder = folder
        self._environment = environment
        self._log = log
        self._user = server_user(folder)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, unless it runs."""
        if self._process is not None and self._process.poll() is None:
            return
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._folder,
                env=dict(self._environment),
                start_new_session=True,
                user=self._user.uid if self._user else None,
                group=self._user.gid if self._user else None,
                extra_groups=[] if self._user else None,
            )

    def kill(self) -> None:
        """End it as a power cut would (SIGKILL)."""
        self._signal(signal.SIGKILL)
        if self._process is not None:
            self._process.wait()

    def stop(self) -> None:
        """Ask it to end (SIGTERM) and wait for that."""
        self._signal(signal.SIGTERM)
        if self._process is not None:
            self._process.wait()

    def freeze(self) -> None:
        """Stop it at once (SIGSTOP)."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Resume it after `freeze`."""
        self._signal(signal.SIGCONT)

    def log_tail(self) -> str:
        return self._log.read_text(errors="replace")[-2000:]

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)


class NodePostgres:
    """The PostgreSQL that a node's Patroni has started: the postmaster and all of its processes."""

    def __init__(self, data: Path) -> None:
        self._data = data

    @property
    def is_running(self) -> bool:
        return running_postmaster(self._data) is not None

    def kill(self) -> None:
        """End all of its processes as a power cut would (SIGKILL)."""
        self._signal(signal.SIGKILL)

    def freeze(self) -> None:
        """Stop all of its processes (SIGSTOP)."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Resume them after `freeze`."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        postmaster = running_postmaster(self._data)
        if postmaster is None:
            return
        # The postmaster first: it would start others, or stop them in order, when it sees that they have ended.
        pids = [postmaster.pid, *descendants(postmaster.pid)]
        for pid in reversed(pids) if number is signal.SIGCONT else pids:
            with suppress(ProcessLookupError):
                os.kill(pid, number)


def descendants(pid: int) -> list[int]:
    """Return the process's children, theirs, and so on."""
    children: defaultdict[int, list[int]] = defaultdict(list)
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                children[int((entry / "stat").read_text().rpartition(")")[2].split()[_PARENT])].append(int(entry.name))
    found, waiting = [], [pid]
    while waiting:
        of_one = children[waiting.pop()]
        found.extend(of_one)
        waiting.extend(of_one)
    return found
