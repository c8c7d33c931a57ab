"""A process that computes for a node: `python -m infra.runtime.compute_process`, started by its compute pool.

It reads calls from its standard input and writes answers to its standard output, each a pickle after its length in
eight bytes. It ends when its input closes, so it never outlives its node, also in the middle of a call.
"""

import contextlib
import gc
import os
import pickle
import resource
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, BinaryIO, Final

LENGTH_BYTES: Final = 8
NICENESS: Final = 10
"""So that the node itself, which trades, comes first."""
PROGRESS_STEP: Final = 0.01
MAX_MEMORY_BYTES: Final = 1_536 * 1024 * 1024

Call = tuple[Callable[[Any, Callable[[float], None]], object], object]


def frame(value: object) -> bytes:
    """Return a value as it is sent."""
    data = pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL)
    return len(data).to_bytes(LENGTH_BYTES) + data


def spare_collector() -> None:
    """Let the garbage collector leave out all that is used now, such as modules, once it has freed what isn't.

    It comes often in a computation, which keeps what it makes until its end, and went through all modules each time.
    """
    gc.collect()
    gc.freeze()


class _Parent:
    """Writes answers to the node; ends this process when the node is gone."""

    def __init__(self, output: BinaryIO) -> None:
        self._output = output
        self._progress = 0.0

    def send(self, kind: str, value: object) -> None:
        try:
            self._output.write(frame((kind, value)))
            self._output.flush()
        except OSError:
            os._exit(0)

    def start(self) -> None:
        self._progress = 0.0
        self.send("started", None)

    def report(self, progress: float) -> None:
        if progress - self._progress >= PROGRESS_STEP:
            self._progress = progress
            self.send("progress", progress)


def _read_calls(source: BinaryIO, calls: "SimpleQueue[bytes]") -> None:
    while True:
        length = source.read(LENGTH_BYTES)
        data = source.read(int.from_bytes(length)) if len(length) == LENGTH_BYTES else b""
        if not data:
            os._exit(0)
        calls.put(data)


def _answer(data: bytes, parent: _Parent) -> None:
    parent.start()
    try:
        call: Call = pickle.loads(data)  # noqa: S301  # of this process's own node
        function, argument = call
        spare_collector()  # only now are the function's modules imported
        parent.send("result", function(argument, parent.report))
    except MemoryError:
        parent.send("too large", None)
    except Exception:  # noqa: BLE001  # the node raises it again, with its traceback
        parent.send("failed", traceback.format_exc())


def main() -> None:
    """Answer calls until the input closes."""
    # The node decides when this process ends; an interrupt or a service manager's signal goes to both.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(NICENESS)
    with contextlib.suppress(OSError, ValueError):  # macOS may refuse the limit; a computation is worth more than it
        resource.setrlimit(resource.RLIMIT_DATA, (MAX_MEMORY_BYTES, MAX_MEMORY_BYTES))
    # What is printed by mistake must not come between the answers.
    output = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    calls: SimpleQueue[bytes] = SimpleQueue()
    threading.Thread(target=_read_calls, args=(sys.stdin.buffer, calls), daemon=True).start()
    parent = _Parent(output)
    while True:
        _answer(calls.get(), parent)


if __name__ == "__main__":
    main()
