"""Figures that are counted in the domain and exported by the infrastructure."""

from bisect import bisect_left
from collections.abc import Sequence


class LatencyHistogram:
    """Counts of durations by their upper bounds (inclusive), with a last bucket for what is above all of them.

    Lives and ends with what it measures, and `observe` costs a fraction of a microsecond: it is called for each book.
    """

    def __init__(self, bounds_seconds: Sequence[float]) -> None:
        self.bounds = tuple(sorted(bounds_seconds))
        self.counts = [0] * (len(self.bounds) + 1)
        self.sum = 0.0

    def observe(self, seconds: float) -> None:
        """Count a duration in its bucket, and add it to the sum."""
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.sum += seconds
