"""What each program does: it runs its engine several times, and prints what came out as one line of JSON."""

import json
import resource
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Outcome:
    """What a run has found: the final equity in quote, and the bars of the entry and the exit of each closed trade."""

    equity: float
    trades: int
    spans: Sequence[Sequence[int]] = ()


@dataclass(frozen=True)
class Measured:
    """The times of the first run and of the best one, each in seconds and in seconds of the processor.

    `first` is None if another run came first in the process. `peak` is the most memory that the process had, in MB.
    """

    engine: str
    candles: int
    first: tuple[float, float] | None
    best: tuple[float, float]
    peak: float
    outcome: Outcome


def measure(engine: str, candles: int, runs: int, run: Callable[[], Outcome], *, is_warm: bool = False) -> Measured:
    """Return what several runs took, and what the last one has found; the best took the least of the processor."""
    times: list[tuple[float, float]] = []
    for _ in range(runs):
        began, used = time.perf_counter(), time.process_time()
        outcome = run()
        times.append((time.perf_counter() - began, time.process_time() - used))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024**2 if sys.platform == "darwin" else 1024)
    first = None if is_warm else times[0]
    return Measured(engine, candles, first, min(times, key=lambda pair: pair[1]), peak, outcome)


def show(*measured: Measured) -> None:
    """Print what was measured."""
    sys.stdout.write(json.dumps([asdict(each) for each in measured]) + "\n")
