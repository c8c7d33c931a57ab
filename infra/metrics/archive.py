"""Metrics of the archive."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector as MetricsCollector

from infra.archive_storage.activity import ArchiveActivity
from infra.metrics.histograms import buckets


class ArchiveMetrics(MetricsCollector):
    """What this node does with the archive, and what it found there after its last run."""

    def __init__(self, registry: CollectorRegistry, activity: ArchiveActivity) -> None:
        self._activity = activity
        registry.register(self)

    def collect(self) -> Iterator[Metric]:
        """Return the metrics as they are now."""
        yield from self._operations()
        yield from self._totals()
        yield from self._runs()

    def _operations(self) -> Iterator[Metric]:
        activity = self._activity
        seconds = HistogramMetricFamily(
            "r3edge_archive_operation_seconds", "Files read from and written to the archive.", labels=["operation"]
        )
        for name, times in (("read", activity.reads), ("write", activity.writes)):
            seconds.add_metric([name], buckets(times), times.sum)
        size = CounterMetricFamily("r3edge_archive_bytes", "Bytes read and written.", labels=["operation"])
        size.add_metric(["read"], activity.read_bytes)
        size.add_metric(["write"], activity.written_bytes)
        failures = CounterMetricFamily("r3edge_archive_failures", "Operations that failed.", labels=["operation"])
        for name, count in activity.failures.items():
            failures.add_metric([name], count)
        local = CounterMetricFamily("r3edge_archive_local_reads", "Files read from this machine's copies.")
        local.add_metric([], activity.local_reads)
        yield from (seconds, size, failures, local)

    def _totals(self) -> Iterator[Metric]:
        files = GaugeMetricFamily("r3edge_archived_files", "Archived files.", labels=["table"])
        rows = GaugeMetricFamily("r3edge_archived_rows", "Archived rows.", labels=["table"])
        size = GaugeMetricFamily("r3edge_archived_bytes", "Size of archived files.", labels=["table"])
        for table, total in self._activity.totals.items():
            files.add_metric([table], total.files)
            rows.add_metric([table], total.rows)
            size.add_metric([table], total.size_bytes)
        yield from (files, rows, size)

    def _runs(self) -> Iterator[Metric]:
        success = GaugeMetricFamily("r3edge_archive_last_success_timestamp_seconds", "When a run last succeeded.")
        if self._activity.last_success is not None:
            success.add_metric([], self._activity.last_success.timestamp())
        failure = GaugeMetricFamily("r3edge_archive_last_failure_timestamp_seconds", "When a run last failed.")
        if self._activity.last_failure is not None:
            failure.add_metric([], self._activity.last_failure.timestamp())
        yield from (success, failure)
