"""Metrics of the message bus between nodes."""

from collections.abc import Iterator, Mapping
from typing import Protocol, runtime_checkable

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector as MetricsCollector

from domain.ports.bus import MessageBus


@runtime_checkable
class CountsRejections(Protocol):
    """A bus that counts the rejected messages of other senders by reason; the embedded bus has none."""

    rejected: Mapping[str, int]


class BusMetrics(MetricsCollector):
    """The messages that this node has rejected."""

    def __init__(self, registry: CollectorRegistry, bus: MessageBus) -> None:
        self._rejected = bus.rejected if isinstance(bus, CountsRejections) else {}
        registry.register(self)

    def collect(self) -> Iterator[Metric]:
        """Return the metrics as they are now."""
        rejected = CounterMetricFamily(
            "r3edge_bus_refused_messages", "Messages of the bus that this node rejected.", labels=["reason"]
        )
        for reason, count in self._rejected.items():
            rejected.add_metric([reason], count)
        yield rejected
