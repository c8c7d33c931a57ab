"""The port of processes that compute: what takes seconds of a processor must not hold up the node that trades."""

from collections.abc import Callable
from typing import Protocol, TypeVar

A = TypeVar("A")
R = TypeVar("R")

OnProgress = Callable[[float], None]
"""Called with the share that is done, from 0 to 1."""


class ComputationCrashed(Exception):
    """The process ended without an answer, as one does that the system takes the memory from."""


class ComputationTooLarge(Exception):
    """The computation needs more memory than a process may have."""


class ComputationTooLong(Exception):
    """The computation took longer than a process may be used for: the processes of a node are everybody's."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        super().__init__(f"longer than {seconds:,.0f} s")


class ComputationFailed(Exception):
    """The computation raised an error; the message is its traceback."""


class ComputePool(Protocol):
    """Runs functions in processes of their own; implemented by `infra.runtime.compute_pool`."""

    async def run(self, function: Callable[[A, OnProgress], R], argument: A, on_progress: OnProgress) -> R:
        """Return what the function returns for the argument; all three are pickled, so it is one of a module.

        Waits for a free process. A cancellation ends the process. Raises `ComputationCrashed`, `ComputationTooLarge`,
        `ComputationTooLong` (in which the wait doesn't count) and `ComputationFailed`.
        """
        ...
