"""Metrics of the Hazelcast cluster, as this node sees it."""

from collections.abc import Iterator, Mapping
from typing import Protocol, runtime_checkable

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector as MetricsCollector

from domain.ports.bus import MessageBus


class Counts(Protocol):
    """See `infra.hazelcast.counts.HazelcastCounts`."""

    connections: int
    operations: int
    failed: int
    skipped: int
    registrations: int
    losses: Mapping[str, int]

    @property
    def away_seconds(self) -> float:
        """How long the node has gone without Hazelcast."""
        ...


class Connection(Protocol):
    """See `infra.hazelcast.client.HazelcastConnection`, which takes half a second to load."""

    counts: Counts

    @property
    def members(self) -> tuple[int, int]:
        """How many members the node is connected to, and how many it knows."""
        ...


@runtime_checkable
class OnCluster(Protocol):
    """A bus over Hazelcast; the embedded one has no connection."""

    connection: Connection


class HazelcastMetrics(MetricsCollector):
    """The node's connection, and what it has lost by it; without samples where cache and bus live in the process."""

    def __init__(self, registry: CollectorRegistry, bus: MessageBus) -> None:
        self._connection = bus.connection if isinstance(bus, OnCluster) else None
        registry.register(self)

    def collect(self) -> Iterator[Metric]:
        """Return the metrics as they are now."""
        connected = GaugeMetricFamily("r3edge_hazelcast_connected_members", "Members that this node is connected to.")
        known = GaugeMetricFamily("r3edge_hazelcast_known_members", "Members of the cluster that this node knows.")
        operations = _counter("operations", "Operations on the cluster, by outcome.", "outcome")
        losses = _counter("losses", "Times that listeners were told of messages that may be lost, by reason.", "reason")
        away = _counter("away_seconds", "Seconds in which this node has gone without Hazelcast.")
        connections = _counter("connections", "Times that this node has connected to the cluster.")
        registrations = _counter("registrations", "Times that a lane of the bus was listened to (again).")
        if self._connection is not None:
            counts = self._connection.counts
            for gauge, members in zip((connected, known), self._connection.members, strict=True):
                gauge.add_metric([], members)
            for outcome in ("done", "failed", "skipped"):
                done = counts.operations - counts.failed
                operations.add_metric([outcome], {"done": done}.get(outcome, getattr(counts, outcome, 0)))
            for reason, count in counts.losses.items():
                losses.add_metric([reason], count)
            away.add_metric([], counts.away_seconds)
            connections.add_metric([], counts.connections)
            registrations.add_metric([], counts.registrations)
        yield from (connected, known, operations, losses, away, connections, registrations)


def _counter(name: str, documentation: str, label: str | None = None) -> CounterMetricFamily:
    return CounterMetricFamily(f"r3edge_hazelcast_{name}", documentation, labels=[label] if label else [])
