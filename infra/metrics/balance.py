"""Metrics of how work is spread over the nodes."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector as MetricsCollector

from domain.events.work_balance import GivenCounts


class BalanceMetrics(MetricsCollector):
    """What this node gave back because others held less."""

    def __init__(self, registry: CollectorRegistry, given: GivenCounts) -> None:
        self._given = given
        registry.register(self)

    def collect(self) -> Iterator[Metric]:
        """Return the metrics as they are now."""
        family = CounterMetricFamily(
            "r3edge_leases_given", "Leases that this node gave back because others held fewer.", labels=["kind"]
        )
        for kind, count in sorted(self._given.items()):
            family.add_metric([kind], count)
        yield family
