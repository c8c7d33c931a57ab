"""Metrics of the mails to users."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector as MetricsCollector

from domain.mail.sender import DeliveryCounts


class MailMetrics(MetricsCollector):
    """How this node's attempts to send mails ended."""

    def __init__(self, registry: CollectorRegistry, counts: DeliveryCounts) -> None:
        self._counts = counts
        registry.register(self)

    def collect(self) -> Iterator[Metric]:
        """Return the metrics as they are now."""
        attempts = CounterMetricFamily(
            "r3edge_mail_attempts", "Attempts of this node to send mails, by outcome.", labels=["outcome"]
        )
        for outcome, count in self._counts.by_outcome.items():
            attempts.add_metric([outcome], count)
        yield attempts
