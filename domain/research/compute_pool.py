"""The port of processes that compute: what takes seconds of a processor must not hold up the node that trades."""

from collections.abc import Callable
from typing import ClassVar, Protocol, TypeVar

from domain.jobs.handler import JobFailed

A = TypeVar("A")
R = TypeVar("R")

OnProgress = Callable[[float], None]
"""Called with the share that is done, from 0 to 1."""


class ComputationEnded(Exception):
    """The computation came to no end; `explain` says why, in words for the user who has asked for it."""

    what: str
    advice: ClassVar[str] = "Choose a shorter period, a longer timeframe or simpler rules."

    def explain(self, subject: str) -> str:
        """Return what became of the `subject`, such as "The backtest", as a sentence."""
        return f"{subject} {self.what}."


class ComputationCrashed(ComputationEnded):
    """The process ended without an answer, as one does that the system takes the memory from."""

    what = "was lost: its process came to an end, as one does when the system is out of memory"
    advice = "Choose a shorter period or a longer timeframe, or try again."


class ComputationTooLarge(ComputationEnded):
    """The computation needs more memory than a process may have."""

    what = "needs more memory than a computation may have"


class ComputationTooLong(ComputationEnded):
    """The computation took longer than a process may be used for: the processes of a node are everybody's."""

    def __init__(self, seconds: float) -> None:
        self.what = f"took longer than {seconds:,.0f} s"
        super().__init__(self.what)


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


async def compute_for_job(
    pool: ComputePool, function: Callable[[A, OnProgress], R], argument: A, on_progress: OnProgress, subject: str
) -> R:
    """Return what the function returns, as `ComputePool.run` does; `JobFailed` says what became of the `subject`."""
    try:
        return await pool.run(function, argument, on_progress)
    except ComputationEnded as error:
        raise JobFailed(f"{error.explain(subject)} {error.advice}") from None
