"""Metrics of notification channels."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector as MetricsCollector

from domain.notifications.deliverer import ChannelCounts


class ChannelMetrics(MetricsCollector):
    """How this node's attempts to deliver to notification channels ended."""

    def __init__(self, registry: CollectorRegistry, counts: ChannelCounts) -> None:
        self._counts = counts
        registry.register(self)

    def collect(self) -> Iterator[Metric]:
        """Return the metrics as they are now."""
        attempts = CounterMetricFamily(
            "r3edge_channel_attempts",
            "Attempts of this node to deliver to notification channels, by kind and outcome.",
            labels=["kind", "outcome"],
        )
        for (kind, outcome), count in self._counts.by_outcome.items():
            attempts.add_metric([kind.value.lower(), outcome], count)
        yield attempts
