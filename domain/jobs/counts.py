"""What the workers of a node have done, counted for its metrics."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from domain.core.metrics import LatencyHistogram
from domain.model.jobs import OpenJobs

SECONDS: Final = (0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3_600.0)
"""The upper bounds by which durations are counted."""


class WorkEnd(StrEnum):
    """How a worker's work on a job or a trial ended.

    RELEASED: it was given back, since the node stops or something could not be reached, and is done again. LOST: it was
    cancelled, or another worker has claimed it.
    """

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    RELEASED = "released"
    LOST = "lost"


def _histogram() -> LatencyHistogram:
    return LatencyHistogram(SECONDS)


def _histograms() -> defaultdict[str, LatencyHistogram]:
    return defaultdict(_histogram)


@dataclass(slots=True)
class WorkCounts:
    """Counts since the node's start, by the kind of job; `open_jobs` are those of all nodes when last looked at.

    `waited` is the time from a job's request to its claim, again if it was given back, `ran` that from a claim to its
    end here.
    """

    ended: Counter[tuple[str, WorkEnd]] = field(default_factory=Counter)
    waited: defaultdict[str, LatencyHistogram] = field(default_factory=_histograms)
    ran: defaultdict[str, LatencyHistogram] = field(default_factory=_histograms)
    trials_ended: Counter[WorkEnd] = field(default_factory=Counter)
    trials_ran: LatencyHistogram = field(default_factory=_histogram)
    candles: Counter[str] = field(default_factory=Counter)
    open_jobs: Mapping[str, OpenJobs] = field(default_factory=dict)

    def count_job(self, kind: str, end: WorkEnd, seconds: float) -> None:
        """Count a job that ended here after so many seconds."""
        self.ended[kind, end] += 1
        self.ran[kind].observe(seconds)

    def count_trial(self, end: WorkEnd, seconds: float) -> None:
        """Count a trial that ended here after so many seconds."""
        self.trials_ended[end] += 1
        self.trials_ran.observe(seconds)
