"""Histograms that the domain counts, in the form that Prometheus reads."""

from itertools import accumulate

from domain.core.metrics import LatencyHistogram


def buckets(histogram: LatencyHistogram) -> list[tuple[str, float]]:
    """Return the cumulated counts by their upper bounds."""
    bounds = [*map(str, histogram.bounds), "+Inf"]
    return list(zip(bounds, map(float, accumulate(histogram.counts)), strict=True))
