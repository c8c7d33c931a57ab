"""Starts the engine by forking a process that has loaded it, which takes a fifth of the processor time.

What starts is a process like any other: it has its own environment, output and exit code, and may be killed, frozen and
started again. Most of the time of a start is spent on loading modules, and tests that kill engines start a hundred.
"""

import atexit
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from ctypes import CDLL
from functools import cache
from pathlib import Path

_MODULES = ("infra.cli.main", "infra.runtime.serve", "ccxt.pro.binance")
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG of prctl(2)
_MOST_BYTES = 2**20
_STANDARD = (0, 1, 2)


class ForkedProcess:
    """A process of a `ForkServer`, with the methods of `subprocess.Popen` that tests use."""

    def __init__(self, server: "ForkServer", pid: int) -> None:
        self.pid = pid
        self._server = server
        self._end = os.pidfd_open(pid)
        self._code: int | None = None
        self._lock = threading.Lock()

    def poll(self) -> int | None:
        """Return the exit code, negative for a signal; None while it runs."""
        return self._wait(0)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; raises `subprocess.TimeoutExpired`."""
        code = self._wait(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
        return code

    def send_signal(self, number: int) -> None:
        """Send a signal, if it still runs."""
        if self.poll() is None:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._end, number)

    def kill(self) -> None:
        """End it as `kill -9` does."""
        self.send_signal(signal.SIGKILL)

    def _wait(self, timeout: float | None) -> int | None:
        poll = select.poll()
        with self._lock:
            if self._code is None:
                poll.register(self._end, select.POLLIN)
                if poll.poll(None if timeout is None else timeout * 1_000):
                    self._code = self._server.exit_code(self.pid)
            return self._code

    def __del__(self) -> None:
        os.close(self._end)


class ForkServer:
    """A process that has loaded the engine, and forks itself for each start of it; both end with this process."""

    def __init__(self) -> None:
        self._channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._lock = threading.Lock()
        command = [sys.executable, "-m", "tests.support.forked_program", str(theirs.fileno())]
        root = Path(__file__).resolve().parents[2]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()], cwd=root)
        theirs.close()

    def close(self) -> None:
        """End it, and what it has started."""
        self._channel.close()
        self._process.wait()

    def start(
        self, module: str | None, arguments: Sequence[str], environment: Mapping[str, str], files: tuple[int, int, int]
    ) -> ForkedProcess:
        """Run a module as a program, or `r3edge`, on its standard input, output and error output."""
        request = json.dumps({"module": module, "arguments": list(arguments), "environment": dict(environment)})
        with self._lock:
            socket.send_fds(self._channel, [request.encode()], list(files))
            return ForkedProcess(self, int(self._channel.recv(_MOST_BYTES)))

    def exit_code(self, pid: int) -> int:
        """Return the exit code of a process that has ended."""
        with self._lock:
            self._channel.send(json.dumps({"ended": pid}).encode())
            return int(self._channel.recv(_MOST_BYTES))


@cache
def fork_server() -> ForkServer:
    """Return the one of this process, started at the first call."""
    server = ForkServer()
    atexit.register(server.close)
    return server


def _serve(channel: socket.socket) -> None:
    gc.disable()
    for module in _MODULES:
        importlib.import_module(module)
    gc.collect()
    gc.freeze()
    gc.enable()
    while True:
        data, files, _, _ = socket.recv_fds(channel, _MOST_BYTES, len(_STANDARD))
        if not data:
            return
        request = json.loads(data)
        if "ended" in request:
            _, status = os.waitpid(request["ended"], 0)
            channel.send(str(os.waitstatus_to_exitcode(status)).encode())
            continue
        pid = os.fork()
        if not pid:
            channel.close()
            _run(request["module"], request["arguments"], request["environment"], files)
        for file in files:
            os.close(file)
        channel.send(str(pid).encode())


def _run(module: str | None, arguments: list[str], environment: dict[str, str], files: Sequence[int]) -> None:
    """Be the program, to its end."""
    CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    for file, standard in zip(files, _STANDARD, strict=True):
        os.dup2(file, standard)
        os.close(file)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = [module or "r3edge", *arguments]
    if module is not None:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
        raise SystemExit
    from infra.cli.entry import r3edge  # noqa: PLC0415  # loaded by now

    r3edge()
    raise SystemExit


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        _serve(socket.socket(fileno=int(sys.argv[1])))
