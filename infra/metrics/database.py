"""Metrics of the pools of connections to PostgreSQL."""

from collections.abc import Iterator, Mapping

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector as MetricsCollector

from infra.metrics.histograms import buckets
from infra.postgres.pool_use import PoolUse
from infra.postgres.replicas import Replicas


class ReplicaMetrics(MetricsCollector):
    """Who answers the reads of the past."""

    def __init__(self, registry: CollectorRegistry, replicas: Replicas | None) -> None:
        self._replicas = replicas
        registry.register(self)

    def collect(self) -> Iterator[Metric]:
        """Return the metrics as they are now."""
        reads = CounterMetricFamily(
            "r3edge_reads_of_past", "Reads of the past, by the server that answered.", labels=["server"]
        )
        for server in ("replica", "primary"):
            reads.add_metric([server], 0 if self._replicas is None else self._replicas.reads[server])
        yield reads


class DatabaseMetrics(MetricsCollector):
    """The pools of this node by their names."""

    def __init__(self, registry: CollectorRegistry, pools: Mapping[str, PoolUse]) -> None:
        self._pools = pools
        registry.register(self)

    def collect(self) -> Iterator[Metric]:
        """Return the metrics as they are now."""
        connections = GaugeMetricFamily(
            "r3edge_database_connections", "Open connections to PostgreSQL.", labels=["pool", "state"]
        )
        most = GaugeMetricFamily("r3edge_database_connections_max", "Connections that may be open.", labels=["pool"])
        waits = HistogramMetricFamily(
            "r3edge_database_wait_seconds", "How long a connection was waited for.", labels=["pool"]
        )
        failures = CounterMetricFamily(
            "r3edge_database_unavailable", "Times that no connection could be had.", labels=["pool"]
        )
        for name, use in self._pools.items():
            connections.add_metric([name, "idle"], use.idle_connections)
            connections.add_metric([name, "used"], use.open_connections - use.idle_connections)
            most.add_metric([name], use.most_connections)
            waits.add_metric([name], buckets(use.waits), use.waits.sum)
            failures.add_metric([name], use.failures)
        yield from (connections, most, waits, failures)
