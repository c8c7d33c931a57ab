"""The figures of the venues: their clocks, their rate budgets, and what they answered."""

from collections.abc import Iterator, Sequence

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector as MetricsCollector

from infra.venues.ccxt.connection import VenueConnection
from infra.venues.rate_limit.usage import NO_ANSWER
from infra.venues.registry import Venues


class VenueMetrics(MetricsCollector):
    """Metrics of every venue; two that share a budget tell the same of it."""

    def __init__(self, registry: CollectorRegistry, venues: Venues) -> None:
        self._venues = venues
        registry.register(self)

    def collect(self) -> Iterator[Metric]:
        """Return the metrics as they are now."""
        connections = [(name, self._venues.connection(name)) for name in self._venues.names()]
        yield from _clocks(connections)
        yield from _budgets(connections)
        answers = CounterMetricFamily(
            "r3edge_venue_requests", "Requests by the status of the answer.", labels=["venue", "status"]
        )
        for name, connection in connections:
            for status, count in connection.traffic.answers.items():
                answers.add_metric([name, "none" if status == NO_ANSWER else str(status)], count)
        yield answers


def _clocks(connections: Sequence[tuple[str, VenueConnection]]) -> Iterator[Metric]:
    offset = GaugeMetricFamily(
        "r3edge_venue_clock_offset_seconds", "How far the venue's clock is ahead of this node's.", labels=["venue"]
    )
    trip = GaugeMetricFamily(
        "r3edge_venue_clock_round_trip_seconds", "The round trip by which that was measured.", labels=["venue"]
    )
    for name, connection in connections:
        if connection.clock.is_measured:
            offset.add_metric([name], connection.clock.offset_seconds)
            trip.add_metric([name], connection.clock.round_trip_seconds)
    yield offset
    yield trip


def _budgets(connections: Sequence[tuple[str, VenueConnection]]) -> Iterator[Metric]:
    used = GaugeMetricFamily("r3edge_venue_budget_used_weight", "Weight used this minute.", labels=["venue"])
    limit = GaugeMetricFamily("r3edge_venue_budget_limit_weight", "Weight a minute that is allowed.", labels=["venue"])
    waiting = GaugeMetricFamily("r3edge_venue_budget_waiting_calls", "Calls that wait for it.", labels=["venue"])
    silence = GaugeMetricFamily(
        "r3edge_venue_silence_seconds", "How long the venue still wants no requests.", labels=["venue"]
    )
    refusals = CounterMetricFamily("r3edge_venue_silences", "Times the venue asked for silence.", labels=["venue"])
    for name, connection in connections:
        budget = connection.budget
        if budget.weight_per_minute is not None:
            used.add_metric([name], budget.used)
            limit.add_metric([name], budget.weight_per_minute)
        waiting.add_metric([name], budget.waiting)
        silence.add_metric([name], budget.silent_seconds)
        refusals.add_metric([name], budget.silence.asked_for)
    yield from (used, limit, waiting, silence, refusals)
