"""Functions for a process that computes; it imports them by their names."""

import os
import select
import signal

import numpy as np

from domain.research.compute_pool import OnProgress


def doubled(value: int, on_progress: OnProgress) -> int:
    for step in range(5):
        on_progress(step / 4)
    return 2 * value


def process_id(_argument: None, _on_progress: OnProgress) -> int:
    print("printed by mistake")  # noqa: T201  # what the answers must survive
    return os.getpid()


def environment(_argument: None, _on_progress: OnProgress) -> dict[str, str]:
    return dict(os.environ)


def failing(message: str, _on_progress: OnProgress) -> None:
    raise ValueError(message)


def killed(_argument: None, _on_progress: OnProgress) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def reserving_memory(_argument: None, _on_progress: OnProgress) -> int:
    return len([np.empty(2**24) for _ in range(100)])


def without_end(path: str, on_progress: OnProgress) -> None:
    """Write this process's id to a file, and go on until it is killed."""
    with open(path, "w") as file:  # noqa: PTH123  # in a thread's loop nothing else matters
        file.write(str(os.getpid()))
    on_progress(0.5)
    while True:
        select.select((), (), (), 0.01)  # not time.sleep, which is refused where the clock is moved
