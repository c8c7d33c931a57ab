"""Metrics of the users' event logs."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector as MetricsCollector

from domain.events.follower_counts import FollowerCounts
from infra.metrics.histograms import buckets


class EventMetrics(MetricsCollector):
    """How far this node's subscribers are behind the logs that they follow."""

    def __init__(self, registry: CollectorRegistry, followers: FollowerCounts) -> None:
        self._followers = followers
        registry.register(self)

    def collect(self) -> Iterator[Metric]:
        """Return the metrics as they are now."""
        subscriptions = GaugeMetricFamily("r3edge_event_subscriptions", "Subscriptions to users' event logs.")
        subscriptions.add_metric([], self._followers.open)
        lag = HistogramMetricFamily(
            "r3edge_event_lag_seconds", "From an event's time to its being read for a subscriber who is up to date."
        )
        lag.add_metric([], buckets(self._followers.lag), self._followers.lag.sum)
        yield from (subscriptions, lag)
