"""Metrics of jobs and trials: how many wait, how long that takes, and how they end."""

from collections.abc import Iterator, Mapping

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector as MetricsCollector

from domain.core.metrics import LatencyHistogram
from domain.jobs.counts import WorkCounts
from infra.metrics.histograms import buckets


class JobMetrics(MetricsCollector):
    """The jobs of all nodes that have not ended, and what the workers of this node have done."""

    def __init__(self, registry: CollectorRegistry, counts: WorkCounts) -> None:
        self._counts = counts
        registry.register(self)

    def collect(self) -> Iterator[Metric]:
        """Return the metrics as they are now."""
        counts = self._counts
        yield from _queue(counts)
        ended = CounterMetricFamily(
            "r3edge_jobs_ended", "Jobs whose work on this node ended, by how.", labels=["kind", "outcome"]
        )
        for (kind, end), count in counts.ended.items():
            ended.add_metric([kind, end.value], count)
        yield ended
        yield _histogram("r3edge_job_wait_seconds", "Time from the request of a job to its claim.", counts.waited)
        yield _histogram("r3edge_job_run_seconds", "Time from the claim of a job to its end here.", counts.ran)
        trials = CounterMetricFamily("r3edge_trials_ended", "Trials that ended on this node.", labels=["outcome"])
        for end, count in counts.trials_ended.items():
            trials.add_metric([end.value], count)
        yield trials
        duration = HistogramMetricFamily("r3edge_trial_run_seconds", "Time from the claim of a trial to its end here.")
        duration.add_metric([], buckets(counts.trials_ran), counts.trials_ran.sum)
        yield duration
        candles = CounterMetricFamily(
            "r3edge_backtest_candles", "Candles that backtests have run over on this node.", labels=["kind"]
        )
        for kind, count in counts.candles.items():
            candles.add_metric([kind], count)
        yield candles


def _queue(counts: WorkCounts) -> Iterator[Metric]:
    jobs = GaugeMetricFamily(
        "r3edge_jobs",
        "Jobs of all nodes that wait or run, as a worker node last counted them.",
        labels=["kind", "status"],
    )
    waits = GaugeMetricFamily("r3edge_job_oldest_wait_seconds", "How long the oldest job has waited.", labels=["kind"])
    for kind, open_jobs in counts.open_jobs.items():
        for status, count in open_jobs.by_status.items():
            jobs.add_metric([kind, status.value], count)
        waits.add_metric([kind], open_jobs.oldest_wait_seconds or 0.0)
    yield from (jobs, waits)


def _histogram(name: str, text: str, by_kind: Mapping[str, LatencyHistogram]) -> Metric:
    family = HistogramMetricFamily(name, text, labels=["kind"])
    for kind, histogram in list(by_kind.items()):
        family.add_metric([kind], buckets(histogram), histogram.sum)
    return family
